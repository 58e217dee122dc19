//! What the Grafana dashboards of the original's successor ask, on an adopted database and on one of our own.

use serde_json::{Value, json};
use tokio_postgres::{Client, SimpleQueryMessage, SimpleQueryRow};

use super::{file, successors_database};
use crate::run::until;
use crate::support::database::{Engine, TestDatabase};
use crate::support::server::TestServer;

/// A panel's statement, made of what `dashboards.json` says of it in words.
fn statement(range: &str, panel: &Value, tables_columns: &mut Vec<String>) -> String {
    let words = |name: &str| panel[name].as_str().unwrap_or_default();
    let columns: Vec<String> = panel["columns"]
        .as_array()
        .expect("columns")
        .iter()
        .flat_map(|column| match column.as_str().expect("a text") {
            "the same" => tables_columns.clone(),
            "end_time - start_time as HH24:MI:SS" => {
                vec!["to_char(end_time - start_time, 'HH24:MI:SS') AS duration".to_owned()]
            }
            "start_time by day" => vec!["date_trunc('day', start_time)".to_owned()],
            column => vec![column.to_owned()],
        })
        .collect();
    let list = columns.join(", ");
    let chosen = "stream IN ('main', 'other')";
    let in_range = format!("start_time BETWEEN now() - interval '{range}' AND now() + interval '1 minute'");
    let condition = match words("where") {
        "" => in_range,
        "status is running, stream among the chosen" => format!("status = 'running' AND {chosen}"),
        "start_time in the range, stream among the chosen, status is NOT running" => {
            format!("{in_range} AND {chosen} AND status <> 'running'")
        }
        other => panic!("what does {other:?} mean?"),
    };
    if panel["counts"] == true {
        return format!("SELECT {list}, count(*) AS count FROM test_executions WHERE {condition} GROUP BY {list}");
    }
    *tables_columns = columns;
    assert_eq!(words("order"), "start_time, newest first");
    format!("SELECT {list} FROM test_executions WHERE {condition} ORDER BY start_time DESC")
}

/// Each panel's title and rows.
async fn panels(client: &Client) -> Vec<(String, Vec<SimpleQueryRow>)> {
    let text = std::fs::read_to_string(file("dashboards.json")).expect("a text");
    let boards: Value = serde_json::from_str(&text).expect("JSON");
    let (mut panels, mut columns) = (Vec::new(), Vec::new());
    let boards = boards.as_object().expect("dashboards").values();
    for (board, panel) in
        boards.flat_map(|board| board["panels"].as_array().into_iter().flatten().map(move |panel| (board, panel)))
    {
        let sql = statement(board["range"].as_str().expect("a range"), panel, &mut columns);
        let found = client.simple_query(&sql).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
        let row = |message| match message {
            SimpleQueryMessage::Row(row) => Some(row),
            _ => None,
        };
        panels
            .push((panel["title"].as_str().expect("a title").to_owned(), found.into_iter().filter_map(row).collect()));
    }
    assert_eq!(panels.len(), 9, "every query of the dashboards was asked");
    panels
}

/// What the successor's clients send.
fn request(test: &str, more: Value) -> Value {
    crate::support::http::example(json!({"test": test, "location": null, "factor": null}).merged(more))
}

trait Merged {
    fn merged(self, more: Value) -> Value;
}

impl Merged for Value {
    fn merged(mut self, more: Value) -> Value {
        let Value::Object(more) = more else { panic!("an object") };
        self.as_object_mut().expect("an object").extend(more);
        self
    }
}

async fn admit(server: &TestServer, test: &str, more: Value) {
    let reply = server.http().post("/register", &request(test, more.clone())).await;
    assert_eq!(reply.status, 200, "{}: {}", reply.text, server.log());
    for (name, value) in more.as_object().expect("an object") {
        assert_eq!(&reply.json()["extra"][name], value, "extra has it whole");
    }
}

/// What the columns have of a test.
async fn columns(client: &Client, test: &str) -> [Option<String>; 5] {
    let sql = format!(
        "SELECT execution_type, script_version, tool, workers, container_name FROM test_executions WHERE test = '{test}'"
    );
    let found = client.simple_query(&sql).await.expect("an answer");
    let row = found.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => Some(row),
        _ => None,
    });
    let row = row.expect("a row");
    [0, 1, 2, 3, 4].map(|index| row.get(index).map(str::to_owned))
}

fn texts(texts: [Option<&str>; 5]) -> [Option<String>; 5] {
    texts.map(|text| text.map(str::to_owned))
}

async fn every_query_shows_what_clients_send(database: &TestDatabase) {
    let server = TestServer::start(&database.url);
    let client = database.connect().await;
    let sent = json!({"execution_type": "distributed", "script_version": "1.2.0", "tool": "jmeter", "workers": ["gen-1", "gen-2"],
                      "container_name": "brave_turing_1"});
    admit(&server, "sent", sent).await;
    admit(&server, "silent", json!({})).await;
    let panels = panels(&client).await;
    let rows = |title: &str| &panels.iter().find(|(name, _)| name == title).expect("a panel").1;
    let running: Vec<[Option<&str>; 3]> = rows("Tests Executing")
        .iter()
        .map(|row| [row.get("test"), row.get("execution_type"), row.get("script_version")])
        .collect();
    assert_eq!(running, [[Some("silent"), None, None], [Some("sent"), Some("distributed"), Some("1.2.0")]]);
    let versions: Vec<Option<&str>> =
        rows("Executions Status (second of that title)").iter().map(|row| row.get("script_version")).collect();
    assert!(versions.contains(&Some("1.2.0")) && versions.contains(&None), "{versions:?}");
    let expected =
        [Some("distributed"), Some("1.2.0"), Some("jmeter"), Some(r#"["gen-1", "gen-2"]"#), Some("brave_turing_1")];
    assert_eq!(columns(&client, "sent").await, texts(expected));
}

async fn no_value_stops_a_registration(database: &TestDatabase) {
    let server = TestServer::start(&database.url);
    let client = database.connect().await;
    let odd = json!({"execution_type": 7, "script_version": "1.20.0-SNAPSHOT+build.4711", "tool": ["k6", 1], "workers": {"a": "ä"},
                     "container_name": "x".repeat(3_000)});
    admit(&server, "odd", odd).await;
    let long = "x".repeat(255);
    let expected = [
        Some("7"),
        Some("1.20.0-SNAPSHOT+build.4711"),
        Some(r#"["k6",1]"#),
        Some(r#"{"a": "ä"}"#),
        Some(long.as_str()),
    ];
    assert_eq!(columns(&client, "odd").await, texts(expected));
    let nul = json!({"execution_type": "a\0b", "script_version": null, "tool": "", "workers": [{"a\0": 1}], "container_name": true});
    admit(&server, "nul", nul).await;
    assert_eq!(columns(&client, "nul").await, texts([None, None, Some(""), None, Some("true")]));
    // Numbers that PostgreSQL's do not reach.
    let mut body = request("numbers", json!({})).to_string();
    body.truncate(body.len() - 1);
    let reply = server
        .http()
        .post_text("/register", format!(r#"{body},"workers":[1e-99999,1.0e308],"script_version":1.20}}"#))
        .await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    let [_, version, _, workers, _] = columns(&client, "numbers").await;
    assert_eq!(version.as_deref(), Some("1.20"), "as it was sent");
    assert!(workers.is_some_and(|workers| workers.starts_with("[0.0, 1")));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_query_of_the_successors_dashboards_shows_what_clients_send_on_an_adopted_database() {
    let database = successors_database().await;
    every_query_shows_what_clients_send(&database).await;
    let old = columns(&database.connect().await, "TEST.0001").await;
    let expected =
        [Some("distributed"), Some("1.2.0"), Some("jmeter"), Some(r#"["gen-1", "gen-2"]"#), Some("brave_turing_1")];
    assert_eq!(old, texts(expected), "old rows keep theirs");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_query_of_the_successors_dashboards_shows_what_clients_send_on_a_fresh_database() {
    every_query_shows_what_clients_send(&TestDatabase::new(Engine::Postgres).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_value_for_a_column_of_the_dashboards_stops_a_registration() {
    no_value_stops_a_registration(&successors_database().await).await;
    no_value_stops_a_registration(&TestDatabase::new(Engine::Postgres).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn columns_with_rules_of_their_own_stop_no_registration() {
    let database = successors_database().await;
    let sql = "CREATE VIEW versions AS SELECT script_version FROM test_executions;
               ALTER TABLE test_executions ADD CHECK (tool IN ('jmeter', 'k6'));
               CREATE UNIQUE INDEX one_container ON test_executions (container_name);
               ALTER TABLE test_executions DROP COLUMN workers, ADD COLUMN workers INTEGER;
               ALTER TABLE test_executions DROP COLUMN execution_type,
                   ADD COLUMN execution_type VARCHAR GENERATED ALWAYS AS ('computed') STORED;";
    database.connect().await.batch_execute(sql).await.expect("valid SQL");
    let server = TestServer::start(&database.url);
    let sent = json!({"execution_type": "distributed", "script_version": "1.20.0-rc1", "tool": "locust", "workers": ["gen-1"],
                      "container_name": "brave_turing_1"});
    for test in ["first", "second"] {
        admit(&server, test, sent.clone()).await;
    }
    let expected = [Some("computed"), Some("1.20.0-r"), None, None, None];
    assert_eq!(
        columns(&database.connect().await, "second").await,
        texts(expected),
        "a view keeps script_version narrow"
    );
    for name in ["tool", "container_name", "workers", "execution_type"] {
        assert!(server.log().contains(&format!("leave the column {name} empty")), "{name}: {}", server.log());
    }
    let narrow =
        "script_version stays as narrow as it is, and longer texts are cut there: cannot alter type of a column used";
    assert!(server.log().contains(narrow), "{}", server.log());
}

/// What the successor's clients send, with more workers than an index takes.
fn sent_by_many_workers() -> Value {
    let workers: Vec<String> =
        (0..700_u64).map(|number| format!("gen-{number}-{:x}", number * 7_919_317 % 104_729_431)).collect();
    json!({"execution_type": "distributed", "script_version": "1.2.0", "tool": "k6", "workers": workers,
           "container_name": "brave_turing_1"})
}

#[tokio::test(flavor = "multi_thread")]
async fn columns_on_which_indexes_triggers_or_other_columns_depend_stop_no_registration() {
    let database = successors_database().await;
    let sql = "CREATE UNIQUE INDEX ON test_executions (lower(container_name));
               CREATE INDEX ON test_executions (test) WHERE tool::int > 0;
               CREATE INDEX ON test_executions (workers);
               ALTER TABLE test_executions ADD COLUMN version_number INTEGER
                   GENERATED ALWAYS AS (CASE WHEN length(script_version) < 6 THEN script_version::int END) STORED;";
    let client = database.connect().await;
    client
        .batch_execute("UPDATE test_executions SET tool = '1', script_version = '1', container_name = run_id")
        .await
        .expect("valid SQL");
    client.batch_execute(sql).await.expect("valid SQL");
    let server = TestServer::start(&database.url);
    for test in ["first", "second"] {
        admit(&server, test, sent_by_many_workers()).await;
    }
    let few = json!({"execution_type": "distributed", "workers": ["gen-1"]});
    admit(&server, "few", few).await;
    assert_eq!(columns(&client, "second").await, texts([Some("distributed"), None, None, None, None]));
    assert_eq!(columns(&client, "few").await[3].as_deref(), Some(r#"["gen-1"]"#), "an index takes what is short");
    assert!(!server.log().contains("PostgreSQL refuses"), "the table shows it: {}", server.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_that_a_table_is_given_while_it_serves_stop_no_registration() {
    let database = TestDatabase::new(Engine::Postgres).await;
    let client = database.connect().await;
    let server = TestServer::start(&database.url);
    admit(&server, "before", sent_by_many_workers()).await;
    assert!(columns(&client, "before").await.iter().all(Option::is_some));
    let distributed = Some("distributed");
    let raise = "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                     IF NEW.execution_type IS NOT NULL THEN RAISE EXCEPTION 'no type today'; END IF; RETURN NEW; END $$;
                 CREATE CONSTRAINT TRIGGER refuse AFTER INSERT ON test_executions DEFERRABLE INITIALLY DEFERRED
                     FOR EACH ROW EXECUTE FUNCTION refuse();";
    for (index, (rule, left)) in [
        ("ALTER TABLE test_executions DROP COLUMN tool", "execution_type, script_version, workers, container_name"),
        (
            "UPDATE test_executions SET workers = NULL; CREATE INDEX ON test_executions (workers)",
            "execution_type, script_version, workers, container_name",
        ),
        ("UPDATE test_executions SET container_name = run_id; CREATE UNIQUE INDEX ON test_executions (lower(container_name))", "execution_type, script_version, workers"),
        ("ALTER TABLE test_executions ALTER COLUMN script_version TYPE INTEGER USING 1", "execution_type, workers"),
        (raise, "none of these columns"),
    ]
    .into_iter()
    .enumerate()
    {
        client.batch_execute(rule).await.expect("valid SQL");
        for time in ["first", "again"] {
            admit(&server, &format!("{index} {time}"), sent_by_many_workers()).await;
        }
        let warnings = || server.log().matches("PostgreSQL refuses new rows").count();
        until("a warning for each rule", || warnings() > index);
        assert_eq!(warnings(), index + 1, "one for each rule: {}", server.log());
        assert!(server.log().contains(&format!("new rows fill {left}, and")), "{rule}: {}", server.log());
    }
    let sql = "SELECT execution_type FROM test_executions WHERE test = ANY($1) ORDER BY run_id";
    let rows = client.query(sql, &[&["3 again", "4 again"].as_slice()]).await.expect("an answer");
    let types: Vec<Option<&str>> = rows.iter().map(|row| row.get(0)).collect();
    assert_eq!(types, [distributed, None]);
    assert_eq!(server.http().get("/status").await.json()["running"].as_array().map(Vec::len), Some(11));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_the_version_before_has_adopted_catches_up() {
    let database = successors_database().await;
    drop(TestServer::start(&database.url));
    let as_it_was = "DELETE FROM perfreg_migrations WHERE number >= 14;
                     DROP INDEX perfreg_executions_long;
                     ALTER TABLE test_executions ALTER COLUMN script_version TYPE VARCHAR(8),
                         ALTER COLUMN location SET NOT NULL, ALTER COLUMN factor SET NOT NULL;";
    database.connect().await.batch_execute(as_it_was).await.expect("valid SQL");
    let server = TestServer::start(&database.url);
    admit(&server, "caught up", json!({"script_version": "1.20.0-SNAPSHOT"})).await;
    let version = columns(&database.connect().await, "caught up").await[1].clone();
    assert_eq!(version.as_deref(), Some("1.20.0-SNAPSHOT"));
}
