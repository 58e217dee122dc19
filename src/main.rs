//! `perfreg`, the one binary: server and client.

use std::process::ExitCode;

/// What is allocated where a request is read is freed where it is saved, which the C library's allocator is slow at.
#[cfg(feature = "jemalloc")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    perfreg::cli::main()
}
