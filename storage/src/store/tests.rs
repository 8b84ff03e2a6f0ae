//! Tests of the store through its door, on real files.

mod bad_days;
mod bounds;
mod crash;
mod fixture;
mod keeping;
mod reading;
mod restart;
mod sealing;
mod stress;
