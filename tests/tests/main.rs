//! The one integration binary: real ports, real DuckDB files, real clients, a real browser.

mod harness;
mod serving;
