//! Fills a database with a history, faster than through the service.
//!
//! The same executions on both databases. A test belongs to a repo and runs on a few of the
//! streams and environments, started by somebody of a few; some of these combinations are far more
//! frequent than others. What follows from an execution in other tables is written here as well,
//! since whoever adds such a table has to add it in this file.

use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap};
use std::io::Cursor;
use std::time::Instant;

use anyhow::{Context, Result};
use futures_util::SinkExt;
use jiff::{SignedDuration, Timestamp};
use perfreg::domain::history::fold_case;
use perfreg::store::profile_id;
use rusqlite::params;
use uuid::{Builder, Uuid};

use crate::database::{Database, Engine};
use crate::server::Server;

const REPOS: u64 = 50;
const TESTS: u64 = 400;
const STREAMS: u64 = 30;
const STREAMS_OF_A_TEST: u64 = 6;
const ENVIRONMENTS: u64 = 6;
const ENVIRONMENTS_OF_A_TEST: u64 = 3;
const USERS_OF_A_REPO: u64 = 10;
const LOCATIONS_OF_AN_ENVIRONMENT: u64 = 10;
const LOCATIONS: u64 = ENVIRONMENTS * LOCATIONS_OF_AN_ENVIRONMENT;
const COMBINATIONS: u64 = TESTS * STREAMS_OF_A_TEST * ENVIRONMENTS_OF_A_TEST * USERS_OF_A_REPO;

/// The oldest executions were started by somebody who never came back.
const RARE: u64 = 20;
pub const RARE_USER: &str = "Zacharias Needle";
/// The newest still run, two at a location.
const RUNNING: u64 = 2 * LOCATIONS;
const RUNNING_MILLIONTHS: i64 = 100_000;

/// When the newest execution started, and how far apart they are.
pub const NEWEST: Timestamp = Timestamp::constant(1_793_491_200, 0);
pub const APART_SECONDS: i64 = 10;

const COLUMNS: &str = "id, run_id, repo, lac, stream, test, type, environment, triggered_by, status, start_time, end_time, \
     dashboard_url, location, factor_millionths, profile";
/// Bytes that go to PostgreSQL at once.
const CHUNK: usize = 1 << 20;

struct Execution {
    id: String,
    run_id: i64,
    repo: String,
    lac: String,
    stream: String,
    test: String,
    kind: &'static str,
    environment: &'static str,
    triggered_by: String,
    status: &'static str,
    start: Timestamp,
    end: Option<Timestamp>,
    dashboard_url: String,
    location: String,
    factor_millionths: i64,
}

impl Execution {
    /// The execution with this number of so many, beginning with the oldest at 0.
    fn new(number: u64, rows: u64) -> Result<Self> {
        let chance = scatter(number);
        // Squared, so that the combinations are not equally frequent.
        let share = u128::from(chance);
        let combination = u64::try_from((((share * share) >> 64) * u128::from(COMBINATIONS)) >> 64)?;
        let (test, rest) = (combination % TESTS, combination / TESTS);
        let (stream, rest) = (rest % STREAMS_OF_A_TEST, rest / STREAMS_OF_A_TEST);
        let (environment, user) = (rest % ENVIRONMENTS_OF_A_TEST, rest / ENVIRONMENTS_OF_A_TEST);
        let repo = test % REPOS;
        let is_running = number + RUNNING >= rows;
        let environment = (test + environment) % ENVIRONMENTS;
        let location = if is_running { number } else { environment * LOCATIONS_OF_AN_ENVIRONMENT + test } % LOCATIONS;
        let start = NEWEST - SignedDuration::from_secs(APART_SECONDS) * i32::try_from(rows - 1 - number)?;
        let ran = SignedDuration::from_secs(i64::try_from(chance % 3_600)? + 1);
        let milliseconds = u64::try_from(start.as_millisecond())?;
        let random = [chance.to_be_bytes(), number.to_be_bytes()].concat();
        let random = random[6..].try_into().context("ten bytes")?;
        Ok(Self {
            id: Builder::from_unix_timestamp_millis(milliseconds, &random).into_uuid().to_string(),
            run_id: i64::try_from(number)? + 1,
            repo: format!("repo-{repo:02}"),
            lac: format!("lac{}", location % 12),
            stream: stream_name(repo, stream),
            test: format!("test-{test:03}"),
            kind: ["load", "soak", "spike", "stress"][usize::try_from(test % 4)?],
            environment: ["dev", "test", "int", "stage", "perf", "prod"][usize::try_from(environment)?],
            triggered_by: if number < RARE {
                RARE_USER.to_owned()
            } else {
                format!("user{:03}", repo * USERS_OF_A_REPO + user)
            },
            status: status(is_running, chance),
            start,
            end: (!is_running).then_some(start + ran),
            dashboard_url: format!("https://dashboard.example.com/run/{number}"),
            location: location_name(location),
            factor_millionths: if is_running { RUNNING_MILLIONTHS } else { i64::try_from(chance % 9 + 1)? * 100_000 },
        })
    }

    /// Every text that a list can be searched by, and in which field.
    fn texts(&self) -> [(&'static str, &str); 8] {
        [
            ("repo", &self.repo),
            ("lac", &self.lac),
            ("stream", &self.stream),
            ("test", &self.test),
            ("type", self.kind),
            ("environment", self.environment),
            ("triggered_by", &self.triggered_by),
            ("location", &self.location),
        ]
    }

    fn profile(&self) -> Uuid {
        profile_id(self.texts().map(|(_, text)| Some(text)))
    }
}

/// A third of all executions are on main.
fn stream_name(repo: u64, stream: u64) -> String {
    match stream {
        0 | 1 => "main".to_owned(),
        other => format!("release-{:02}", (repo * 7 + other * 5) % (STREAMS - 1) + 1),
    }
}

fn location_name(location: u64) -> String {
    format!("cluster-{location:02}")
}

const fn status(is_running: bool, chance: u64) -> &'static str {
    match chance % 100 {
        _ if is_running => "running",
        0..=8 => "failure",
        9..=11 => "cancelled",
        _ => "success",
    }
}

/// Neighbours become far apart; the finalizer of SplitMix64.
const fn scatter(number: u64) -> u64 {
    let mut value = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

/// A new database with so many executions, as it would be if the service had written them.
pub async fn filled(engine: Engine, rows: u64) -> Result<Database> {
    let begin = Instant::now();
    let database = Database::new(engine)?;
    // Only a process that has ended is sure to have let go of a SQLite file.
    drop(Server::start(&database)?);
    match engine {
        Engine::Postgres => fill_postgres(&database, rows).await?,
        Engine::Sqlite => tokio::task::block_in_place(|| fill_sqlite(&database, rows))?,
    }
    eprintln!("{engine}: filled with {rows} executions in {:.1?}", begin.elapsed());
    Ok(database)
}

/// Collects what other tables have to know of the executions.
#[derive(Default)]
struct Texts {
    terms: BTreeSet<(&'static str, String)>,
    profiles: HashMap<Uuid, [String; 8]>,
}

impl Texts {
    /// Gives the execution's profile.
    fn add(&mut self, execution: &Execution) -> Uuid {
        let profile = execution.profile();
        // A new term only comes with a new profile.
        if let Entry::Vacant(vacant) = self.profiles.entry(profile) {
            let texts = execution.texts();
            self.terms.extend(texts.map(|(field, term)| (field, term.to_owned())));
            vacant.insert(texts.map(|(_, text)| text.to_owned()));
        }
        profile
    }
}

async fn fill_postgres(database: &Database, rows: u64) -> Result<()> {
    let client = database.connect().await?;
    client.batch_execute("SET maintenance_work_mem = '512MB'; SET synchronous_commit = off").await?;
    // An index that is made afterwards is made several times faster. The primary key has to stay.
    let indexes = client
        .query(
            "SELECT indexname, indexdef FROM pg_indexes
              WHERE tablename = 'test_executions'
                AND indexname NOT IN (SELECT conname FROM pg_constraint WHERE conrelid = 'test_executions'::regclass)",
            &[],
        )
        .await?;
    for index in &indexes {
        client.batch_execute(&format!("DROP INDEX {}", index.get::<_, &str>(0))).await?;
    }
    let texts = copy_runs(&client, rows).await?;
    for index in &indexes {
        client.batch_execute(index.get(1)).await?;
    }
    for (field, term) in &texts.terms {
        let statement = "INSERT INTO perfreg_terms (field, term, folded) VALUES ($1, $2, $3)";
        client.execute(statement, &[field, term, &fold_case(term)]).await?;
    }
    let profile = client.prepare("INSERT INTO perfreg_profiles VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)").await?;
    for (id, texts) in &texts.profiles {
        let [repo, lac, stream, test, kind, environment, by, location] = texts;
        client.execute(&profile, &[id, repo, lac, stream, test, kind, environment, by, location]).await?;
    }
    let locations = "INSERT INTO perfreg_locations (name, capacity_millionths, used_millionths, running, fence)
        SELECT location, 1000000, coalesce(sum(factor_millionths) FILTER (WHERE status = 'running'), 0),
               count(*) FILTER (WHERE status = 'running'), 0
          FROM test_executions GROUP BY location";
    client.execute(locations, &[]).await?;
    client.execute("SELECT setval('perfreg_run_id', max(run_id)) FROM test_executions", &[]).await?;
    // Which autovacuum would have done long ago.
    client.batch_execute("VACUUM (ANALYZE)").await?;
    client.batch_execute("CHECKPOINT").await?;
    Ok(())
}

async fn copy_runs(client: &tokio_postgres::Client, rows: u64) -> Result<Texts> {
    let copy = client.copy_in(&format!("COPY test_executions ({COLUMNS}, factor) FROM STDIN")).await?;
    let mut copy = std::pin::pin!(copy);
    let (mut texts, mut chunk) = (Texts::default(), Vec::with_capacity(CHUNK));
    for number in 0..rows {
        let execution = Execution::new(number, rows)?;
        let profile = texts.add(&execution);
        write_line(&mut chunk, &execution, profile)?;
        if chunk.len() > CHUNK - 1_024 {
            copy.send(Cursor::new(std::mem::replace(&mut chunk, Vec::with_capacity(CHUNK)))).await?;
        }
    }
    copy.send(Cursor::new(chunk)).await?;
    copy.finish().await?;
    Ok(texts)
}

/// None of these texts has a tab, a backslash or an end of line.
fn write_line(chunk: &mut Vec<u8>, execution: &Execution, profile: Uuid) -> Result<()> {
    use std::io::Write as _;
    let end = execution.end.map_or_else(|| "\\N".to_owned(), |end| end.to_string());
    let Execution { id, run_id, repo, lac, stream, test, kind, environment, triggered_by, .. } = execution;
    let Execution { status, start, dashboard_url, location, factor_millionths, .. } = execution;
    write!(
        chunk,
        "{id}\t{run_id}\t{repo}\t{lac}\t{stream}\t{test}\t{kind}\t{environment}\t{triggered_by}\t{status}\t{start}"
    )?;
    write!(chunk, "\t{end}\t{dashboard_url}\t{location}\t{factor_millionths}\t{profile}")?;
    writeln!(chunk, "\t0.{}", factor_millionths / 100_000)?;
    Ok(())
}

fn fill_sqlite(database: &Database, rows: u64) -> Result<()> {
    let mut file = database.open_file()?;
    // Whoever is interrupted here begins anew.
    file.pragma_update_and_check(None, "journal_mode", "off", |_| Ok(()))?;
    file.pragma_update(None, "synchronous", "off")?;
    file.pragma_update(None, "cache_size", -512_000)?;
    let indexes =
        "SELECT name, sql FROM sqlite_schema WHERE type = 'index' AND tbl_name = 'test_executions' AND sql IS NOT NULL";
    let indexes: Vec<(String, String)> =
        file.prepare(indexes)?.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_, _>>()?;
    for (name, _) in &indexes {
        file.execute_batch(&format!("DROP INDEX {name}"))?;
    }
    let texts = insert_runs(&mut file, rows)?;
    for (_, definition) in &indexes {
        file.execute_batch(definition)?;
    }
    for (field, term) in &texts.terms {
        let statement = "INSERT INTO perfreg_terms (field, term, folded) VALUES (?, ?, ?)";
        file.execute(statement, params![field, term, fold_case(term)])?;
    }
    let mut profile = file.prepare("INSERT INTO perfreg_profiles VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)")?;
    for (id, texts) in &texts.profiles {
        let [repo, lac, stream, test, kind, environment, by, location] = texts;
        profile.execute(params![id, repo, lac, stream, test, kind, environment, by, location])?;
    }
    drop(profile);
    let locations = "INSERT INTO perfreg_locations (name, capacity_millionths, used_millionths, running, fence)
        SELECT location, 1000000, coalesce(sum(factor_millionths) FILTER (WHERE status = 'running'), 0),
               count(*) FILTER (WHERE status = 'running'), 0
          FROM test_executions GROUP BY location";
    file.execute(locations, [])?;
    file.pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(()))?;
    Ok(())
}

fn insert_runs(file: &mut rusqlite::Connection, rows: u64) -> Result<Texts> {
    let mut texts = Texts::default();
    let transaction = file.transaction()?;
    let statement =
        format!("INSERT INTO test_executions ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
    let mut insert = transaction.prepare(&statement)?;
    // Always six digits, as the service writes them.
    let text = |time: Timestamp| format!("{time:.6}");
    for number in 0..rows {
        let execution = Execution::new(number, rows)?;
        let profile = texts.add(&execution);
        insert.execute(params![
            execution.id,
            execution.run_id,
            execution.repo,
            execution.lac,
            execution.stream,
            execution.test,
            execution.kind,
            execution.environment,
            execution.triggered_by,
            execution.status,
            text(execution.start),
            execution.end.map(text),
            execution.dashboard_url,
            execution.location,
            execution.factor_millionths,
            profile,
        ])?;
    }
    drop(insert);
    transaction.commit()?;
    Ok(texts)
}
