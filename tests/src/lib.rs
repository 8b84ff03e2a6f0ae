//! What the integration tests and the benchmark share: a real browser.

pub mod driver;
