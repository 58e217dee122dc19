//! A picture of what ran at the same time: a bar for each, in as few lanes as keep them apart.

use jiff::{SignedDuration, Timestamp};

/// What is beside the time that is asked about, on either side, as a part of it.
const MARGIN: i32 = 10;

/// From when to when something ran.
pub type Span = (Timestamp, Timestamp);

/// A bar: where it begins and how wide it is, in per cent of the picture, and in which lane.
#[derive(Clone, Debug, PartialEq)]
pub struct Bar {
    pub lane: usize,
    pub x: String,
    pub width: String,
}

/// The time that a picture shows: that of a run, and a little around it.
#[derive(Clone, Copy, Debug)]
pub struct Window {
    from: Timestamp,
    length: SignedDuration,
}

impl Window {
    #[must_use]
    pub fn around((start, end): Span) -> Self {
        let length = end.duration_since(start).max(SignedDuration::from_secs(1));
        let margin = length / MARGIN;
        let from = start.saturating_sub(margin).unwrap_or(Timestamp::MIN);
        Self { from, length: length + margin + margin }
    }

    /// Where a time is, in per cent; what is outside is at the edge.
    #[must_use]
    pub fn x(&self, time: Timestamp) -> f64 {
        let share = time.duration_since(self.from).as_secs_f64() / self.length.as_secs_f64();
        share.clamp(0.0, 1.0) * 100.0
    }
}

/// A bar for each span, in their order: each in the first lane where it touches no other.
#[must_use]
pub fn bars(spans: &[Span], window: Window) -> Vec<Bar> {
    let mut by_start: Vec<usize> = (0..spans.len()).collect();
    by_start.sort_by_key(|index| spans[*index]);
    let (mut lanes, mut lane_of) = (Vec::<Timestamp>::new(), vec![0; spans.len()]);
    for index in by_start {
        let (start, end) = spans[index];
        let lane = lanes.iter().position(|last| *last <= start).unwrap_or(lanes.len());
        if lane == lanes.len() {
            lanes.push(end);
        } else {
            lanes[lane] = end;
        }
        lane_of[index] = lane;
    }
    let bar = |((start, end), lane): (&Span, usize)| {
        let (x, end) = (window.x(*start), window.x(*end));
        Bar { lane, x: percent(x), width: percent(end - x) }
    };
    spans.iter().zip(lane_of).map(bar).collect()
}

/// As an attribute of a drawing says it.
#[must_use]
pub fn percent(share: f64) -> String {
    format!("{share:.2}%")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("in range")
    }

    #[test]
    fn bars_stand_where_their_times_are_and_never_on_each_other() {
        let span = |start, end| (at(start), at(end));
        let bars = bars(
            &[span(100, 200), span(0, 150), span(150, 300), span(120, 130), span(130, 140)],
            Window::around(span(100, 200)),
        );
        let told: Vec<_> = bars.iter().map(|bar| (bar.lane, bar.x.as_str(), bar.width.as_str())).collect();
        assert_eq!(
            told,
            [
                (1, "8.33%", "83.33%"),
                (0, "0.00%", "50.00%"),
                (0, "50.00%", "50.00%"),
                (2, "25.00%", "8.33%"),
                (2, "33.33%", "8.33%"),
            ]
        );
    }

    #[test]
    fn a_run_that_took_no_time_can_be_drawn() {
        let bars = bars(&[(at(5), at(5))], Window::around((at(5), at(5))));
        assert_eq!((bars[0].x.as_str(), bars[0].width.as_str()), ("8.33%", "0.00%"));
    }
}
