//! Finds a page of a list in PostgreSQL; [`crate::store::search`] says how.

use futures_util::TryStreamExt;
use tokio_postgres::Row;
use tokio_postgres::types::Type;
use uuid::Uuid;

use super::conditions::Conditions;
use super::error::classify;
use super::link::session::Session;
use super::rows::{self, get};
use crate::domain::execution::{Execution, Status};
use crate::domain::history::{Cursor, Filter, Pattern, SearchField, Span};
use crate::store::StoreError;
use crate::store::search::{
    FEW_PROFILES, FIRST_LOOKED_AT, LONGEST_TERM_CHARACTERS, Look, MOST_OF_STATUS, MOST_PROFILES, leaves_something_out,
    living_status, looked_at_again, status_with_order,
};

/// More than that wait or run nowhere.
const MOST_LIVING: usize = 1_000_000_000;
const NEWEST_FIRST: &str = "ORDER BY run.start_time DESC, run.run_id DESC";

/// One page of what a filter lets through.
pub struct Search<'filter> {
    filter: &'filter Filter,
    span: Span,
    most: usize,
}

impl<'filter> Search<'filter> {
    pub fn new(filter: &'filter Filter, after: Option<Cursor>, most: usize) -> Self {
        Self { filter, span: filter.span(after), most }
    }

    /// Every way out is the answer of one statement, so that it was true at one moment; but for a
    /// profile that is saved after they were asked for, which the next list shows.
    pub async fn find(&self, client: &Session) -> Result<Vec<Execution>, StoreError> {
        if let Some(status) = living_status(self.filter.status) {
            return self.among_living(client, status).await;
        }
        if self.filter.has_narrowing_patterns() {
            let few = self.profiles(client, FEW_PROFILES + 1).await?;
            if few.len() <= FEW_PROFILES {
                return self.look_up(client, Some(few)).await;
            }
        }
        if let Some(status) = self.filter.status
            && status_with_order(self.filter.status).is_none()
            && let Some(found) = self.among_whole_status(client, status, MOST_OF_STATUS).await?
        {
            return Ok(found);
        }
        let found = match self.among_newest(client, FIRST_LOOKED_AT).await? {
            Look::Page(page) => return Ok(page),
            Look::Part(found) => found,
        };
        let profiles = self.profiles(client, MOST_PROFILES + 1).await?;
        if let Some(looked_at) = looked_at_again(profiles.len(), found, self.most)
            && let Look::Page(page) = self.among_newest(client, looked_at).await?
        {
            return Ok(page);
        }
        let are_all = profiles.len() <= MOST_PROFILES;
        self.look_up(client, are_all.then_some(profiles)).await
    }

    /// The profiles that the patterns let through, up to so many.
    async fn profiles(&self, client: &Session, most: usize) -> Result<Vec<Uuid>, StoreError> {
        let mut all = Conditions::default();
        let patterns = self.patterns(&mut all, Among::Profiles);
        let sql = format!("SELECT id FROM perfreg_profiles WHERE {patterns} LIMIT {most}");
        let found = client.query_typed(&sql, &all.parameters()).await.map_err(classify)?;
        found.iter().map(|row| get(row, 0)).collect()
    }

    /// What is found among those that wait, or that run.
    async fn among_living(&self, client: &Session, status: Status) -> Result<Vec<Execution>, StoreError> {
        if let Some(found) = self.among_whole_status(client, status, MOST_OF_STATUS).await? {
            return Ok(found);
        }
        if let Look::Page(page) = self.among_newest(client, FIRST_LOOKED_AT).await? {
            return Ok(page);
        }
        Ok(self.among_whole_status(client, status, MOST_LIVING).await?.unwrap_or_default())
    }

    /// What is found among all executions of the status, unless they are more than may be looked at.
    async fn among_whole_status(
        &self,
        client: &Session,
        status: Status,
        most_of_status: usize,
    ) -> Result<Option<Vec<Execution>>, StoreError> {
        let mut all = Conditions::default();
        let (patterns, span) = (self.patterns(&mut all, Among::Executions), self.span(&mut all));
        // Without patterns, the newest of them are found for sure.
        let candidates = if self.filter.has_narrowing_patterns() { most_of_status } else { self.most };
        let order = index_order(status);
        let sql = format!(
            "WITH whole AS MATERIALIZED (
                 SELECT start_time, run_id FROM test_executions WHERE status = '{status}'
                  ORDER BY {order} LIMIT {most_of_status} + 1
             ), size AS MATERIALIZED (
                 SELECT count(*) <= {most_of_status} AS is_whole FROM whole
             ), candidates AS MATERIALIZED (
                 SELECT run_id FROM whole AS run WHERE (SELECT is_whole FROM size) AND {span} {NEWEST_FIRST} LIMIT {candidates}
             ), found AS MATERIALIZED (
                 SELECT run.* FROM test_executions AS run
                  WHERE run_id IN (SELECT run_id FROM candidates) AND ({patterns}) IS TRUE
                  {NEWEST_FIRST} LIMIT {}
             )
             SELECT {}, is_whole FROM size LEFT JOIN found AS run ON true {NEWEST_FIRST}",
            self.most,
            rows::EXECUTION_COLUMNS
        );
        let found = client.query_typed(&sql, &all.parameters()).await.map_err(classify)?;
        let Some(first) = found.first() else { return Ok(None) };
        let is_whole: bool = get(first, first.len() - 1)?;
        // Where nothing is found, one row says whether that was the whole.
        let is_found = |row: &&Row| get::<Option<i64>>(row, 0).is_ok_and(|run_id| run_id.is_some());
        let executions: Vec<Execution> =
            found.iter().filter(is_found).map(rows::execution).collect::<Result<_, _>>()?;
        Ok(is_whole.then_some(executions))
    }

    /// What is found among so many of the newest.
    async fn among_newest(&self, client: &Session, looked_at: usize) -> Result<Look, StoreError> {
        let looked_at = looked_at.max(self.most);
        let mut all = Conditions::default();
        let (patterns, among) = (self.patterns(&mut all, Among::Executions), self.looked_at(&mut all));
        let status = self.filter.status.map_or_else(|| "true".to_owned(), |status| format!("status = '{status}'"));
        // IS TRUE keeps the terms from being joined, so that the rows come in order and the last ones are never read.
        let sql = format!(
            "SELECT {} FROM (SELECT * FROM test_executions AS run WHERE {among} {NEWEST_FIRST} LIMIT {looked_at}) AS run
              WHERE {status} AND ({patterns}) IS TRUE {NEWEST_FIRST} LIMIT {}",
            rows::EXECUTION_COLUMNS,
            self.most
        );
        let found = executions(client, &sql, &all).await?;
        // Where nothing is left out, a page that is not full is the last.
        let is_certain = found.len() == self.most || !leaves_something_out(self.filter);
        let is_all = is_certain || !self.has_more_than(client, looked_at).await?;
        Ok(if is_all { Look::Page(found) } else { Look::Part(found.len()) })
    }

    async fn has_more_than(&self, client: &Session, looked_at: usize) -> Result<bool, StoreError> {
        let mut all = Conditions::default();
        let among = self.looked_at(&mut all);
        let sql =
            format!("SELECT true FROM test_executions AS run WHERE {among} {NEWEST_FIRST} OFFSET {looked_at} LIMIT 1");
        Ok(client.query_typed_opt(&sql, &all.parameters()).await.map_err(classify)?.is_some())
    }

    /// Among which executions the newest are looked at.
    fn looked_at(&self, all: &mut Conditions) -> String {
        let span = self.span(all);
        match status_with_order(self.filter.status) {
            Some(status) => format!("status = '{status}' AND {span}"),
            None => span,
        }
    }

    /// What is found by these profiles, or by all that the patterns let through.
    async fn look_up(&self, client: &Session, profiles: Option<Vec<Uuid>>) -> Result<Vec<Execution>, StoreError> {
        let mut all = Conditions::default();
        let (patterns, span) = (self.patterns(&mut all, Among::Profiles), self.span(&mut all));
        let profiles = match profiles {
            Some(ids) => format!("SELECT unnest({})", all.parameter(ids, Type::UUID_ARRAY)),
            None => format!("SELECT id FROM perfreg_profiles WHERE {patterns}"),
        };
        let sql = format!(
            "{} SELECT {} FROM test_executions AS run WHERE run_id IN (SELECT run_id FROM found) {NEWEST_FIRST}",
            found_by_profiles(&profiles, self.filter.status, &span, &patterns, self.most),
            rows::EXECUTION_COLUMNS
        );
        executions(client, &sql, &all).await
    }

    /// What holds of an execution, or of a profile, that the patterns let through.
    fn patterns(&self, all: &mut Conditions, among: Among) -> String {
        let leading = self.leading_patterns();
        let condition = |(field, pattern): (_, &Pattern)| {
            let leads = leading.contains(&field);
            let field = SearchField::as_str(field);
            if pattern.finds_everything() {
                return format!("{field} IS NOT NULL");
            }
            let like = all.parameter(pattern.to_like(), Type::TEXT);
            let terms = format!("SELECT term FROM perfreg_terms WHERE field = '{field}' AND folded LIKE {like}");
            let is_one = match among {
                Among::Profiles if leads => format!("{field} = ANY (ARRAY({terms}))"),
                Among::Profiles | Among::Executions => format!("({field} IN ({terms})) IS TRUE"),
            };
            // The length is named for the sake of the index; no term is longer.
            format!("(length({field}) <= {LONGEST_TERM_CHARACTERS} AND {is_one})")
        };
        let conditions: Vec<String> = self.filter.narrowing_patterns().map(condition).collect();
        if conditions.is_empty() { "true".to_owned() } else { conditions.join(" AND ") }
    }

    /// The fields by whose index profiles are found: those of which one text is asked for, or else that of the
    /// longest pattern, which probably finds the fewest texts.
    fn leading_patterns(&self) -> Vec<SearchField> {
        let one_text = self.filter.narrowing_patterns().filter(|(_, pattern)| pattern.exact().is_some());
        let fields: Vec<SearchField> = one_text.map(|(field, _)| field).collect();
        if !fields.is_empty() {
            return fields;
        }
        let longest = self.filter.narrowing_patterns().max_by_key(|(_, pattern)| pattern.to_like().len());
        longest.into_iter().map(|(field, _)| field).collect()
    }

    fn span(&self, all: &mut Conditions) -> String {
        let Span { from, before } = self.span;
        let (from, start_time) =
            (all.parameter(from, Type::TIMESTAMPTZ), all.parameter(before.start_time, Type::TIMESTAMPTZ));
        let run_id = all.parameter(before.run_id.0, Type::INT8);
        format!("start_time >= {from} AND (start_time, run_id) < ({start_time}, {run_id})")
    }
}

/// In what order an index has those of the status, so that the planner takes it.
const fn index_order(status: Status) -> &'static str {
    match status {
        Status::Queued => "location",
        Status::Running => "location, lease_seconds",
        Status::Ended(_) => "profile, start_time, run_id",
    }
}

/// Among what the patterns choose.
#[derive(Clone, Copy)]
enum Among {
    /// By the index of the leading fields, whose terms are found first; the others are asked of those. The planner,
    /// which cannot know how few terms there are, would else go through all profiles of any field.
    Profiles,
    /// One after the other: whether the text of each is one of the terms is asked of a hash table.
    Executions,
}

/// The beginning of a statement, in which `found` are then the newest executions of the profiles.
///
/// The newest of each profile tells which of them can be among those at all.
/// Executions whose profile is not written yet are looked at one by one.
pub fn found_by_profiles(profiles: &str, status: Option<Status>, span: &str, condition: &str, most: usize) -> String {
    let status = status.map_or_else(|| "true".to_owned(), |status| format!("run.status = '{status}'"));
    format!(
        "WITH heads AS MATERIALIZED (
             SELECT profile.id, head.start_time
               FROM ({profiles}) AS profile (id)
              CROSS JOIN LATERAL (
                        SELECT start_time, run_id FROM test_executions AS run
                         WHERE {status} AND run.profile = profile.id AND {span}
                         {NEWEST_FIRST} LIMIT 1) AS head
              ORDER BY head.start_time DESC, head.run_id DESC LIMIT {most}
         ), last AS MATERIALIZED (
             SELECT min(start_time) AS start_time FROM heads HAVING count(*) = {most}
         ), found AS MATERIALIZED (
             SELECT run.start_time, run.run_id
               FROM heads
              CROSS JOIN LATERAL (
                        SELECT start_time, run_id FROM test_executions AS run
                         WHERE {status} AND run.profile = heads.id AND {span}
                           AND start_time >= coalesce((SELECT start_time FROM last), '-infinity')
                         {NEWEST_FIRST} LIMIT {most}) AS run
              UNION ALL
             (SELECT start_time, run_id FROM test_executions AS run
               WHERE {status} AND run.profile IS NULL AND {span} AND {condition}
               {NEWEST_FIRST} LIMIT {most})
              ORDER BY start_time DESC, run_id DESC LIMIT {most}
         )"
    )
}

async fn executions(client: &Session, sql: &str, all: &Conditions) -> Result<Vec<Execution>, StoreError> {
    let found = client.query_typed_raw(sql, all.parameters()).await.map_err(classify)?;
    // Each is read while the database still sends the next.
    found.map_err(classify).and_then(async |row| rows::execution(&row)).try_collect().await
}
