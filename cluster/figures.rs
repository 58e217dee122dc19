//! What was measured, beside what has to hold.

use std::fmt;
use std::time::Duration;

use comfy_table::Table;
use comfy_table::presets::ASCII_MARKDOWN;

use crate::judge::Verdict;
use crate::scenario::Scenario;

/// After a promotion somebody has to be admitted within this time.
const LONGEST_AFTER_PROMOTION: Duration = Duration::from_secs(3);

pub struct Figures {
    pub scenario: Scenario,
    /// The longest time in which nothing was admitted.
    pub gap: Duration,
    /// How long after the fault another node took writes.
    pub promoted: Option<Duration>,
    /// How long after that somebody was admitted.
    pub after_promotion: Option<Duration>,
    /// The longest that anybody waited who asked after the fault, all retries included.
    pub slowest: Duration,
    pub admitted: usize,
    /// What the servers on the side that was cut off admitted while it was.
    pub cut_off: usize,
    pub expired: usize,
    pub surprises: usize,
    pub verdict: Verdict,
}

impl Figures {
    /// What falls short of the goal.
    pub fn failures(&self) -> Vec<String> {
        let mut failures = Vec::new();
        let mut expect = |holds: bool, what: String| {
            if !holds {
                failures.push(what);
            }
        };
        let is_synchronous = self.scenario.is_synchronous();
        expect(self.gap <= self.scenario.longest_gap(), format!("nothing was admitted for {:.1?}", self.gap));
        if self.scenario == Scenario::ServerKilled {
            expect(self.slowest <= self.scenario.longest_gap(), format!("somebody waited for {:.1?}", self.slowest));
        }
        if let Some(after) = self.after_promotion {
            expect(after <= LONGEST_AFTER_PROMOTION, format!("it took {after:.1?} after the promotion"));
        }
        expect(self.verdict.lost == 0 || !is_synchronous, format!("{} are lost", self.verdict.lost));
        expect(self.verdict.repeated == 0, format!("{} numbers are given twice", self.verdict.repeated));
        expect(self.verdict.wrong_rows == 0, format!("{} locations' rows are wrong", self.verdict.wrong_rows));
        expect(self.cut_off == 0 || !is_synchronous, format!("{} were admitted on the wrong side", self.cut_off));
        expect(self.expired == 0, format!("{} live leases have ended", self.expired));
        expect(self.surprises == 0, format!("{} answers make no sense", self.surprises));
        failures
    }

    fn cells(&self) -> Vec<String> {
        let seconds = |time: Duration| format!("{:.2} s", time.as_secs_f64());
        let perhaps = |time: Option<Duration>| time.map_or_else(|| "-".to_owned(), seconds);
        let failures = self.failures();
        vec![
            self.scenario.name(),
            seconds(self.gap),
            perhaps(self.promoted),
            perhaps(self.after_promotion),
            seconds(self.slowest),
            self.admitted.to_string(),
            self.verdict.lost.to_string(),
            self.verdict.repeated.to_string(),
            self.expired.to_string(),
            self.verdict.taken_back.to_string(),
            if failures.is_empty() { "holds".to_owned() } else { failures.join(", ") },
        ]
    }
}

const HEADINGS: [&str; 11] = [
    "scenario",
    "nothing admitted for",
    "promoted after",
    "admitting after that",
    "slowest call",
    "admitted",
    "lost",
    "repeated",
    "leases ended",
    "taken back",
    "goal",
];

impl fmt::Display for Figures {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pairs: Vec<String> =
            HEADINGS.iter().zip(self.cells()).map(|(heading, cell)| format!("{heading}: {cell}")).collect();
        formatter.write_str(&pairs.join("; "))
    }
}

pub fn table(rounds: &[Figures]) -> Table {
    let mut table = Table::new();
    table.load_style(ASCII_MARKDOWN).set_header(HEADINGS);
    for figures in rounds {
        table.add_row(figures.cells());
    }
    table
}
