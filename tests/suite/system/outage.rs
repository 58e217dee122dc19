//! A database that goes away and comes back.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::database::{Engine, TestDatabase};
use crate::support::http::{Http, Reply, example};
use crate::support::proxy::Proxy;
use crate::support::server::{PATIENCE, TestServer, perfreg};

/// The database's URL, by way of the proxy and with a password that nobody may see.
fn through(proxy: &Proxy, database: &TestDatabase) -> String {
    let (_, name) = database.url.rsplit_once('/').expect("a database");
    format!("postgresql://postgres:s3cret@127.0.0.1:{}/{name}", proxy.port)
}

fn address(database: &TestDatabase) -> String {
    let (_, rest) = database.url.split_once('@').expect("a user");
    rest.split('/').next().expect("a host").to_owned()
}

async fn wait_until_ready(http: &Http) {
    let give_up = Instant::now() + PATIENCE;
    while http.get("/readyz").await.status != 200 {
        assert!(Instant::now() < give_up, "it does not recover");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn assert_unavailable(reply: &Reply) {
    assert_eq!(reply.status, 503, "{}", reply.text);
    assert!(reply.header("retry-after").parse::<u32>().is_ok_and(|seconds| seconds > 0));
    assert!(reply.text.contains("The database does not answer"), "{}", reply.text);
}

fn assert_unsuitable(reply: &Reply) {
    assert_eq!(reply.status, 503, "{}", reply.text);
    assert!(reply.text.contains("The database cannot be used until a person mends it"), "{}", reply.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_waits_for_its_database_and_says_so() {
    let database = TestDatabase::new(Engine::Postgres).await;
    let proxy = Proxy::start(address(&database), false).await;
    let url = through(&proxy, &database);
    let port = TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a free port").port();
    let listen = format!("127.0.0.1:{port}");
    let starting = tokio::task::spawn_blocking({
        let listen = listen.clone();
        move || TestServer::start_with(perfreg().args(["serve", "--listen", &listen, "--database", &url]))
    });
    let http = Http::new(&format!("http://{listen}"));
    let give_up = Instant::now() + PATIENCE;
    while tokio::net::TcpStream::connect(&listen).await.is_err() {
        assert!(Instant::now() < give_up, "it does not listen");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(http.get("/healthz").await.status, 200);
    assert_unavailable(&http.get("/readyz").await);
    assert_unavailable(&http.post("/register", &example(json!({}))).await);
    proxy.set_up(true);
    let server = starting.await.expect("it announces itself");
    http.admit(json!({})).await;
    let log = server.log();
    assert!(log.contains("waiting for the database: cannot reach PostgreSQL at 127.0.0.1:"), "{log}");
    assert!(!log.contains("s3cret"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_is_a_503_and_heals_by_itself() {
    let database = TestDatabase::new(Engine::Postgres).await;
    let proxy = Proxy::start(address(&database), true).await;
    let server = TestServer::start(&through(&proxy, &database));
    let http = server.http();
    let run = http.admit(json!({})).await;

    proxy.set_up(false);
    for path in ["/readyz", "/status", "/history", "/locations", "/executions/1"] {
        assert_unavailable(&http.get(path).await);
    }
    let end = json!({"run_id": run["run_id"], "status": "success"});
    assert_unavailable(&http.post("/complete", &end).await);
    assert_unavailable(&http.post("/register", &example(json!({"location": null}))).await);
    let page = http.page("/status-html").await;
    assert_eq!((page.status.as_u16(), page.header("content-type")), (503, "text/html; charset=utf-8"));
    assert!(page.text.contains("The database does not answer"));
    assert!(!page.header("retry-after").is_empty());

    proxy.set_up(true);
    wait_until_ready(&http).await;
    assert_eq!(http.get("/history").await.json()["executions"].as_array().map(Vec::len), Some(1));
    assert_eq!(http.post("/complete", &end).await.status, 200);
    assert!(!server.log().contains("s3cret"), "{}", server.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_lead_nowhere_are_given_up_together() {
    let database = TestDatabase::new(Engine::Postgres).await;
    let proxy = Proxy::start(address(&database), true).await;
    let server = TestServer::start(&through(&proxy, &database));
    let http = server.http();
    // While nobody can read, each list holds a connection of its own.
    let lock = database.connect().await;
    lock.batch_execute("BEGIN; LOCK test_executions IN ACCESS EXCLUSIVE MODE").await.expect("a lock");
    let lists = (0..16).map(|_| {
        let http = server.http();
        tokio::spawn(async move { http.get("/history").await.status })
    });
    let lists: Vec<_> = lists.collect();
    tokio::time::sleep(Duration::from_secs(1)).await;
    lock.batch_execute("COMMIT").await.expect("an end");
    for list in lists {
        assert_eq!(list.await.expect("no panic"), 200);
    }

    proxy.hang();
    // The first to meet such a connection waits for it, and nobody after.
    let begin = Instant::now();
    for _ in 0..8 {
        http.get("/history").await;
    }
    assert_eq!(http.get("/history").await.status, 200);
    http.admit(json!({})).await;
    assert!(begin.elapsed() < Duration::from_secs(16), "each is waited for: {:?}", begin.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_short_interruption_is_not_noticed_by_those_who_register() {
    let database = TestDatabase::new(Engine::Postgres).await;
    let proxy = Proxy::start(address(&database), true).await;
    let server = TestServer::start(&through(&proxy, &database));
    let http = server.http();
    http.admit(json!({"location": null})).await;
    proxy.set_up(false);
    let waiting = tokio::spawn(async move { http.admit(json!({"location": null})).await });
    tokio::time::sleep(Duration::from_millis(200)).await;
    proxy.set_up(true);
    assert_eq!(waiting.await.expect("it is admitted")["run_id"], 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_database_refuses_spoils_nobody_elses_command() {
    let database = TestDatabase::new(Engine::Postgres).await;
    let server = TestServer::start(&database.url);
    let rule = "ALTER TABLE test_executions ADD CHECK (test <> 'poison')";
    database.connect().await.batch_execute(rule).await.expect("valid SQL");
    let attempts = (0..30).map(|number| {
        let (http, test) = (server.http(), if number % 10 == 0 { "poison" } else { "load" });
        tokio::spawn(
            async move { http.post("/register", &example(json!({"factor": 0.01, "test": test}))).await.status },
        )
    });
    let mut statuses = Vec::new();
    for attempt in attempts.collect::<Vec<_>>() {
        statuses.push(attempt.await.expect("no panic").as_u16());
    }
    statuses.sort_unstable();
    assert_eq!(statuses, [vec![200; 27], vec![500; 3]].concat());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_changed_under_the_server_is_a_503_until_it_is_put_right() {
    let database = TestDatabase::new(Engine::Postgres).await;
    let server = TestServer::start(&database.url);
    let http = server.http();
    http.admit(json!({"stream": "main", "test": "before", "location": null})).await;
    http.post("/cancel", &json!({"run_id": 1})).await;
    let client = database.connect().await;
    client
        .batch_execute("DELETE FROM test_executions; ALTER TABLE perfreg_locations RENAME TO gone")
        .await
        .expect("valid SQL");
    assert_unsuitable(&http.post("/register", &example(json!({}))).await);
    // What the server remembers of the database need not be true of what was restored.
    let restore =
        "ALTER TABLE gone RENAME TO perfreg_locations; DELETE FROM perfreg_terms; DELETE FROM perfreg_profiles";
    client.batch_execute(restore).await.expect("valid SQL");
    http.admit(json!({})).await;
    let found = http.get("/history?stream=main").await.json();
    assert_eq!(found["executions"].as_array().map(Vec::len), Some(1), "it can be searched for");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_file_that_was_deleted_takes_nothing_on() {
    let database = TestDatabase::new(Engine::Sqlite).await;
    let server = TestServer::start(&database.url);
    let http = server.http();
    http.admit(json!({})).await;
    let path = database.url.strip_prefix("sqlite:").expect("a file");
    std::fs::rename(path, format!("{path}.moved")).expect("it is there");
    assert_unsuitable(&http.post("/register", &example(json!({"location": null}))).await);
    assert_unsuitable(&http.get("/readyz").await);
    assert!(server.log().contains("was moved, deleted or replaced"), "{}", server.log());
    std::fs::rename(format!("{path}.moved"), path).expect("it is there");
    http.admit(json!({"location": null})).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_location_that_somebody_holds_keeps_nobody_alive_elsewhere_after_an_outage() {
    let database = TestDatabase::new(Engine::Postgres).await;
    let server = TestServer::start(&database.url);
    let http = server.http();
    http.admit(json!({"location": "held", "lease_seconds": 10})).await;
    let dead = http.admit(json!({"location": "free", "lease_seconds": 10})).await;
    let mut client = database.connect().await;
    let lock = client.transaction().await.expect("a transaction");
    lock.batch_execute("SELECT FROM perfreg_locations WHERE name = 'held' FOR UPDATE").await.expect("a lock");
    // Longer than a pulse lasts.
    server.signal("STOP");
    tokio::time::sleep(Duration::from_secs(7)).await;
    server.signal("CONT");
    let (path, give_up) = (format!("/executions/{}", dead["run_id"]), Instant::now() + PATIENCE);
    while http.get(&path).await.json()["end_reason"] != "lost" {
        assert!(Instant::now() < give_up, "it is still not given up");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}
