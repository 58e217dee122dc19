//! Points in time that are over, as people write them on a command line.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

use super::local_time::{self, date_and_time};
use crate::client::ClientError;
use crate::clock;
use crate::present::time::length;

/// A time with its zone, a date in UTC, a time of the day here, such as `14:03`, or how long ago it was, such as `3d`.
pub fn point_in_time(text: &str) -> Result<Timestamp, String> {
    before(text, &clock::now().to_zoned(TimeZone::system()))
}

/// Whether there is any time between the two; `14:05` may be yesterday's while `14:03` is today's.
pub fn in_order(from: Option<Timestamp>, to: Option<Timestamp>) -> Result<(), ClientError> {
    match (from, to) {
        (Some(from), Some(to)) if from > to => Err(ClientError::Options(format!(
            "--from is {from:.0}, which is after --to, {to:.0}; give an earlier --from, or a later --to"
        ))),
        _ => Ok(()),
    }
}

fn before(text: &str, now: &Zoned) -> Result<Timestamp, String> {
    let text = text.trim();
    let midnight = |date: Date| date.to_zoned(TimeZone::UTC).map(|zoned| zoned.timestamp()).ok();
    // A date is also read from a time without a zone, whose hours would be lost.
    let is_date = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
    let date = || text.parse().ok().filter(|_| is_date).and_then(midnight);
    let time = text.parse().ok().or_else(date);
    let time = time.or_else(|| time_of_day(text, now)).or_else(|| date_and_time(text, now));
    time.or_else(|| ago(text, now.timestamp())).ok_or_else(|| {
        format!(
            "{text:?} is no time; give one with its zone such as 2026-11-22T14:03:00Z, a time of the day such as 14:03, a day \
             and a time such as \"2026-11-22 14:03\", a date such as 2026-11-22, or how long ago, such as 3d or 2h"
        )
    })
}

/// The last time that clocks here showed it.
fn time_of_day(text: &str, now: &Zoned) -> Option<Timestamp> {
    let days = [now.date(), now.date().yesterday().ok()?];
    local_time::time_of_day(text, days, now).find(|at| *at <= now.timestamp())
}

fn ago(text: &str, now: Timestamp) -> Option<Timestamp> {
    now.checked_sub(length(text)?.abs()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<String, String> {
        let zone = TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").expect("a zone");
        let now: Timestamp = "2026-11-28T12:00:00Z".parse().expect("a time");
        before(text, &now.to_zoned(zone)).map(|time| time.to_string())
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
            ("12:03", "2026-11-28T11:03:00Z"),
            ("13:00", "2026-11-28T12:00:00Z"),
            ("13:00:01", "2026-11-27T12:00:01Z"),
            ("23:59", "2026-11-27T22:59:00Z"),
            ("2026-10-22 14:03", "2026-10-22T12:03:00Z"),
            ("2026-11-22T14:03:00", "2026-11-22T13:03:00Z"),
        ] {
            assert_eq!(read(text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_point_in_time_is_refused_with_examples() {
        for text in ["", "yesterday", "25:00", "2pm", "14", "7", "-5", "1mo", "1y", "2026-13-01", "9999999999w"] {
            let error = read(text).expect_err(text);
            assert!(error.contains("a date such as 2026-11-22, or how long ago, such as 3d or 2h"), "{error}");
        }
    }

    #[test]
    fn two_times_have_something_between_them() {
        let time = |text: &str| Some(before(text, &Zoned::default()).expect("a time"));
        assert!(in_order(time("2026-11-22"), time("2026-11-22")).is_ok() && in_order(None, time("2026-11-22")).is_ok());
        let error = in_order(time("2026-11-23"), time("2026-11-22")).expect_err("nothing is between");
        assert!(error.to_string().starts_with("--from is 2026-11-23T00:00:00Z, which is after --to"), "{error}");
    }
}
