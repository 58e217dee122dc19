//! Medians, percentiles, and how they are written.

use std::fmt;
use std::time::{Duration, Instant};

/// What several rounds gave.
#[derive(Clone, Debug)]
pub struct Spread {
    pub least: f64,
    pub median: f64,
    pub most: f64,
}

impl Spread {
    /// # Panics
    /// If there was no round.
    pub fn of(mut values: Vec<f64>) -> Self {
        values.sort_unstable_by(f64::total_cmp);
        let [least, .., most] = values[..] else { return Self::same(values[0]) };
        let (half, is_odd) = (values.len() / 2, values.len() % 2 == 1);
        let median = if is_odd { values[half] } else { f64::midpoint(values[half - 1], values[half]) };
        Self { least, median, most }
    }

    const fn same(value: f64) -> Self {
        Self { least: value, median: value, most: value }
    }

    /// What is divided here was measured in the same round.
    pub fn of_ratios(above: &[f64], below: &[f64]) -> Self {
        Self::of(above.iter().zip(below).map(|(above, below)| above / below).collect())
    }
}

/// The median, and in brackets the least and the most.
impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&number(self.median))?;
        let (least, most) = (number(self.least), number(self.most));
        if least == most { Ok(()) } else { write!(f, " ({least} to {most})") }
    }
}

/// Three digits that count, or all before the point, in groups of three.
pub fn number(value: f64) -> String {
    if value.abs() >= 1_000.0 {
        let digits = format!("{value:.0}");
        let (sign, digits) = digits.strip_prefix('-').map_or(("", digits.as_str()), |digits| ("-", digits));
        let groups: Vec<&str> =
            digits.as_bytes().rchunks(3).rev().map(|group| std::str::from_utf8(group).unwrap_or_default()).collect();
        return format!("{sign}{}", groups.join(","));
    }
    let decimals = match value.abs() {
        at_least if at_least >= 100.0 => 0,
        at_least if at_least >= 10.0 => 1,
        _ => 2,
    };
    format!("{value:.decimals$}")
}

/// Times of calls, in milliseconds.
#[derive(Clone, Debug, Default)]
pub struct Times(Vec<f64>);

impl Times {
    pub fn add(&mut self, time: Duration) {
        self.0.push(milliseconds(time));
    }

    pub fn add_since(&mut self, start: Instant) {
        self.add(start.elapsed());
    }

    pub fn add_all(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    pub const fn count(&self) -> usize {
        self.0.len()
    }

    /// # Panics
    /// If there is none.
    pub fn percentile(&mut self, percent: usize) -> f64 {
        self.0.sort_unstable_by(f64::total_cmp);
        self.0[(self.0.len() * percent).div_ceil(100).max(1) - 1]
    }
}

impl FromIterator<Duration> for Times {
    fn from_iter<T: IntoIterator<Item = Duration>>(times: T) -> Self {
        Self(times.into_iter().map(milliseconds).collect())
    }
}

pub fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}

/// Counts here stay far below 2^32.
pub fn count(number: usize) -> f64 {
    f64::from(u32::try_from(number).unwrap_or(u32::MAX))
}
