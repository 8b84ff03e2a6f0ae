//! The binary `tripline`: receives, refuses, composes, starts, stops.

pub mod decode;
pub mod receive;
