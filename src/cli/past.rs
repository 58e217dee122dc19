//! Points in time that are over, as people write them on a command line.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::duration;
use crate::clock;

/// A time with its zone, a date in UTC, or how long ago it was, such as `3d` or `2h`.
pub fn point_in_time(text: &str) -> Result<Timestamp, String> {
    before(text, clock::now())
}

fn before(text: &str, now: Timestamp) -> Result<Timestamp, String> {
    let text = text.trim();
    let midnight = |date: Date| date.to_zoned(TimeZone::UTC).map(|zoned| zoned.timestamp()).ok();
    // A date is also read from a time without a zone, whose hours would be lost.
    let is_date = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
    let date = || text.parse().ok().filter(|_| is_date).and_then(midnight);
    text.parse().ok().or_else(date).or_else(|| ago(text, now)).ok_or_else(|| {
        format!(
            "{text:?} is no time; give one with its zone such as 2026-11-22T14:03:00Z, a date such as 2026-11-22, or how long \
             ago, such as 3d or 2h"
        )
    })
}

fn ago(text: &str, now: Timestamp) -> Option<Timestamp> {
    now.checked_sub(duration::length(text)?.abs()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<String, String> {
        before(text, "2026-11-28T12:00:00Z".parse().expect("a time")).map(|time| time.to_string())
    }

    #[test]
    fn points_in_time_are_read_as_people_write_them() {
        for (text, expected) in [
            ("2026-11-22T14:03:00Z", "2026-11-22T14:03:00Z"),
            ("2026-11-22 15:03:00.5+01:00", "2026-11-22T14:03:00.5Z"),
            ("2026-11-22", "2026-11-22T00:00:00Z"),
            ("3d", "2026-11-25T12:00:00Z"),
            ("1w", "2026-11-21T12:00:00Z"),
            ("2h", "2026-11-28T10:00:00Z"),
            ("1d 2h ago", "2026-11-27T10:00:00Z"),
            (" 90s ", "2026-11-28T11:58:30Z"),
            ("0s", "2026-11-28T12:00:00Z"),
        ] {
            assert_eq!(read(text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_point_in_time_is_refused_with_examples() {
        for text in ["", "yesterday", "2026-11-22T14:03:00", "7", "-5", "1mo", "1y", "2026-13-01", "9999999999w"] {
            let error = read(text).expect_err(text);
            assert!(error.contains("a date such as 2026-11-22, or how long ago, such as 3d or 2h"), "{error}");
        }
    }
}
