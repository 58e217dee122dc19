//! Points in time to come, as people write them on a command line.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, Zoned};

use super::local_time::{self, date_and_time};
use crate::clock;
use crate::present::time::length;

/// A time with its zone, how far off it is, such as `2h`, or a time of the day here, such as `16:00`.
pub fn point_in_time(text: &str) -> Result<Timestamp, String> {
    let now = clock::now().to_zoned(TimeZone::system());
    after(text.trim(), &now)
}

fn after(text: &str, now: &Zoned) -> Result<Timestamp, String> {
    let time = text
        .parse()
        .ok()
        .or_else(|| time_of_day(text, now))
        .or_else(|| date_and_time(text, now))
        .or_else(|| from_now(text, now))
        .ok_or_else(|| {
            format!(
                "{text:?} is no time; give how far off it is such as 2h, a time of the day such as 16:00, a day and a time \
                 such as \"2026-11-30 16:00\", or one with its zone such as 2026-11-30T16:00:00Z"
            )
        })?;
    if time <= now.timestamp() {
        return Err(format!("{text:?} is over; give a time to come, such as 2h or 16:00"));
    }
    Ok(time)
}

/// The next time that clocks here show it.
fn time_of_day(text: &str, now: &Zoned) -> Option<Timestamp> {
    let days = [now.date(), now.date().tomorrow().ok()?];
    local_time::time_of_day(text, days, now).find(|at| *at > now.timestamp())
}

fn from_now(text: &str, now: &Zoned) -> Option<Timestamp> {
    let length = length(text).filter(|length| *length >= SignedDuration::ZERO)?;
    now.timestamp().checked_add(length).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<String, String> {
        let zone = TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").expect("a zone");
        let now: Timestamp = "2026-11-28T12:00:00Z".parse().expect("a time");
        after(text, &now.to_zoned(zone)).map(|time| time.to_string())
    }

    #[test]
    fn points_in_time_to_come_are_read_as_people_write_them() {
        for (text, expected) in [
            ("2h", "2026-11-28T14:00:00Z"),
            ("1d 2h", "2026-11-29T14:00:00Z"),
            ("90s", "2026-11-28T12:01:30Z"),
            ("16:00", "2026-11-28T15:00:00Z"),
            ("13:00:01", "2026-11-28T12:00:01Z"),
            ("13:00", "2026-11-29T12:00:00Z"),
            ("08:30", "2026-11-29T07:30:00Z"),
            ("2026-11-30 16:00", "2026-11-30T15:00:00Z"),
            ("2026-11-30T16:00", "2026-11-30T15:00:00Z"),
            ("2026-11-30T16:00:00Z", "2026-11-30T16:00:00Z"),
            ("2026-11-30 16:00:00+02:00", "2026-11-30T14:00:00Z"),
        ] {
            assert_eq!(read(text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_time_is_refused_with_examples_and_what_is_over_as_such() {
        for text in [
            "",
            "soon",
            "tomorrow",
            "4pm",
            "25:00",
            "2026-11-30",
            "7",
            "-2h",
            "2h ago",
            "1mo",
            "1y",
            "16",
            "9999999999w",
        ] {
            let error = read(text).expect_err(text);
            assert!(error.contains("is no time; give how far off it is such as 2h"), "{error}");
        }
        for text in ["2026-11-28T12:00:00Z", "2026-11-28 13:00", "2020-01-01T00:00:00Z", "0s"] {
            let error = read(text).expect_err(text);
            assert!(error.contains("is over; give a time to come"), "{error}");
        }
    }
}
