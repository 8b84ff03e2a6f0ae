//! The one integration binary: real ports, real DuckDB files, real clients, a real browser.

mod demo;
mod durability;
mod harness;
mod hogs;
mod otlp;
mod overload;
mod serving;
