//! Tests of the store through its door, on real files.

mod fixture;
mod reading;
mod restart;
mod sealing;
