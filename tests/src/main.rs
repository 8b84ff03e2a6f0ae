//! The very `tripline` binary, built by `cargo test` itself so that the tests never meet a stale one.

use std::process::ExitCode;

fn main() -> ExitCode {
    tripline_collector::commands::main()
}
