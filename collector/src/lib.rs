//! Tripline's collector: receives OTLP, refuses what must be refused, composes the house, starts and stops it.
//!
//! It never knows SQL text (that is `tripline-storage`) or HTML (that is `tripline-web`).

pub mod api;
pub mod commands;
pub mod config;
pub mod decode;
pub mod operations;
pub mod pages;
pub mod receive;
