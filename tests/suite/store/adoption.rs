//! Taking over a database that the original system wrote.

use perfreg::clock::Clock;
use perfreg::domain::admission::Command;
use perfreg::domain::answer::Answer;
use perfreg::domain::capacity::factor::Factor;
use perfreg::domain::capacity::location::LocationName;
use perfreg::domain::execution::{Execution, Outcome, RunId, Status};
use perfreg::domain::history::{Filter, Pattern, SearchField};
use perfreg::store::{self, Batch, Store, StoreError};

use super::contract::start;
use crate::support::database::{Engine, TestDatabase};
use crate::support::details;

/// The table as the original's README creates it, with the columns that later versions added.
const ORIGINAL: &str = "
    CREATE TABLE test_executions (
        id UUID PRIMARY KEY, run_id INTEGER NOT NULL, repo VARCHAR NOT NULL, lac VARCHAR NOT NULL,
        stream VARCHAR NOT NULL, test VARCHAR NOT NULL, type VARCHAR NOT NULL, environment VARCHAR NOT NULL,
        triggered_by VARCHAR NOT NULL, status VARCHAR NOT NULL, start_time TIMESTAMP WITH TIME ZONE NOT NULL,
        end_time TIMESTAMP WITH TIME ZONE, factor NUMERIC, dashboard_url VARCHAR, location VARCHAR
    );";
const LATER_COLUMNS: &str = "
    ALTER TABLE test_executions
        ADD COLUMN container_name VARCHAR NOT NULL DEFAULT 'box', ADD COLUMN execution_type VARCHAR NOT NULL DEFAULT 'ci',
        ADD COLUMN workers INTEGER NOT NULL DEFAULT 4, ADD COLUMN tool VARCHAR NOT NULL DEFAULT 'k6',
        ADD COLUMN script_version VARCHAR NOT NULL DEFAULT 'v1';
    ALTER TABLE test_executions
        ALTER COLUMN container_name DROP DEFAULT, ALTER COLUMN execution_type DROP DEFAULT,
        ALTER COLUMN workers DROP DEFAULT, ALTER COLUMN tool DROP DEFAULT, ALTER COLUMN script_version DROP DEFAULT;";

/// `(run_id, status, start, factor, location)` of rows as the original left them.
fn rows(rows: &[(i32, &str, &str, &str, &str)]) -> String {
    let row = |(index, (run_id, status, start, factor, location)): (usize, &(i32, &str, &str, &str, &str))| {
        let end = if *status == "running" { "NULL" } else { "'2026-01-31T00:00:00Z'" };
        format!(
            "('00000000-0000-4000-8000-{index:012}', {run_id}, 'myrepo', 'lac1', 'Élan', 'load', 'performance', 'prod',
              'user1', '{status}', '2026-01-{start}T00:00:00Z', {end}, {factor}, 'javascript:alert(1)', {location})"
        )
    };
    let values: Vec<String> = rows.iter().enumerate().map(row).collect();
    format!("INSERT INTO test_executions VALUES {};", values.join(", "))
}

async fn original(sql: &[&str]) -> TestDatabase {
    let database = TestDatabase::new(Engine::Postgres).await;
    database.connect().await.batch_execute(&sql.concat()).await.expect("valid SQL");
    database
}

async fn get(store: &dyn Store, run_id: i64) -> Execution {
    store.execution(RunId(run_id)).await.expect("a read").unwrap_or_else(|| panic!("no run {run_id}"))
}

fn extra(execution: &Execution) -> serde_json::Value {
    serde_json::from_str(&execution.details.extra).expect("JSON")
}

#[tokio::test(flavor = "multi_thread")]
async fn an_original_database_is_adopted_whole_and_goes_on() {
    let values = rows(&[
        (1, "success", "01", "0.5", "'k8s'"),
        (2, "failed", "02", "0.3", "'k8s'"),
        (3, "running", "05", "0.4", "'k8s'"),
        (3, "running", "04", "0.3", "'k8s'"),
        (3, "running", "06", "0.2", "'k8s'"),
        (4, "aborted", "07", "NULL", "NULL"),
        (5, "running", "08", "0.12345678", "'vm'"),
        (6, "running", "09", "'NaN'", "'vm'"),
    ]);
    let database = original(&[ORIGINAL, &values, LATER_COLUMNS]).await;
    let oid = "SELECT 'test_executions'::regclass::oid::int8";
    let before: i64 = database.connect().await.query_one(oid, &[]).await.expect("an answer").get(0);

    let store = database.store(Clock::Real).await;

    let client = database.connect().await;
    let after: i64 = client.query_one(oid, &[]).await.expect("an answer").get(0);
    assert_eq!(before, after, "it is the same table");
    let page = store.executions(&Filter::default(), None, 100).await.expect("a page");
    let numbered: Vec<(i64, &str)> = page.executions.iter().map(|run| (run.run_id.0, run.status.as_str())).collect();
    let expected = [
        (6, "running"),
        (5, "running"),
        (4, "failure"),
        (8, "running"),
        (7, "running"),
        (3, "running"),
        (2, "failure"),
        (1, "success"),
    ];
    assert_eq!(numbered, expected, "the earliest of three keeps its number; the others follow the largest");

    let later = serde_json::json!(
        {"container_name": "box", "execution_type": "ci", "workers": 4, "tool": "k6", "script_version": "v1"}
    );
    assert_eq!(extra(&get(store.as_ref(), 1).await), later);
    assert_eq!(extra(&get(store.as_ref(), 2).await), later, "failed is known and leaves no trace");
    assert_eq!(extra(&get(store.as_ref(), 7).await)["original_run_id"], 3);
    assert_eq!(extra(&get(store.as_ref(), 4).await)["original_status"], "aborted");
    assert_eq!(extra(&get(store.as_ref(), 6).await)["original_factor"], "NaN");
    assert_eq!(get(store.as_ref(), 6).await.details.factor, None);
    let precise = get(store.as_ref(), 5).await;
    assert_eq!(precise.exact_factor.as_deref(), Some("0.12345678"));
    assert_eq!(precise.factor(), Factor::parse("0.123457").expect("a factor"));

    let locations = store.locations().await.expect("the locations");
    let used: Vec<(String, i64)> =
        locations.iter().map(|location| (location.used.to_string(), location.running)).collect();
    assert_eq!(used, [("0.9".to_owned(), 3), ("0.123457".to_owned(), 2)]);

    let next = start(store.as_ref(), details(Some("k8s"), "0.05")).await;
    assert_eq!(next.run_id, RunId(9));
    let pattern = Filter { patterns: vec![(SearchField::Stream, Pattern::new("élan"))], ..Filter::default() };
    assert_eq!(store.executions(&pattern, None, 100).await.expect("a page").executions.len(), 8);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_location_above_its_capacity_admits_nothing_until_it_drains() {
    let values = rows(&[(1, "running", "01", "0.8", "'k8s'"), (2, "running", "02", "0.7", "'k8s'")]);
    let database = original(&[ORIGINAL, &values]).await;
    let store = database.store(Clock::Real).await;
    let register = || Command::Register(crate::support::registration(details(Some("k8s"), "0.1")));
    let end = |run_id| Command::Complete { run_id: RunId(run_id), outcome: Outcome::Success, token: None };
    let commands = vec![register(), end(1), register(), end(2), register()];
    let batch = Batch::of(Some(LocationName::new("k8s")), commands);
    let answers = store.decide(&batch).await.expect("a decision").answers.remove(0).expect("decided");
    assert!(matches!(&answers[0], Answer::Refused(refusal) if refusal.room.running_factor.to_string() == "1.5"));
    assert!(matches!(answers[2], Answer::Registered(_)), "0.7 and 0.1 stay below 1");
    assert!(matches!(answers[4], Answer::Registered(_)));
}

#[tokio::test(flavor = "multi_thread")]
async fn columns_of_other_types_are_converted() {
    let database = original(&[
        ORIGINAL,
        &rows(&[(1, "success", "01", "0.5", "'k8s'")]),
        "CREATE TYPE test_status AS ENUM ('running', 'success');
         ALTER TABLE test_executions
             ALTER COLUMN status TYPE test_status USING status::test_status, ALTER COLUMN repo TYPE VARCHAR(50),
             ALTER COLUMN factor TYPE DOUBLE PRECISION, ALTER COLUMN id TYPE VARCHAR(36),
             ALTER COLUMN start_time TYPE TIMESTAMP USING start_time AT TIME ZONE 'UTC',
             ALTER COLUMN lac DROP NOT NULL;
         INSERT INTO test_executions (id, run_id, repo, stream, test, type, environment, triggered_by, status, start_time)
         VALUES ('00000000-0000-4000-8000-999999999999', 2, 'r', 's', 't', 'k', 'e', 'b', 'running', '2026-01-02 03:04:05')",
    ])
    .await;
    let store = database.store(Clock::Real).await;
    assert_eq!(get(store.as_ref(), 1).await.exact_factor, None);
    let second = get(store.as_ref(), 2).await;
    assert_eq!(second.details.lac, "");
    assert_eq!(second.start_time, "2026-01-02T03:04:05Z".parse().expect("a time"));
    assert_eq!(second.status, Status::Running);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_view_of_the_table_survives() {
    let view = "CREATE VIEW per_run AS SELECT run_id, test FROM test_executions";
    let database = original(&[ORIGINAL, &rows(&[(1, "success", "01", "0.5", "'k8s'")]), view]).await;
    let store = database.store(Clock::Real).await;
    assert_eq!(start(store.as_ref(), details(Some("k8s"), "0.5")).await.run_id, RunId(2));
    let seen: i64 =
        database.connect().await.query_one("SELECT count(*) FROM per_run", &[]).await.expect("an answer").get(0);
    assert_eq!(seen, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_is_not_the_originals_is_left_alone() {
    let database = original(&["CREATE TABLE test_executions (id INTEGER PRIMARY KEY, name TEXT)"]).await;
    let store = store::open(&database.config(), Clock::Real).expect("a usable configuration");
    let error = store.prepare().await.expect_err("another table");
    assert!(
        matches!(&error, StoreError::Unsuitable(reason) if reason.contains("lacks the column(s) run_id")),
        "{error}"
    );
    let tables = "SELECT count(*) FROM pg_class WHERE relname LIKE 'perfreg%'";
    let made: i64 = database.connect().await.query_one(tables, &[]).await.expect("an answer").get(0);
    assert_eq!(made, 0, "nothing was changed");
}

#[tokio::test(flavor = "multi_thread")]
async fn times_are_kept_in_every_kind_of_column_and_zone() {
    let database = original(&[
        ORIGINAL,
        &rows(&[(1, "success", "01", "0.123456", "'k8s'"), (2, "success", "02", "0.5", "'k8s'"), (3, "running", "03", "0.5", "'k8s'")]),
        "ALTER TABLE test_executions ALTER COLUMN start_time TYPE TIMESTAMPTZ(3), ALTER COLUMN factor TYPE NUMERIC(9,6);
         UPDATE test_executions SET end_time = 'infinity' WHERE run_id = 2;
         UPDATE test_executions SET start_time = '20000-01-01Z' WHERE run_id = 3;",
    ])
    .await;
    let name = database.url.rsplit_once('/').expect("a database").1;
    let zone = format!("ALTER DATABASE {name} SET timezone = 'Europe/Berlin'");
    database.connect().await.batch_execute(&zone).await.expect("a setting");
    let store = database.store(Clock::Real).await;
    let first = get(store.as_ref(), 1).await;
    assert_eq!(first.start_time, "2026-01-01T00:00:00Z".parse().expect("a time"));
    assert_eq!(first.exact_factor, None);
    let second = get(store.as_ref(), 2).await;
    assert_eq!((second.end_time, &extra(&second)["original_end_time"]), (None, &"infinity".into()));
    assert!(
        extra(&get(store.as_ref(), 3).await)["original_start_time"]
            .as_str()
            .is_some_and(|time| time.starts_with("20000"))
    );
    assert_eq!(store.executions(&Filter::default(), None, 10).await.expect("a page").executions.len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_table_is_found_in_its_schema_even_if_another_comes_first() {
    let database =
        original(&[ORIGINAL, &rows(&[(1, "running", "01", "0.9", "'k8s'")]), "CREATE SCHEMA postgres"]).await;
    for _ in 0..2 {
        let store = database.store(Clock::Real).await;
        assert_eq!(store.executions(&Filter::default(), None, 10).await.expect("a page").executions.len(), 1);
        assert_eq!(store.locations().await.expect("the locations")[0].used.to_string(), "0.9");
    }
    let elsewhere = "SELECT count(*) FROM pg_class WHERE relnamespace = 'postgres'::regnamespace";
    let made: i64 = database.connect().await.query_one(elsewhere, &[]).await.expect("an answer").get(0);
    assert_eq!(made, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn plausible_variants_of_the_table_are_adopted() {
    for variant in [
        "ALTER TABLE test_executions ALTER COLUMN run_id ADD GENERATED BY DEFAULT AS IDENTITY",
        "ALTER TABLE test_executions ALTER COLUMN run_id TYPE BIGINT, ALTER COLUMN run_id ADD GENERATED ALWAYS AS IDENTITY",
        "ALTER TABLE test_executions ADD CHECK (status IN ('running', 'success', 'failed', 'cancelled'))",
        "CREATE INDEX test_executions_run_id ON test_executions (run_id)",
        "ALTER TABLE test_executions ADD COLUMN notes JSONB DEFAULT '{\"a\": null, \"b\": {\"c\": null}}'",
    ] {
        let database = original(&[
            ORIGINAL,
            &rows(&[(1, "failed", "01", "0.5", "'k8s'"), (1, "failed", "02", "0.5", "'k8s'")]),
            variant,
        ])
        .await;
        let store = database.store(Clock::Real).await;
        assert_eq!(start(store.as_ref(), details(Some("k8s"), "0.5")).await.run_id, RunId(3), "{variant}");
        if variant.contains("notes") {
            assert_eq!(extra(&get(store.as_ref(), 1).await)["notes"], serde_json::json!({"a": null, "b": {"c": null}}));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_cannot_be_adopted_is_left_as_it_was_and_the_reason_is_told() {
    let trigger = "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'not today'; END $$;
                   CREATE TRIGGER refuse BEFORE UPDATE ON test_executions FOR EACH ROW EXECUTE FUNCTION refuse()";
    let database = original(&[ORIGINAL, &rows(&[(1, "failed", "01", "0.5", "'k8s'")]), trigger]).await;
    let store = store::open(&database.config(), Clock::Real).expect("a usable configuration");
    let error = store.prepare().await.expect_err("a trigger refuses");
    let text = error.to_string();
    assert!(text.contains("not today") && text.contains("Nothing was changed"), "{text}");
    let status: String =
        database.connect().await.query_one("SELECT status FROM test_executions", &[]).await.expect("an answer").get(0);
    assert_eq!(status, "failed");
}
