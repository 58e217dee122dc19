//! Breaks a cluster under load, and measures how long nothing starts and whether anything is lost.
//!
//! `cluster/run test` starts the cluster, and this inside its network. What is broken, and what has
//! to hold then, is in `scenario.rs`.

mod client;
mod evidence;
mod figures;
mod judge;
mod load;
mod nodes;
mod scenario;
#[path = "../bench/stop.rs"]
mod stop;
mod witness;

use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::{Parser, ValueEnum};

use figures::Figures;
use nodes::Nodes;
use scenario::Scenario;

/// Breaks a cluster under load, and measures how long nothing starts and whether anything is lost.
#[derive(Parser)]
#[command(name = "cluster/run test", bin_name = "cluster/run test")]
struct Options {
    /// What is done to the cluster; all of it unless given.
    #[arg(value_enum)]
    scenarios: Vec<Scenario>,
    /// How often everything is done.
    #[arg(long, value_name = "COUNT", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..))]
    rounds: u16,
    /// Registers at this server for as long as it lives, and prints what was admitted.
    #[arg(long, hide = true, value_name = "URL")]
    witness: Option<String>,
    /// Comes from cargo.
    #[arg(long, hide = true)]
    bench: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    if !std::env::args().any(|argument| argument == "--bench") {
        // `cargo test --all-targets` only wants to know that it still compiles.
        return ExitCode::SUCCESS;
    }
    let options = Options::parse();
    if let Some(url) = options.witness {
        witness::watch(&url).await;
        return ExitCode::SUCCESS;
    }
    let tested = tokio::select! {
        tested = test(options) => tested,
        () = stop::told_to_stop() => Err(anyhow::anyhow!("stopped")),
    };
    match tested {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("cluster/run test: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn test(options: Options) -> Result<()> {
    let nodes = Nodes::new();
    let scenarios = if options.scenarios.is_empty() { Scenario::value_variants() } else { &options.scenarios };
    let mut rounds: Vec<Figures> = Vec::new();
    for round in 1..=options.rounds {
        for scenario in scenarios {
            let figures = scenario.run(&nodes).await?;
            println!("round {round}: {figures}");
            rounds.push(figures);
        }
    }
    println!("\n{}", figures::table(&rounds));
    let failed = rounds.iter().filter(|figures| !figures.failures().is_empty()).count();
    if failed > 0 {
        bail!("{failed} of {} fall short", rounds.len());
    }
    Ok(())
}
