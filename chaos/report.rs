//! What a person is told in the end, and what is left for them to look at.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufWriter, Write};
use std::path::Path;

use anyhow::Result;

use crate::check::lives::{Life, Lives};
use crate::check::{Answer, Evidence, Moment, SECOND, Verdict};

/// So many are printed of each checker.
const MOST_SHOWN: usize = 3;

pub fn summary(evidence: &Evidence, operations: u64, seconds: u64) {
    let lives = Lives::new(evidence);
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for call in &evidence.calls {
        *counts.entry(kind(&call.answer)).or_default() += 1;
    }
    let counts: Vec<String> = counts.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
    println!(
        "\n{operations} operations in {seconds} s, {} faults; {} runs are saved",
        evidence.faults.len(),
        evidence.runs.len()
    );
    println!("calls: {}", counts.join(", "));
    let passed_over = lives.all().iter().flat_map(Life::passed_over).count();
    let happened = |kind: &str| evidence.events.iter().filter(|event| event.what == kind).count();
    let (withdrawn, recovered) = (happened("start_withdrawn"), happened("recovered"));
    println!(
        "{withdrawn} starts were withdrawn, {passed_over} waiters were passed over, \
         {recovered} waiters and runs were heard of again\n"
    );
}

const fn kind(answer: &Answer) -> &'static str {
    match answer {
        Answer::Unknown => "unknown",
        Answer::HungUp => "hung up",
        Answer::Unavailable => "unavailable",
        Answer::Running { .. } => "running",
        Answer::Queued { .. } => "queued",
        Answer::Refused(_) => "refused",
        Answer::Ended { .. } => "ended",
        Answer::EndedOtherwise { .. } => "ended otherwise",
        Answer::Stopping => "stopping",
        Answer::NotStarted => "not started",
        Answer::WrongToken => "wrong token",
        Answer::NotFound => "not found",
        Answer::GateSet => "gates set",
        Answer::Unexpected(_) => "unexpected",
    }
}

/// Prints the verdicts; gives whether every promise was kept.
pub fn verdicts(verdicts: &[Verdict]) -> bool {
    for verdict in verdicts {
        let word = if verdict.violations.is_empty() { "ok" } else { "BROKEN" };
        println!("{word:>7}  {:<34} {:>9} judged", verdict.checker, verdict.judged);
        for violation in verdict.violations.iter().take(MOST_SHOWN) {
            let text = violation.to_string();
            println!("         {}", text.chars().take(1_200).collect::<String>());
        }
        if verdict.violations.len() > MOST_SHOWN {
            println!("         and {} more", verdict.violations.len() - MOST_SHOWN);
        }
    }
    verdicts.iter().all(|verdict| verdict.violations.is_empty())
}

/// Writes all violations down, with what everybody did there at the time.
pub fn keep(directory: &Path, evidence: &Evidence, verdicts: &[Verdict]) -> Result<()> {
    let mut file = BufWriter::new(fs::File::create(directory.join("violations.txt"))?);
    for verdict in verdicts {
        for violation in verdict.violations.iter().take(100) {
            writeln!(file, "{}: {violation}", verdict.checker)?;
        }
        for violation in verdict.violations.iter().take(MOST_SHOWN) {
            writeln!(file, "\n{}: {violation}\nfaults meanwhile:", verdict.checker)?;
            let (begin, end) = (violation.at - 5 * SECOND, violation.at + 10 * SECOND);
            for fault in evidence.faults.iter().filter(|fault| fault.end >= begin && fault.begin <= end) {
                writeln!(file, "  {} us to {} us: {}", fault.begin, fault.end, fault.what)?;
            }
            writeln!(file, "calls at this location meanwhile:")?;
            let meanwhile = |sent: Moment, answered: Moment| answered >= begin && sent <= end;
            let here = evidence.calls.iter().filter(|call| call.location == violation.location);
            for call in here.filter(|call| meanwhile(call.sent, call.answered)) {
                writeln!(file, "  {call:?}")?;
            }
            writeln!(file, "runs there meanwhile:")?;
            let here = evidence.runs.iter().filter(|run| run.location == violation.location);
            for run in here.filter(|run| meanwhile(run.queued.unwrap_or(run.start), run.end.unwrap_or(Moment::MAX))) {
                writeln!(file, "  {run:?}")?;
            }
        }
    }
    Ok(file.flush()?)
}
