//! Durations, as people say and write them.

use jiff::{SignedDuration, Span, SpanRelativeTo};

/// A duration for a person: `2d 3h`, `1h 5m`, `12m`, `40s`.
#[must_use]
pub fn duration_text(duration: SignedDuration) -> String {
    let seconds = duration.as_secs().max(0);
    if seconds >= 86_400 {
        let hours = seconds / 3600 % 24;
        return if hours == 0 { format!("{}d", seconds / 86_400) } else { format!("{}d {hours}h", seconds / 86_400) };
    }
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, seconds) => format!("{seconds}s"),
        (0, minutes, 0) => format!("{minutes}m"),
        (0, minutes, seconds) if minutes < 10 => format!("{minutes}m {seconds}s"),
        (0, minutes, _) => format!("{minutes}m"),
        (hours, 0, _) => format!("{hours}h"),
        (hours, minutes, _) => format!("{hours}h {minutes}m"),
    }
}

/// The length of `1h 30m` or `3d`. A day has 24 hours; months and years have no length of their own.
#[must_use]
pub fn length(text: &str) -> Option<SignedDuration> {
    let span: Span = text.parse().ok()?;
    let is_months = span.get_months() != 0 || span.get_years() != 0;
    span.to_duration(SpanRelativeTo::days_are_24_hours()).ok().filter(|_| !is_months)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_shown_as_exactly_as_anybody_cares() {
        for (seconds, expected) in [
            (-3, "0s"),
            (40, "40s"),
            (60, "1m"),
            (61, "1m 1s"),
            (725, "12m"),
            (3600, "1h"),
            (7505, "2h 5m"),
            (86_400, "1d"),
            (547_380, "6d 8h"),
        ] {
            assert_eq!(duration_text(SignedDuration::from_secs(seconds)), expected);
        }
    }
}
