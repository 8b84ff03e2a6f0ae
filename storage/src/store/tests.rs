//! Tests of the store through its door, on real files.

mod crash;
mod fixture;
mod keeping;
mod reading;
mod restart;
mod sealing;
mod stress;
