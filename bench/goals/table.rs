//! What a scenario reports, and where it is published.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::sizes::Sizes;
use crate::statistics::{Spread, number};
use crate::{SCENARIOS, database};

/// What a scenario measured.
#[derive(Debug, Default)]
pub struct Report {
    pub rows: Vec<Row>,
    /// Markdown that is published below the table.
    pub details: Option<String>,
}

/// A row of the table.
#[derive(Debug)]
pub struct Row {
    pub what: String,
    pub goal: String,
    pub measured: String,
    /// Nothing where there is no goal.
    pub is_reached: Option<bool>,
}

impl Row {
    /// A median that has to be this or more.
    pub fn at_least(what: impl Into<String>, goal: f64, unit: &str, measured: &Spread, more: &str) -> Self {
        let goal_text = format!("≥ {}{unit}", number_of_goal(goal));
        Self::new(what, goal_text, unit, measured, more, Some(measured.median >= goal))
    }

    /// A median that has to be this or less.
    pub fn at_most(what: impl Into<String>, goal: f64, unit: &str, measured: &Spread, more: &str) -> Self {
        let goal_text = format!("≤ {}{unit}", number_of_goal(goal));
        Self::new(what, goal_text, unit, measured, more, Some(measured.median <= goal))
    }

    /// What is only told.
    pub fn told(what: impl Into<String>, unit: &str, measured: &Spread, more: &str) -> Self {
        Self::new(what, String::new(), unit, measured, more, None)
    }

    /// Not reached unless this holds as well.
    #[must_use]
    pub fn only_if(mut self, holds: bool) -> Self {
        self.is_reached = self.is_reached.map(|is_reached| is_reached && holds);
        self
    }

    fn new(
        what: impl Into<String>,
        goal: String,
        unit: &str,
        measured: &Spread,
        more: &str,
        is_reached: Option<bool>,
    ) -> Self {
        let separator = if more.is_empty() { "" } else { "; " };
        Self { what: what.into(), goal, measured: format!("{measured}{unit}{separator}{more}"), is_reached }
    }

    fn line(&self, scenario: &str, commit: &str) -> String {
        let Self { what, goal, measured, is_reached } = self;
        let verdict = match is_reached {
            Some(true) => "yes",
            Some(false) => "**no**",
            None => "",
        };
        format!("| `{scenario}` | {what} | {goal} | {measured} | {verdict} | {commit} |\n")
    }
}

fn number_of_goal(goal: f64) -> String {
    if goal.fract() == 0.0 { format!("{goal:.0}") } else { number(goal).trim_end_matches('0').to_owned() }
}

impl Report {
    pub fn text(&self, scenario: &str) -> String {
        let mut text: String = self.rows.iter().map(|row| row.line(scenario, "")).collect();
        if let Some(details) = &self.details {
            let _ = write!(text, "\n{details}");
        }
        text
    }
}

const HEAD: &str =
    "| scenario | what | goal | measured: median (least to most) | reached | commit |\n|---|---|---|---|---|---|\n";

/// Puts what was measured between the marks in docs/evidence/performance.md. Rows of other scenarios stay.
pub fn write(scenario: &str, report: &Report, sizes: &Sizes, commit: &str) -> Result<()> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/evidence/performance.md");
    let mut document = fs::read_to_string(&path)?;
    let published = between(&document, "goals")?;
    let mut table = format!("{}\n\n{HEAD}", machine(sizes)?);
    for name in SCENARIOS {
        if name == scenario {
            table.extend(report.rows.iter().map(|row| row.line(scenario, commit)));
        } else {
            let begin = format!("| `{name}` |");
            let kept = published.lines().filter(|line| line.starts_with(&begin));
            kept.for_each(|line| table.extend([line, "\n"]));
        }
    }
    document = replace(&document, "goals", &table)?;
    if let Some(details) = &report.details {
        document = replace(&document, scenario, details)?;
    }
    fs::write(&path, document)?;
    Ok(())
}

fn marks(name: &str) -> (String, String) {
    (format!("<!-- {name}: begin -->\n"), format!("<!-- {name}: end -->"))
}

fn between<'document>(document: &'document str, name: &str) -> Result<&'document str> {
    let (begin, end) = marks(name);
    let missing = || format!("the marks {} and {end} are missing", begin.trim_end());
    let (_, rest) = document.split_once(&begin).with_context(missing)?;
    rest.split_once(&end).map(|(between, _)| between).with_context(missing)
}

fn replace(document: &str, name: &str, text: &str) -> Result<String> {
    let (begin, end) = marks(name);
    let old = format!("{begin}{}{end}", between(document, name)?);
    Ok(document.replacen(&old, &format!("{begin}{}\n{end}", text.trim_end()), 1))
}

/// Where, with what, and how often it was measured.
fn machine(sizes: &Sizes) -> Result<String> {
    let processors = fs::read_to_string("/proc/cpuinfo")?;
    let field = |line: &str| line.split_once(": ").map(|(_, value)| value.to_owned());
    let model = processors.lines().filter(|line| line.starts_with("model name")).find_map(field);
    let cores = processors.lines().filter(|line| line.starts_with("processor")).count();
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease")?;
    Ok(format!(
        "{cores} cores of {}, Linux {}, PostgreSQL {}, SQLite {}; rounds in the last run: {}, of {} s.",
        model.unwrap_or_else(|| "an unknown processor".to_owned()),
        kernel.trim(),
        database::postgres_version()?,
        rusqlite::version(),
        sizes.rounds,
        sizes.load.as_secs()
    ))
}

/// The one that is checked out, and whether anything was changed since.
pub fn commit() -> Result<String> {
    let described = Command::new("git").args(["describe", "--always", "--dirty", "--exclude=*"]).output();
    let described = described.context("cannot ask git for the commit")?;
    ensure!(described.status.success(), "git does not know the commit: {}", String::from_utf8_lossy(&described.stderr));
    Ok(String::from_utf8_lossy(&described.stdout).trim().to_owned())
}
