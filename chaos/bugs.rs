//! Bugs that were put into the product on purpose, each behind a name, and what brings them out.

use anyhow::{Result, bail};

use crate::options::Options;
use crate::run::{Finished, run};
use crate::world::Weights;

/// A bug, and the kind of run that finds it.
struct Bug {
    name: &'static str,
    /// Nothing unless they are needed.
    faults: &'static str,
    seconds: u64,
    locations: u16,
    weights: Weights,
}

/// A run of a few busy locations without faults.
const BUSY: Bug = Bug { name: "", faults: "none", seconds: 10, locations: 4, weights: Weights::ORDINARY };
const LEASED: Weights =
    Weights { plain: 200, keyed: 50, forgotten: 400, most_forgotten: 6, gates: false, ..Weights::ORDINARY };
const KEYED: Weights =
    Weights { plain: 50, keyed: 600, twin: 300, waiting: 0, leased: 50, forgotten: 0, ..Weights::ORDINARY };
const WAITING: Weights =
    Weights { plain: 100, keyed: 0, twin: 0, waiting: 600, forgotten: 0, gates: false, ..Weights::ORDINARY };
const GONE: Weights = Weights { killed: 40, stalled: 400, gates: false, ..Weights::ORDINARY };

const BUGS: &[Bug] = &[
    Bug { name: "sum-before-lock", ..BUSY },
    Bug { name: "sum-repeatable-read", ..BUSY },
    Bug { name: "fence-unchecked", seconds: 35, weights: LEASED, ..BUSY },
    Bug { name: "expiry-by-server-clock", faults: "wrong-clock", seconds: 25, weights: LEASED, ..BUSY },
    Bug { name: "expiry-by-transaction-start", ..BUSY },
    Bug { name: "double-release", ..BUSY },
    Bug { name: "acknowledgement-before-commit", faults: "kill-database,kill-server", seconds: 25, ..BUSY },
    Bug { name: "acknowledgement-on-warning", faults: "fail-over", seconds: 20, ..BUSY },
    Bug { name: "lost-wake-up", seconds: 25, weights: WAITING, ..BUSY },
    Bug { name: "told-start-withdrawn", seconds: 20, weights: GONE, ..BUSY },
    Bug { name: "float-sums", ..BUSY },
    Bug { name: "batch-ignores-itself", ..BUSY },
    Bug { name: "key-outside-transaction", faults: "kill-server,kill-database", seconds: 25, weights: KEYED, ..BUSY },
    Bug { name: "lost-location-row", ..BUSY },
];

/// Whether the bug, or each of them, was caught.
pub async fn catch(options: &Options, name: &str) -> Result<bool> {
    let wanted: Vec<&str> = name.split(',').collect();
    let known: Vec<&str> = BUGS.iter().map(|bug| bug.name).collect();
    let unknown = wanted.iter().find(|name| **name != "all" && !known.contains(name));
    if let Some(unknown) = unknown {
        bail!("there is no bug {unknown} that this could find; there are {} and all", known.join(", "));
    }
    let bugs = BUGS.iter().filter(|bug| wanted.contains(&"all") || wanted.contains(&bug.name));
    let mut results = Vec::new();
    for bug in bugs {
        println!("\nseeded bug {}", bug.name);
        let begin = std::time::Instant::now();
        let options = Options {
            operations: u64::MAX,
            seconds: bug.seconds,
            faults: bug.faults.split(',').map(str::to_owned).collect(),
            locations: bug.locations,
            clients: 12,
            pause: 2,
            ..options.clone()
        };
        let finished = run(&options, bug.weights, Some(bug.name)).await?;
        results.push((bug.name, result(&finished), begin.elapsed().as_secs()));
    }
    println!();
    for (name, caught, seconds) in &results {
        let word = caught.as_deref().unwrap_or("NOT CAUGHT");
        println!("{name:<32} after {seconds:>2} s: {word}");
    }
    // Each has fewer than sixty seconds of load to show itself; how long starting and judging take is the machine's.
    Ok(results.iter().all(|(_, caught, _)| caught.is_some()))
}

/// Which checker saw it first.
fn result(finished: &Finished) -> Option<String> {
    let first = |verdict: &crate::check::Verdict| {
        Some((verdict.violations.iter().map(|one| one.at).filter(|at| *at > 0).min()?, verdict.checker))
    };
    let (at, checker) = finished.verdicts.iter().filter_map(first).min()?;
    Some(format!("caught by \"{checker}\", of what happened at {}.{:01} s", at / 1_000_000, at % 1_000_000 / 100_000))
}
