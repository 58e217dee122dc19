//! Durations as people write them on a command line.

use std::ops::RangeInclusive;

use jiff::{SignedDuration, Timestamp};

use crate::present::time::{duration_text, length};

/// Whole seconds from `90s`, `10m`, `1h 30m`, or a plain number of seconds.
pub fn seconds(text: &str) -> Result<u32, String> {
    let wrong = || format!("{text:?} is no duration; give one such as 90s, 10m, 2h, or a number of seconds");
    if let Ok(seconds) = text.parse() {
        return Ok(seconds);
    }
    let duration = length(text).filter(|duration| duration.subsec_nanos() == 0).ok_or_else(wrong)?;
    u32::try_from(duration.as_secs()).map_err(|_| wrong())
}

/// The pause between two heartbeats, as the registry takes it.
pub fn lease(text: &str) -> Result<u32, String> {
    within(text, 10..=3_600, "10s to 1h")
}

/// For how long a test may wait.
pub fn wait(text: &str) -> Result<u32, String> {
    within(text, 0..=86_400, "0s to 24h")
}

/// For how long a test may be expected to run.
pub fn expected(text: &str) -> Result<u32, String> {
    within(text, 1..=604_800, "1s to 7d")
}

fn within(text: &str, range: RangeInclusive<u32>, in_words: &str) -> Result<u32, String> {
    let seconds = seconds(text)?;
    if range.contains(&seconds) { Ok(seconds) } else { Err(format!("it must be from {in_words}")) }
}

/// As [`seconds`], where none at all would mean nothing.
pub fn at_least_a_second(text: &str) -> Result<u32, String> {
    match seconds(text)? {
        0 => Err("it must be at least 1s".to_owned()),
        seconds => Ok(seconds),
    }
}

/// A time to its second, in UTC: `2026-11-22 14:03:00Z`.
pub fn exact(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d %H:%M:%SZ").to_string()
}

/// How far a time is from now: `in 12m`, `3h ago`, and its date if it is more than a week ago.
pub fn relative(time: Timestamp, now: Timestamp) -> String {
    const WEEK: SignedDuration = SignedDuration::from_hours(7 * 24);
    let age = now.duration_since(time);
    match age {
        age if age.is_negative() => format!("in {}", duration_text(-age)),
        age if age > WEEK => time.strftime("%Y-%m-%d").to_string(),
        age if age >= WEEK / 7 => format!("{}d ago", age.as_hours() / 24),
        age => format!("{} ago", duration_text(age)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_people_write_them() {
        for (text, expected) in
            [("90", 90), ("90s", 90), ("10m", 600), ("2h", 7200), ("1h30m", 5400), ("1h 30m", 5400), ("1d", 86_400)]
        {
            assert_eq!(seconds(text), Ok(expected), "{text}");
        }
        for text in ["", "soon", "-5", "-5s", "2.5", "500ms", "200 years"] {
            let error = seconds(text).expect_err(text);
            assert!(error.contains("give one such as 90s"), "{error}");
        }
    }

    #[test]
    fn a_time_is_told_from_now() {
        let now: Timestamp = "2026-11-22T14:20:00Z".parse().expect("a time");
        for (time, expected) in [
            ("2026-11-22T14:32:00Z", "in 12m"),
            ("2026-11-22T14:20:00Z", "0s ago"),
            ("2026-11-22T11:20:00Z", "3h ago"),
            ("2026-11-21T14:20:00Z", "1d ago"),
            ("2026-11-01T14:20:00Z", "2026-11-01"),
        ] {
            assert_eq!(relative(time.parse().expect("a time"), now), expected);
        }
    }

    #[test]
    fn what_the_registry_would_refuse_is_refused_with_what_it_takes() {
        assert_eq!(lease("5s"), Err("it must be from 10s to 1h".to_owned()));
        assert_eq!((lease("10s"), lease("1h"), lease("3601").is_err()), (Ok(10), Ok(3_600), true));
        assert_eq!((wait("24h"), wait("1d"), wait("2d").is_err()), (Ok(86_400), Ok(86_400), true));
        assert_eq!((expected("7d"), expected("0s").is_err(), expected("169h").is_err()), (Ok(604_800), true, true));
    }
}
