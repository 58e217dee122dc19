//! Finds a page of a list in SQLite; [`crate::store::search`] says how.

use std::collections::BTreeSet;

use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Params, Result, Row, Statement, params, params_from_iter};
use uuid::Uuid;

use super::rows::{self, timestamp_text};
use crate::domain::execution::{Execution, Status};
use crate::domain::history::{Cursor, Filter, Pattern, SearchField};
use crate::store::search::{
    FEW_PROFILES, FIRST_LOOKED_AT, Look, MOST_OF_STATUS, MOST_PROFILES, leaves_something_out, living_status,
    looked_at_again, status_with_order,
};

/// A condition with its parameters, in their order.
#[derive(Clone, Debug)]
pub struct Condition {
    pub text: String,
    pub parameters: Vec<Value>,
}

/// An execution's start time, as it is written, and its run_id.
type Place = (String, i64);

/// One page of what a filter lets through.
pub struct Search<'filter> {
    filter: &'filter Filter,
    patterns: Condition,
    span: Span,
    most: usize,
}

/// A part of the order, as it is written.
#[derive(Clone, Debug)]
pub struct Span {
    from: String,
    before: Place,
}

impl Span {
    pub fn of(filter: &Filter, after: Option<Cursor>) -> Self {
        let span = filter.span(after);
        let before = (timestamp_text(span.before.start_time), span.before.run_id.0);
        Self { from: timestamp_text(span.from), before }
    }

    fn parameters(&self) -> [Value; 3] {
        let (start_time, run_id) = self.before.clone();
        [Value::from(self.from.clone()), Value::from(start_time), Value::from(run_id)]
    }
}

const IN_SPAN: &str = "start_time >= ? AND (start_time, run_id) < (?, ?)";
const NEWEST_FIRST: &str = "ORDER BY start_time DESC, run_id DESC";

impl<'filter> Search<'filter> {
    pub fn new(filter: &'filter Filter, after: Option<Cursor>, most: usize) -> Self {
        Self { filter, patterns: patterns(filter), span: Span::of(filter, after), most }
    }

    /// To be called in a transaction, so that all of what is found was there at one moment.
    pub fn find(&self, connection: &Connection) -> Result<Vec<Execution>> {
        if let Some(status) = living_status(self.filter.status) {
            return self.among_living(connection, status);
        }
        let patterns = by_narrowest(connection, self.filter)?;
        if self.filter.has_narrowing_patterns() {
            let few = profiles(connection, &patterns, FEW_PROFILES + 1)?;
            if few.len() <= FEW_PROFILES {
                return self.look_up(connection, &few);
            }
        }
        if let Some(status) = self.filter.status
            && status_with_order(self.filter.status).is_none()
            && is_small(connection, status)?
        {
            return self.among_whole_status(connection, status);
        }
        let found = match self.among_newest(connection, FIRST_LOOKED_AT)? {
            Look::Page(page) => return Ok(page),
            Look::Part(found) => found,
        };
        let mut all = profiles(connection, &patterns, MOST_PROFILES + 1)?;
        if let Some(looked_at) = looked_at_again(all.len(), found, self.most)
            && let Look::Page(page) = self.among_newest(connection, looked_at)?
        {
            return Ok(page);
        }
        if all.len() > MOST_PROFILES {
            all = profiles(connection, &patterns, usize::MAX)?;
        }
        self.look_up(connection, &all)
    }

    /// What is found among those that wait, or that run.
    fn among_living(&self, connection: &Connection, status: Status) -> Result<Vec<Execution>> {
        if !is_small(connection, status)?
            && let Look::Page(page) = self.among_newest(connection, FIRST_LOOKED_AT)?
        {
            return Ok(page);
        }
        self.among_whole_status(connection, status)
    }

    fn among_whole_status(&self, connection: &Connection, status: Status) -> Result<Vec<Execution>> {
        let Condition { text, parameters } = &self.patterns;
        let sql = format!(
            "SELECT {} FROM test_executions INDEXED BY {}
              WHERE status = '{status}' AND {IN_SPAN} AND {text} {NEWEST_FIRST} LIMIT {}",
            rows::EXECUTION_COLUMNS,
            index_of(status),
            self.most
        );
        let parameters = params_from_iter(self.span.parameters().into_iter().chain(parameters.iter().cloned()));
        connection.prepare_cached(&sql)?.query_map(parameters, rows::execution)?.collect()
    }

    /// What is found among so many of the newest.
    fn among_newest(&self, connection: &Connection, looked_at: usize) -> Result<Look> {
        let Condition { text, parameters } = &self.patterns;
        let status = self.filter.status.map_or_else(|| "true".to_owned(), |status| format!("status = '{status}'"));
        let (index, among) = match status_with_order(self.filter.status) {
            Some(_) => ("perfreg_executions_unsuccessful", status.as_str()),
            None => ("perfreg_executions_newest", "true"),
        };
        let newest = format!("FROM test_executions INDEXED BY {index} WHERE {among} AND {IN_SPAN}");
        // Where the look ends is read from the index alone. Of those before it, only what the filter asks for is read.
        // Where it leaves nothing out, a page that is not full is the last.
        let count = if leaves_something_out(self.filter) { looked_at.max(self.most) } else { self.most };
        let sql = format!("SELECT start_time, run_id {newest} {NEWEST_FIRST} LIMIT 1 OFFSET {count}");
        let mut end = connection.prepare_cached(&sql)?;
        let end = end.query_row(params_from_iter(self.span.parameters()), place).optional()?;
        let has_more = end.is_some();
        let (from, run_id) = end.unwrap_or_else(|| (self.span.from.clone(), i64::MIN));
        let span = Span { from: from.clone(), ..self.span.clone() };
        let sql = format!(
            "SELECT {} {newest} AND (start_time, run_id) > (?, ?) AND {status} AND {text} {NEWEST_FIRST} LIMIT {}",
            rows::EXECUTION_COLUMNS,
            self.most
        );
        let behind = [Value::from(from), Value::from(run_id)];
        let parameters = span.parameters().into_iter().chain(behind).chain(parameters.iter().cloned());
        let mut select = connection.prepare_cached(&sql)?;
        let found: Vec<Execution> =
            select.query_map(params_from_iter(parameters), rows::execution)?.collect::<Result<_>>()?;
        Ok(if has_more && found.len() < self.most { Look::Part(found.len()) } else { Look::Page(found) })
    }

    fn look_up(&self, connection: &Connection, profiles: &[Uuid]) -> Result<Vec<Execution>> {
        let mut newest = Newest::new(self.most);
        newest.add_of_profiles(connection, profiles, self.filter.status, &self.span)?;
        newest.add_without_profile(connection, self.filter.status, &self.span, &self.patterns)?;
        newest.read(connection, rows::EXECUTION_COLUMNS, rows::execution)
    }
}

/// The profiles that the patterns let through, up to so many.
fn profiles(connection: &Connection, patterns: &Condition, most: usize) -> Result<Vec<Uuid>> {
    let Condition { text, parameters } = patterns;
    let sql = format!("SELECT id FROM perfreg_profiles WHERE {text} LIMIT ?");
    let most = Value::from(i64::try_from(most).unwrap_or(i64::MAX));
    let parameters = params_from_iter(parameters.iter().cloned().chain([most]));
    connection.prepare_cached(&sql)?.query_map(parameters, |row| row.get(0))?.collect()
}

/// Whether all executions of the status may be looked at.
fn is_small(connection: &Connection, status: Status) -> Result<bool> {
    let sql = format!(
        "SELECT count(*) <= {MOST_OF_STATUS}
           FROM (SELECT 1 FROM test_executions INDEXED BY {} WHERE status = '{status}' LIMIT {MOST_OF_STATUS} + 1)",
        index_of(status)
    );
    connection.prepare_cached(&sql)?.query_row([], |row| row.get(0))
}

/// Which index has those of the status.
const fn index_of(status: Status) -> &'static str {
    match status {
        Status::Queued => "perfreg_executions_queued",
        Status::Running => "perfreg_executions_running",
        Status::Ended(_) => "perfreg_executions_profile",
    }
}

/// Which index has the profiles of those that have ended so, or of all, and what to ask of it beside the profile.
fn by_profile(status: Option<Status>) -> (&'static str, String) {
    match status {
        Some(status) => ("perfreg_executions_profile", format!("status = '{status}'")),
        None => ("perfreg_executions_newest_of_profile", "true".to_owned()),
    }
}

/// The newest executions so far, up to so many.
pub struct Newest {
    most: usize,
    places: BTreeSet<Place>,
}

impl Newest {
    pub const fn new(most: usize) -> Self {
        Self { most, places: BTreeSet::new() }
    }

    /// The newest of each profile tells which of them can be among the newest of all, and those are
    /// then read on only as far as they can be.
    pub fn add_of_profiles(
        &mut self,
        connection: &Connection,
        profiles: &[Uuid],
        status: Option<Status>,
        span: &Span,
    ) -> Result<()> {
        let (index, in_status) = by_profile(status);
        let sql = format!(
            "SELECT start_time, run_id FROM test_executions INDEXED BY {index}
              WHERE {in_status} AND profile = ?1 AND start_time >= ?2 AND (start_time, run_id) < (?3, ?4)
              {NEWEST_FIRST} LIMIT ?5"
        );
        let mut select = connection.prepare_cached(&sql)?;
        let mut heads: Vec<(Place, Uuid)> = Vec::new();
        let (start_time, run_id) = &span.before;
        for profile in profiles {
            let parameters = params![profile, span.from, start_time, run_id, 1];
            for place in select.query_map(parameters, place)? {
                heads.push((place?, *profile));
            }
        }
        heads.sort_unstable_by(|left, right| right.0.cmp(&left.0));
        for (head, profile) in heads {
            let from = self.last();
            if from.is_some_and(|last| head < *last) {
                break;
            }
            let from = from.map_or(&span.from, |(start_time, _)| start_time).clone();
            let parameters = params![profile, from, start_time, run_id, self.most as i64];
            self.add(&mut select, parameters)?;
        }
        Ok(())
    }

    /// Looks one by one at the executions whose profile is not written yet.
    pub fn add_without_profile(
        &mut self,
        connection: &Connection,
        status: Option<Status>,
        span: &Span,
        condition: &Condition,
    ) -> Result<()> {
        let (index, in_status) = by_profile(status);
        let sql = format!(
            "SELECT start_time, run_id FROM test_executions INDEXED BY {index}
              WHERE {in_status} AND profile IS NULL AND {IN_SPAN} AND {} {NEWEST_FIRST} LIMIT {}",
            condition.text, self.most
        );
        let parameters = span.parameters().into_iter().chain(condition.parameters.iter().cloned());
        self.add(&mut *connection.prepare_cached(&sql)?, params_from_iter(parameters))
    }

    /// Reads them, the newest first.
    pub fn read<T>(
        &self,
        connection: &Connection,
        columns: &str,
        read: impl Fn(&Row<'_>) -> Result<T>,
    ) -> Result<Vec<T>> {
        let sql = format!("SELECT {columns} FROM test_executions WHERE run_id = ?1");
        let mut select = connection.prepare_cached(&sql)?;
        self.places.iter().rev().map(|(_, run_id)| select.query_row([run_id], &read)).collect()
    }

    /// The oldest of them, if there are as many as there may be.
    fn last(&self) -> Option<&Place> {
        self.places.first().filter(|_| self.places.len() == self.most)
    }

    fn add(&mut self, select: &mut Statement<'_>, parameters: impl Params) -> Result<()> {
        for place in select.query_map(parameters, place)? {
            self.places.insert(place?);
            if self.places.len() > self.most {
                self.places.pop_first();
            }
        }
        Ok(())
    }
}

fn place(row: &Row<'_>) -> Result<Place> {
    Ok((row.get(0)?, row.get(1)?))
}

/// What holds of an execution, or of a profile, that the patterns let through.
fn patterns(filter: &Filter) -> Condition {
    all_of(filter.narrowing_patterns().map(|(field, pattern)| passes(field, pattern)))
}

/// The patterns of a filter, so that profiles are found by the index of the field that leaves the fewest: SQLite does not
/// know how many each field leaves, and would take any.
pub fn by_narrowest(connection: &Connection, filter: &Filter) -> Result<Condition> {
    let mut conditions: Vec<Condition> =
        filter.narrowing_patterns().map(|(field, pattern)| passes(field, pattern)).collect();
    if conditions.len() > 1 {
        let left =
            conditions.iter().map(|condition| profiles_left(connection, condition)).collect::<Result<Vec<_>>>()?;
        let narrowest = left.iter().enumerate().min_by_key(|(_, left)| **left).map(|(index, _)| index);
        for (_, condition) in conditions.iter_mut().enumerate().filter(|(index, _)| Some(*index) != narrowest) {
            // After a plus sign a column is read from the row.
            condition.text.insert(0, '+');
        }
    }
    Ok(all_of(conditions.into_iter()))
}

/// How many profiles pass, counted up to as many as are looked up.
fn profiles_left(connection: &Connection, Condition { text, parameters }: &Condition) -> Result<i64> {
    let sql = format!("SELECT count(*) FROM (SELECT 1 FROM perfreg_profiles WHERE {text} LIMIT {MOST_PROFILES})");
    connection.prepare_cached(&sql)?.query_row(params_from_iter(parameters), |row| row.get(0))
}

fn all_of(conditions: impl Iterator<Item = Condition>) -> Condition {
    let (mut texts, mut all) = (vec!["true".to_owned()], Vec::new());
    for Condition { text, parameters } in conditions {
        texts.push(text);
        all.extend(parameters);
    }
    Condition { text: texts.join(" AND "), parameters: all }
}

fn passes(field: SearchField, pattern: &Pattern) -> Condition {
    let field = field.as_str();
    if pattern.finds_everything() {
        return Condition { text: format!("{field} IS NOT NULL"), parameters: Vec::new() };
    }
    let Condition { text, parameters } = matches(pattern);
    let text = format!("{field} IN (SELECT term FROM perfreg_terms WHERE field = '{field}' AND {text})");
    Condition { text, parameters }
}

/// What holds of a term that the pattern finds. The index of trigrams narrows the terms down to
/// those that have all parts of it, in whatever order.
fn matches(pattern: &Pattern) -> Condition {
    if let Some(text) = pattern.exact() {
        return Condition { text: "folded = ?".to_owned(), parameters: vec![Value::from(text)] };
    }
    let like = Value::from(pattern.to_like());
    let quoted = |part: &String| format!("\"{}\"", part.replace('"', "\"\""));
    let parts = pattern.parts();
    let long: Vec<String> = parts.iter().filter(|part| part.chars().count() >= 3).map(quoted).collect();
    if long.is_empty() {
        return Condition { text: "folded LIKE ? ESCAPE '\\'".to_owned(), parameters: vec![like] };
    }
    let text =
        "id IN (SELECT rowid FROM perfreg_trigrams WHERE perfreg_trigrams MATCH ?) AND folded LIKE ? ESCAPE '\\'";
    Condition { text: text.to_owned(), parameters: vec![Value::from(long.join(" ")), like] }
}
