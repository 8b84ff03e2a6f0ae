//! The binary `tripline`.

use std::process::ExitCode;

fn main() -> ExitCode {
    tripline_collector::commands::main()
}
