//! What happened to it, oldest first, a heading for each day.

use crate::domain::event::{EventKind, SavedEvent};
use crate::domain::execution::Execution;
use crate::http::html::layout::Layout;
use crate::present::event::{end_of, sentence};
use crate::present::prose::{Piece, pieces};
use crate::present::zone::ShownTime;
use crate::registry::Story;

pub struct Told {
    pub first: Vec<Day>,
    pub last: Vec<Day>,
    /// Whether more happened between the two.
    pub has_more: bool,
    /// What is not told, and why.
    pub missing: Option<&'static str>,
}

pub struct Day {
    /// None where the day before goes on.
    pub name: Option<String>,
    pub events: Vec<Event>,
}

pub struct Event {
    pub id: String,
    pub time: ShownTime,
    pub icon: &'static str,
    pub sentence: Vec<Piece>,
}

impl Told {
    pub fn new(run: &Execution, story: &Story, layout: &Layout) -> Self {
        let mut last_day = None;
        let mut days = |events: &[SavedEvent]| {
            let mut days: Vec<Day> = Vec::new();
            for event in events {
                let date = layout.zone.date(event.at);
                if last_day.replace(date) != Some(date) {
                    days.push(Day { name: Some(layout.zone.day(event.at, layout.now)), events: Vec::new() });
                } else if days.is_empty() {
                    days.push(Day { name: None, events: Vec::new() });
                }
                if let Some(day) = days.last_mut() {
                    day.events.push(told(event, run, layout));
                }
            }
            days
        };
        Self {
            first: days(&story.first),
            last: days(&story.last),
            has_more: story.has_more,
            missing: missing(run, story.first.first()),
        }
    }
}

/// Why the story does not begin with the beginning.
fn missing(run: &Execution, first: Option<&SavedEvent>) -> Option<&'static str> {
    let begins = |event: &SavedEvent| {
        let kinds = [EventKind::Queued, EventKind::Started, EventKind::TakenBack];
        kinds.iter().any(|kind| kind.as_str() == event.kind)
    };
    match first {
        _ if run.is_adopted() => Some("The database of the original kept no events, so its beginning is not known."),
        None => Some("What happened to it is not kept any more."),
        Some(first) if !begins(first) => Some("What happened before that is not kept any more."),
        Some(_) => None,
    }
}

fn told(event: &SavedEvent, run: &Execution, layout: &Layout) -> Event {
    let location = event.location.as_ref().map(ToString::to_string).unwrap_or_default();
    let names = [location.as_str(), event.by.as_deref().unwrap_or_default()];
    Event {
        id: event.id.to_string(),
        time: layout.zone.clock(event.at),
        icon: icon(event),
        sentence: pieces(&sentence(event), &names, Some(run.run_id.0), &layout.zone, layout.now),
    }
}

fn icon(event: &SavedEvent) -> &'static str {
    match event.kind.parse() {
        Ok(EventKind::Started | EventKind::Recovered | EventKind::TakenBack) => "running",
        Ok(EventKind::Suspect | EventKind::StartWithdrawn | EventKind::LateWord | EventKind::WordRefused) => "warning",
        Ok(EventKind::StopRequested) => "stopping",
        Ok(EventKind::Ended) => end_of(event).unwrap_or("cancelled"),
        Ok(EventKind::Moved) => "out",
        _ => "queued",
    }
}
