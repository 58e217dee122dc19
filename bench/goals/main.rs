//! Measures the service against its goals and writes the table in `docs/evidence/performance.md`.
//!
//! `bench/run` builds and installs what it needs and starts this beside a PostgreSQL of its own.
//! One module a scenario; each gives the rows of the table that it measured.

mod alone;
mod browse;
mod connection;
mod database;
mod export;
mod fill;
mod footprint;
mod handover;
mod hot;
mod leases;
mod load;
mod mixed;
mod pages;
mod pgbench;
mod process;
mod server;
mod sizes;
mod spread;
mod statistics;
#[path = "../stop.rs"]
mod stop;
mod table;
mod watchers;

use std::process::ExitCode;

use anyhow::{Context, Result, bail, ensure};
use clap::Parser;

use sizes::Sizes;
use table::Report;

/// What can be measured, in the order of the table.
const SCENARIOS: [&str; 11] =
    ["hot", "alone", "spread", "mixed", "leases", "browse", "export", "pages", "watchers", "footprint", "handover"];

/// Measures the service against its goals, and writes the table in docs/evidence/performance.md.
#[derive(Parser)]
#[command(name = "bench/run", bin_name = "bench/run")]
struct Options {
    /// Scenarios to measure; all of them unless given. Only their rows of the table are replaced.
    names: Vec<String>,
    /// Sizes that only show that everything still works; writes no table.
    #[arg(long)]
    quick: bool,
    /// Prints the rows, and leaves docs/evidence/performance.md as it is.
    #[arg(long)]
    print: bool,
    /// How often everything is measured.
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u16).range(1..))]
    rounds: Option<u16>,
    /// Executions in the large database of `browse`.
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u64).range(10_000..))]
    rows: Option<u64>,
    /// Comes from cargo.
    #[arg(long, hide = true)]
    bench: bool,
}

impl Options {
    fn sizes(&self) -> Sizes {
        let mut sizes = if self.quick { Sizes::quick() } else { Sizes::full() };
        sizes.rounds = self.rounds.map_or(sizes.rounds, usize::from);
        sizes.large_rows = self.rows.unwrap_or(sizes.large_rows);
        sizes
    }

    fn scenarios(&self) -> Result<Vec<&'static str>> {
        if let Some(unknown) = self.names.iter().find(|name| !SCENARIOS.contains(&name.as_str())) {
            bail!("there is no scenario {unknown}; there are {}", SCENARIOS.join(", "));
        }
        let is_wanted = |name: &&str| self.names.is_empty() || self.names.iter().any(|wanted| wanted == name);
        Ok(SCENARIOS.into_iter().filter(is_wanted).collect())
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    if !std::env::args().any(|argument| argument == "--bench") {
        // `cargo test --all-targets` only wants to know that it still compiles.
        return ExitCode::SUCCESS;
    }
    // Whatever was started ends when it is dropped, also after Ctrl-C.
    let measured = tokio::select! {
        measured = measure(Options::parse()) => measured,
        () = stop::told_to_stop() => Err(anyhow::anyhow!("stopped")),
    };
    match measured {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench/run: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn measure(options: Options) -> Result<()> {
    let (sizes, names) = (options.sizes(), options.scenarios()?);
    process::allow_many_files()?;
    // Asked before anything is written, after which it is another.
    let commit = table::commit()?;
    let mut failed = Vec::new();
    for name in names {
        eprintln!("\n== {name}");
        // One that fails does not take with it what the others measure for hours.
        match run(name, &sizes).await {
            Ok(report) => {
                println!("{}", report.text(name));
                if !options.quick && !options.print {
                    table::write(name, &report, &sizes, &commit)
                        .context("cannot write docs/evidence/performance.md")?;
                }
            }
            Err(error) => {
                eprintln!("bench/run: cannot measure {name}: {error:#}");
                failed.push(name);
            }
        }
    }
    ensure!(failed.is_empty(), "not measured: {}", failed.join(", "));
    Ok(())
}

async fn run(name: &str, sizes: &Sizes) -> Result<Report> {
    match name {
        "hot" => hot::measure(sizes).await,
        "alone" => alone::measure(sizes).await,
        "spread" => spread::measure(sizes).await,
        "mixed" => mixed::measure(sizes).await,
        "leases" => leases::measure(sizes).await,
        "browse" => browse::measure(sizes).await,
        "export" => export::measure(sizes).await,
        "pages" => pages::measure(sizes).await,
        "watchers" => watchers::measure(sizes).await,
        "footprint" => footprint::measure(sizes).await,
        "handover" => handover::measure(sizes).await,
        other => bail!("there is no scenario {other}"),
    }
}
