//! `perfreg`, the one binary: server and client.

use std::process::ExitCode;

fn main() -> ExitCode {
    perfreg::cli::main()
}
