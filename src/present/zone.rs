//! Times as people read them: in one zone, which the page names.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::{self, TimeZone};

/// A time zone of the IANA database, such as `Europe/Lisbon`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zone(TimeZone);

/// A time in words, and exactly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShownTime {
    /// RFC 3339, in UTC.
    pub exact: String,
    /// As short as it can be told: `14:32` of today, `23 Nov 14:32` of this year.
    pub text: String,
    /// With the day of the week, the seconds and the zone.
    pub title: String,
}

impl Zone {
    pub const UTC: Self = Self(TimeZone::UTC);

    /// Nothing if there is no such zone. Upper and lower case are the same.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        TimeZone::get(name).ok().map(Self)
    }

    #[must_use]
    pub fn name(&self) -> &str {
        self.0.iana_name().unwrap_or("UTC")
    }

    /// The names of all zones, in the order of the alphabet.
    #[must_use]
    pub fn names() -> Vec<String> {
        let is_place = |name: &String| {
            name.contains('/')
                && !["Etc/", "SystemV/", "posix/", "right/"].iter().any(|folder| name.starts_with(folder))
        };
        let mut names: Vec<String> = tz::db().available().map(|name| name.to_string()).filter(is_place).collect();
        names.push("UTC".to_owned());
        names.sort_unstable();
        names.dedup();
        names
    }

    /// With its day, unless that is the day of `now`.
    #[must_use]
    pub fn time(&self, time: Timestamp, now: Timestamp) -> ShownTime {
        let (day, today) = (self.date(time), self.date(now));
        let format = if day == today {
            "%H:%M"
        } else if day.year() == today.year() {
            "%-d %b %H:%M"
        } else {
            "%-d %b %Y %H:%M"
        };
        self.shown(time, format)
    }

    /// Without its day; for the second of two times, where the first has named it.
    #[must_use]
    pub fn time_after(&self, time: Timestamp, before: Timestamp, now: Timestamp) -> ShownTime {
        if self.date(time) == self.date(before) { self.shown(time, "%H:%M") } else { self.time(time, now) }
    }

    /// As [`Self::time`], to the second.
    #[must_use]
    pub fn time_to_second(&self, time: Timestamp, now: Timestamp) -> ShownTime {
        let (clock, short) = (self.clock(time), self.time(time, now));
        let day = short.text.rsplit_once(' ').map(|(day, _)| format!("{day} ")).unwrap_or_default();
        ShownTime { text: format!("{day}{}", clock.text), ..short }
    }

    /// To the second, without its day.
    #[must_use]
    pub fn clock(&self, time: Timestamp) -> ShownTime {
        self.shown(time, "%H:%M:%S")
    }

    /// Today, Yesterday, or `Mon 23 Nov`.
    #[must_use]
    pub fn day(&self, time: Timestamp, now: Timestamp) -> String {
        let (day, today) = (self.date(time), self.date(now));
        let format = if day.year() == today.year() { "%a %-d %b" } else { "%a %-d %b %Y" };
        if day == today {
            "Today".to_owned()
        } else if day.tomorrow().is_ok_and(|after| after == today) {
            "Yesterday".to_owned()
        } else {
            day.strftime(format).to_string()
        }
    }

    #[must_use]
    pub fn date(&self, time: Timestamp) -> Date {
        self.0.to_datetime(time).date()
    }

    /// The zone itself, for who reads times in it.
    #[must_use]
    pub fn time_zone(&self) -> &TimeZone {
        &self.0
    }

    fn shown(&self, time: Timestamp, format: &str) -> ShownTime {
        let zoned = time.to_zoned(self.0.clone());
        ShownTime {
            exact: time.to_string(),
            text: zoned.strftime(format).to_string(),
            title: zoned.strftime("%a %-d %b %Y, %H:%M:%S %Z").to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(time: &str) -> Timestamp {
        time.parse().expect("a time")
    }

    #[test]
    fn a_time_names_its_day_and_its_year_only_where_they_are_not_those_of_now() {
        let lisbon = Zone::named("europe/lisbon").expect("a zone");
        assert_eq!(lisbon.name(), "Europe/Lisbon");
        for (zone, time, text, title) in [
            (&Zone::UTC, "2026-07-24T14:32:10Z", "14:32", "Fri 24 Jul 2026, 14:32:10 UTC"),
            (&lisbon, "2026-07-24T14:32:10Z", "15:32", "Fri 24 Jul 2026, 15:32:10 WEST"),
            (&lisbon, "2026-07-23T23:32:10Z", "00:32", "Fri 24 Jul 2026, 00:32:10 WEST"),
            (&Zone::UTC, "2026-07-23T23:32:10Z", "23 Jul 23:32", "Thu 23 Jul 2026, 23:32:10 UTC"),
            (&Zone::UTC, "2025-01-03T03:02:10.5Z", "3 Jan 2025 03:02", "Fri 3 Jan 2025, 03:02:10 UTC"),
        ] {
            let shown = zone.time(at(time), at("2026-07-24T20:00:00Z"));
            assert_eq!((shown.exact.as_str(), shown.text.as_str(), shown.title.as_str()), (time, text, title));
        }
    }

    #[test]
    fn a_time_to_the_second_has_its_day_as_well() {
        let now = at("2026-07-24T20:00:00Z");
        for (time, text) in [("2026-07-24T14:32:10Z", "14:32:10"), ("2026-07-23T14:32:10Z", "23 Jul 14:32:10")] {
            assert_eq!(Zone::UTC.time_to_second(at(time), now).text, text);
        }
    }

    #[test]
    fn the_second_of_two_times_names_its_day_only_where_it_is_another() {
        let (now, start) = (at("2026-07-24T20:00:00Z"), at("2026-07-20T22:00:00Z"));
        let second = |time| Zone::UTC.time_after(at(time), start, now).text;
        assert_eq!(second("2026-07-20T23:30:00Z"), "23:30");
        assert_eq!(second("2026-07-21T00:30:00Z"), "21 Jul 00:30");
    }

    #[test]
    fn days_are_told_as_people_say_them() {
        let now = at("2026-03-01T12:00:00Z");
        for (time, day) in [
            ("2026-03-01T00:00:00Z", "Today"),
            ("2026-02-28T23:59:59Z", "Yesterday"),
            ("2026-02-27T23:59:59Z", "Fri 27 Feb"),
            ("2025-12-31T23:59:59Z", "Wed 31 Dec 2025"),
        ] {
            assert_eq!(Zone::UTC.day(at(time), now), day);
        }
    }

    #[test]
    fn a_zone_that_is_not_there_is_none_and_all_names_are_zones() {
        assert_eq!(["", "Mars/Base", "../etc/passwd", "UTC+2"].map(|name| Zone::named(name).is_some()), [false; 4]);
        let names = Zone::names();
        assert!(names.len() > 300 && names.iter().all(|name| Zone::named(name).is_some()), "{}", names.len());
        assert!(names.contains(&"UTC".to_owned()) && names.contains(&"Asia/Kolkata".to_owned()));
    }
}
