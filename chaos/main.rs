//! Breaks servers and their database again and again under load, and judges whether every promise was kept.
//!
//! `chaos/run` builds and installs what it needs and starts this. The clients and what they do are in
//! `stories.rs`, what is broken in `faults.rs`, and what is proven by it in `check/`.

mod answers;
mod bugs;
mod caller;
mod check;
mod failover;
mod faults;
mod gone;
mod keepers;
mod options;
mod postgres;
mod proxy;
mod replica;
mod report;
mod run;
mod saved;
mod shim;
#[path = "../bench/stop.rs"]
mod stop;
mod stories;
mod world;

use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;

use options::Options;

#[tokio::main]
async fn main() -> ExitCode {
    if !std::env::args().any(|argument| argument == "--bench") {
        // `cargo test --all-targets` only wants to know that it still compiles.
        return ExitCode::SUCCESS;
    }
    // Whatever was started ends when it is dropped, also after Ctrl-C.
    let done = tokio::select! {
        done = judge(Options::parse()) => done,
        () = stop::told_to_stop() => Err(anyhow::anyhow!("interrupted")),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("chaos/run: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Whether all is as it should be.
async fn judge(options: Options) -> Result<bool> {
    match &options.seeded_bug {
        Some(name) => bugs::catch(&options, name).await,
        None => Ok(run::run(&options, world::Weights::ORDINARY, None).await?.is_kept),
    }
}
