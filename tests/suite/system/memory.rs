//! Long lists need little memory.

use futures_util::StreamExt;

use crate::on_both_databases;
use crate::support::database::TestDatabase;
use crate::support::server::{TestServer, peak_memory_bytes};

const ROWS: usize = 200_000;
const MOST_BYTES: u64 = 64 * 1024 * 1024;
const COLUMNS: &str = "id, repo, lac, stream, test, type, environment, triggered_by, status, start_time, end_time, \
     factor_millionths, dashboard_url, location, extra";

fn sqlite_rows() -> String {
    format!(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {ROWS})
         INSERT INTO test_executions ({COLUMNS})
         SELECT printf('00000000-0000-4000-8000-%012d', i), 'myrepo', 'lac1', 'main', 'load', 'performance', 'prod',
                'user1', 'success', printf('2026-01-%02dT00:00:%02d.000000Z', i % 28 + 1, i % 60),
                '2026-02-01T00:00:00.000000Z', 500000, 'https://dashboard.example.com/run/123', 'azure-k8s', '{{}}' FROM n"
    )
}

fn postgres_rows() -> String {
    format!(
        "INSERT INTO test_executions (run_id, factor, {COLUMNS})
         SELECT nextval('perfreg_run_id'), 0.5, ('00000000-0000-4000-8000-' || lpad(i::text, 12, '0'))::uuid, 'myrepo',
                'lac1', 'main', 'load', 'performance', 'prod', 'user1', 'success', now() - i % 1000 * interval '1 s', now(),
                500000, 'https://dashboard.example.com/run/123', 'azure-k8s', '{{}}' FROM generate_series(1, {ROWS}) AS i"
    )
}

/// Reads the whole history; gives back how many rows it had.
async fn read_history(server: &TestServer) -> usize {
    let mut body = reqwest::get(format!("{}/history", server.url)).await.expect("an answer").bytes_stream();
    let (mut braces, mut tail) = (0, Vec::new());
    while let Some(chunk) = body.next().await {
        let chunk = chunk.expect("the whole answer");
        braces += chunk.split(|byte| *byte == b'{').count() - 1;
        tail = [tail, chunk.to_vec()].concat();
        tail.drain(..tail.len().saturating_sub(20));
    }
    assert!(tail.ends_with(b"],\"next\":null}"), "{}", String::from_utf8_lossy(&tail));
    // One opens the answer; every row has one, and another for its extra.
    (braces - 1) / 2
}

async fn execute(database: &TestDatabase, sqlite: &str, postgres: &str) {
    if database.url.starts_with("sqlite:") {
        database.open_file().execute_batch(sqlite).expect("valid SQL");
    } else {
        database.connect().await.batch_execute(postgres).await.expect("valid SQL");
    }
}

on_both_databases! {
    async fn a_history_of_the_largest_rows_stays_below_64_mib_as_well(database: &TestDatabase) {
        let server = TestServer::start(&database.url);
        let few = |rows: String| rows.replace(&ROWS.to_string(), "4000");
        let fat = "UPDATE test_executions SET extra = '{\"x\": \"' || {} || '\"}'";
        let sqlite = format!("{}; {}", few(sqlite_rows()), fat.replace("{}", "replace(hex(zeroblob(8000)), '00', 'xx')"));
        let postgres = format!("{}; {}", few(postgres_rows()), fat.replace("{}", "repeat('x', 16000)").replace("'\"}'", "'\"}')::json").replace("= '{", "= ('{"));
        execute(database, &sqlite, &postgres).await;
        assert_eq!(read_history(&server).await, 4_000);
        assert!(peak_memory_bytes(server.pid()) < MOST_BYTES, "{} bytes", peak_memory_bytes(server.pid()));
    }

    async fn a_history_of_200_000_rows_stays_below_64_mib(database: &TestDatabase) {
        let server = TestServer::start(&database.url);
        execute(database, &sqlite_rows(), &postgres_rows()).await;
        assert_eq!(read_history(&server).await, ROWS);
        let peak = peak_memory_bytes(server.pid());
        println!("peak memory of the server: {} MiB", peak / 1024 / 1024);
        assert!(peak < MOST_BYTES, "{peak} bytes");
    }
}
