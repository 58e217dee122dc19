//! `perfreg`, the one binary: server and client.

use std::process::ExitCode;

use tikv_jemallocator::Jemalloc;

/// What is allocated where a request is read is freed where it is saved, which the C library's allocator is slow at.
#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

fn main() -> ExitCode {
    perfreg::cli::main()
}
