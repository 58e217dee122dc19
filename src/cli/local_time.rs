//! Times as clocks here show them.

use jiff::civil::{Date, DateTime, Time};
use jiff::{Timestamp, Zoned};

/// When clocks here show a time of the day such as `16:00`, on each of these days; nothing if the text is none.
pub fn time_of_day(text: &str, days: [Date; 2], now: &Zoned) -> impl Iterator<Item = Timestamp> {
    let is_time = text.contains(':') && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b':');
    let time: Option<Time> = text.parse().ok().filter(|_| is_time);
    let zone = now.time_zone().clone();
    let on = move |day: Date| Some(day.to_datetime(time?).to_zoned(zone.clone()).ok()?.timestamp());
    days.into_iter().filter_map(on)
}

/// A day and a time here; a day alone would leave open where it begins.
pub fn date_and_time(text: &str, now: &Zoned) -> Option<Timestamp> {
    let at: DateTime = text.parse().ok().filter(|_| text.contains(':'))?;
    at.to_zoned(now.time_zone().clone()).ok().map(|zoned| zoned.timestamp())
}
