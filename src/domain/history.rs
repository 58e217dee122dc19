//! Which executions a list shows, and in which pages.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use unicase::UniCase;

use crate::domain::execution::{Details, Execution, RunId, Status};

/// The texts of an execution that a list can be searched by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SearchField {
    Repo,
    Lac,
    Stream,
    Test,
    Type,
    Environment,
    TriggeredBy,
    Location,
}

impl SearchField {
    pub const ALL: [Self; 8] = [
        Self::Repo,
        Self::Lac,
        Self::Stream,
        Self::Test,
        Self::Type,
        Self::Environment,
        Self::TriggeredBy,
        Self::Location,
    ];

    /// The name of the column, which is also the name of the query parameter.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Repo => "repo",
            Self::Lac => "lac",
            Self::Stream => "stream",
            Self::Test => "test",
            Self::Type => "type",
            Self::Environment => "environment",
            Self::TriggeredBy => "triggered_by",
            Self::Location => "location",
        }
    }

    /// The text in this field; only a location can be missing.
    #[must_use]
    pub fn of(self, details: &Details) -> Option<&str> {
        Some(match self {
            Self::Repo => &details.repo,
            Self::Lac => &details.lac,
            Self::Stream => &details.stream,
            Self::Test => &details.test,
            Self::Type => &details.kind,
            Self::Environment => &details.environment,
            Self::TriggeredBy => &details.triggered_by,
            Self::Location => details.location.as_ref()?.as_str(),
        })
    }
}

/// Unicode case folding, the same in front of both databases; their own differ from each other
/// and from one locale to the next.
#[must_use]
pub fn fold_case(text: &str) -> String {
    UniCase::new(text).to_folded_case()
}

/// A text to look for, in which `%` stands for any run of characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern(String);

impl Pattern {
    #[must_use]
    pub fn new(pattern: &str) -> Self {
        Self(pattern.to_owned())
    }

    /// Whether it finds every text there is.
    #[must_use]
    pub fn finds_everything(&self) -> bool {
        !self.0.is_empty() && self.0.chars().all(|character| character == '%')
    }

    /// The only text that it finds, folded, if it has no wildcard.
    #[must_use]
    pub fn exact(&self) -> Option<String> {
        (!self.0.contains('%')).then(|| fold_case(&self.0))
    }

    /// The texts between its wildcards, folded; whatever it finds has all of them.
    #[must_use]
    pub fn parts(&self) -> Vec<String> {
        fold_case(&self.0).split('%').filter(|part| !part.is_empty()).map(str::to_owned).collect()
    }

    /// The pattern for SQL's `LIKE … ESCAPE '\'` on text that went through [`fold_case`].
    #[must_use]
    pub fn to_like(&self) -> String {
        fold_case(&self.0).replace('\\', "\\\\").replace('_', "\\_")
    }
}

/// Which executions to list; an empty filter lists all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    pub patterns: Vec<(SearchField, Pattern)>,
    pub status: Option<Status>,
    /// Started at or after this.
    pub from: Option<Timestamp>,
    /// Started before this.
    pub to: Option<Timestamp>,
}

impl Filter {
    /// The patterns that leave something out: only a location can be missing.
    pub fn narrowing_patterns(&self) -> impl Iterator<Item = (SearchField, &Pattern)> {
        let narrows =
            |(field, pattern): &(SearchField, &Pattern)| *field == SearchField::Location || !pattern.finds_everything();
        self.patterns.iter().map(|(field, pattern)| (*field, pattern)).filter(narrows)
    }

    #[must_use]
    pub fn has_narrowing_patterns(&self) -> bool {
        self.narrowing_patterns().next().is_some()
    }

    /// What of the whole order it can find after that execution.
    #[must_use]
    pub fn span(&self, after: Option<Cursor>) -> Span {
        let (earliest, latest) = readable_times();
        let end =
            Cursor { start_time: self.to.unwrap_or(latest), run_id: RunId(self.to.map_or(i64::MAX, |_| i64::MIN)) };
        Span { from: self.from.unwrap_or(earliest), before: after.map_or(end, |after| after.min(end)) }
    }
}

/// A part of the order by start time and run_id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Started at or after this.
    pub from: Timestamp,
    /// Started before this, or at the same time with a smaller run_id.
    pub before: Cursor,
}

/// The first and the last instant that both databases and RFC 3339 can write down: years 1 to 9999.
#[must_use]
pub fn readable_times() -> (Timestamp, Timestamp) {
    (Timestamp::constant(-62_135_596_800, 0), Timestamp::constant(253_402_207_200, 0))
}

/// An execution's place in the order. After the last one of a page the next page begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cursor {
    pub start_time: Timestamp,
    pub run_id: RunId,
}

impl Cursor {
    #[must_use]
    pub fn after(execution: &Execution) -> Self {
        Self { start_time: execution.start_time, run_id: execution.run_id }
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}_{}", self.start_time.as_microsecond(), self.run_id)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be the `next` of an earlier page")]
pub struct NotACursor;

impl FromStr for Cursor {
    type Err = NotACursor;

    fn from_str(text: &str) -> Result<Self, NotACursor> {
        let (microseconds, run_id) = text.split_once('_').ok_or(NotACursor)?;
        let microseconds = microseconds.parse().map_err(|_| NotACursor)?;
        let start_time = Timestamp::from_microsecond(microseconds).map_err(|_| NotACursor)?;
        let (earliest, latest) = readable_times();
        if !(earliest..=latest).contains(&start_time) {
            return Err(NotACursor);
        }
        Ok(Self { start_time, run_id: RunId(run_id.parse().map_err(|_| NotACursor)?) })
    }
}

/// Executions, newest first: by start time, then by run_id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    pub executions: Vec<Execution>,
    /// Where the next page begins; `None` on the last one.
    pub next: Option<Cursor>,
}

impl Page {
    /// Makes a page of `limit` from rows of which one more than that was asked for.
    #[must_use]
    pub fn cut(mut executions: Vec<Execution>, limit: usize) -> Self {
        let more = executions.len() > limit;
        executions.truncate(limit);
        let next = executions.last().filter(|_| more).map(Cursor::after);
        Self { executions, next }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_folds_beyond_ascii() {
        for (left, right) in [("ÉLAN", "élan"), ("ΣΊΣΥΦΟΣ", "σίσυφος"), ("STRASSE", "straße"), ("Ж", "ж")]
        {
            assert_eq!(fold_case(left), fold_case(right));
        }
    }

    #[test]
    fn only_the_percent_sign_is_a_wildcard() {
        assert_eq!(Pattern::new(r"A_b%c\d").to_like(), r"a\_b%c\\d");
    }

    #[test]
    fn a_list_ends_at_its_time_or_after_its_cursor_whichever_is_earlier() {
        let at = |second| Timestamp::from_second(second).expect("in range");
        let cursor = |second| Cursor { start_time: at(second), run_id: RunId(7) };
        let until = |second| Filter { to: Some(at(second)), ..Filter::default() };
        assert_eq!(until(5).span(Some(cursor(4))).before, cursor(4));
        assert_eq!(until(5).span(Some(cursor(6))).before, until(5).span(None).before);
        let end = until(5).span(None).before;
        assert!(cursor(4) < end && end < Cursor { start_time: at(5), run_id: RunId(1) });
    }

    #[test]
    fn what_a_pattern_finds_has_all_its_parts() {
        assert_eq!(Pattern::new("%Ab%%C").parts(), ["ab", "c"]);
        assert_eq!(Pattern::new("%").parts(), Vec::<String>::new());
        assert_eq!(Pattern::new("ÉLAN").exact().as_deref(), Some("élan"));
        assert_eq!(Pattern::new("é%").exact(), None);
    }

    #[test]
    fn a_cursor_survives_its_own_text() {
        let cursor = Cursor { start_time: Timestamp::from_microsecond(-5).expect("in range"), run_id: RunId(7) };
        assert_eq!(cursor.to_string().parse(), Ok(cursor));
    }

    #[test]
    fn what_is_no_cursor_is_refused() {
        for text in ["", "_", "1", "1_", "_1", "x_1", "1_x", "9223372036854775807_1", "-99999999999999999_1"] {
            assert_eq!(text.parse::<Cursor>(), Err(NotACursor), "{text}");
        }
    }
}
