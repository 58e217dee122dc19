//! What only PostgreSQL has: a network, TLS, and other people's settings.

use std::net::TcpListener;
use std::str::FromStr;
use std::time::{Duration, Instant};

use perfreg::clock::Clock;
use perfreg::config::database::{DatabaseConfig, DatabaseUrl, Durability};
use perfreg::config::passwords::PasswordSources;
use perfreg::domain::capacity::factor::Factor;
use perfreg::domain::capacity::location::LocationName;
use perfreg::domain::execution::{Details, Outcome};
use perfreg::domain::history::{Filter, Pattern, SearchField};
use perfreg::domain::{admission::Command, answer::Answer};
use perfreg::store::{self, Batch, Store, StoreError};
use tokio_postgres::Client;

use super::contract::start;
use crate::support::database::{Engine, TestDatabase};
use crate::support::server::PATIENCE;
use crate::support::{details, registration};

async fn open(url: &str) -> Result<(), StoreError> {
    let config = DatabaseConfig {
        url: DatabaseUrl::from_str(url).expect("a database URL"),
        connections: 2,
        durability: Durability::Local,
        passwords: PasswordSources::default(),
    };
    store::open(&config, Clock::Real)?.prepare().await
}

fn authority() -> String {
    std::env::var("PERFREG_TEST_POSTGRES_CA").expect("PERFREG_TEST_POSTGRES_CA is not set: run ./test, which sets it")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_verified_tls_connection_is_encrypted_and_a_wrong_authority_is_refused() {
    let database = TestDatabase::new(Engine::Postgres).await;
    let url = format!("{}?sslmode=verify-full&sslrootcert={}", database.direct_url, authority());
    let config = DatabaseConfig {
        url: DatabaseUrl::from_str(&url).expect("a database URL"),
        connections: 2,
        durability: Durability::Local,
        passwords: PasswordSources::default(),
    };
    let store = store::open(&config, Clock::Real).expect("a usable configuration");
    store.prepare().await.expect("a connection");
    let encrypted = "SELECT count(*) FILTER (WHERE ssl), count(*) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)
                      WHERE application_name = 'perfreg' AND datname = current_database()";
    let row = database.connect().await.query_one(encrypted, &[]).await.expect("an answer");
    assert_eq!((row.get::<_, i64>(0), row.get::<_, i64>(1)), (1, 1));

    let error = open(&format!("{}?sslmode=verify-full", database.direct_url)).await.expect_err("an unknown authority");
    assert!(error.to_string().contains("UnknownIssuer"), "{error}");
    open(&format!("{}?sslmode=require", database.direct_url)).await.expect("encrypted, not verified");
    open(&format!("{}?sslmode=disable", database.direct_url)).await.expect("not encrypted");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_will_not_do_is_told_in_a_sentence() {
    let database = TestDatabase::new(Engine::Postgres).await;
    let (server, _) = database.direct_url.rsplit_once('/').expect("a database");
    for (url, reason) in [
        (format!("{server}/nowhere"), "database \"nowhere\" does not exist"),
        (database.direct_url.replace("postgres@", "nobody@"), "role \"nobody\" does not exist"),
        (format!("{}?sslmode=verify-full&sslrootcert=/nowhere.pem", database.direct_url), "sslrootcert=/nowhere.pem"),
        (format!("{}?connect_timeout=soon", database.direct_url), "invalid value for option `connect_timeout`"),
    ] {
        let error = open(&url).await.expect_err("unusable");
        assert!(matches!(&error, StoreError::Unsuitable(text) if text.contains(reason)), "{url}: {error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hosts_that_are_frozen_or_gone_do_not_keep_the_primary_from_being_found() {
    let database = TestDatabase::new(Engine::Postgres).await;
    // It accepts connections, or the operating system does for it, and says nothing.
    let frozen = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let frozen_port = frozen.local_addr().expect("an address").port();
    let (user, address) = database.url.split_once('@').expect("a user");
    // Nobody listens at port 1.
    let url = format!("{user}@127.0.0.1:{frozen_port},127.0.0.1:1,{address}");
    let begin = Instant::now();
    open(&url).await.expect("the third is the primary");
    assert!(begin.elapsed() < Duration::from_secs(10), "they were asked one after the other: {:?}", begin.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn where_no_host_takes_writes_the_reason_is_told_while_one_says_nothing() {
    let frozen = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let frozen_port = frozen.local_addr().expect("an address").port();
    let begin = Instant::now();
    let error = open(&format!("postgresql://postgres@127.0.0.1:{frozen_port},127.0.0.1:1/registry")).await;
    let error = error.expect_err("nobody takes writes");
    assert!(matches!(&error, StoreError::Unavailable(reason) if reason.contains("refused")), "{error}");
    assert!(begin.elapsed() < Duration::from_secs(10), "it waited for the frozen one: {:?}", begin.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_primary_that_is_slow_to_answer_is_found_where_another_host_refuses() {
    let database = TestDatabase::new(Engine::Postgres).await;
    let (user, rest) = database.url.split_once('@').expect("a user");
    let (address, name) = rest.split_once('/').expect("a database");
    let slow = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let port = slow.local_addr().expect("an address").port();
    let address = address.to_owned();
    tokio::spawn(async move {
        while let Ok((mut client, _)) = slow.accept().await {
            let address = address.clone();
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_millis(1_500)).await;
                let mut server = tokio::net::TcpStream::connect(address).await.expect("the database is there");
                tokio::io::copy_bidirectional(&mut client, &mut server).await
            });
        }
    });
    open(&format!("{user}@127.0.0.1:{port},127.0.0.1:1/{name}")).await.expect("the first is the primary");
}

#[tokio::test(flavor = "multi_thread")]
async fn stricter_default_isolation_admits_no_more() {
    let database = TestDatabase::new(Engine::Postgres).await;
    let name = database.url.rsplit_once('/').expect("a database").1;
    let setting = format!("ALTER DATABASE {name} SET default_transaction_isolation = 'repeatable read'");
    database.connect().await.batch_execute(&setting).await.expect("a setting");
    let store = database.store(Clock::Real).await;
    start(store.as_ref(), details(Some("here"), "0.001")).await;
    let attempts = (0..32).map(|_| {
        let store = store.clone();
        tokio::spawn(async move {
            let command = Command::Register(registration(details(Some("here"), "0.3")));
            let batch = Batch::of(Some(LocationName::new("here")), vec![command]);
            store.decide(&batch).await.expect("a decision").answers.remove(0).expect("decided").remove(0)
        })
    });
    let mut admitted = 0;
    for attempt in attempts.collect::<Vec<_>>() {
        admitted += usize::from(matches!(attempt.await.expect("no panic"), Answer::Registered(_)));
    }
    assert_eq!(admitted, 3);
    let used = store.locations().await.expect("the locations")[0].used;
    assert_eq!(used, Factor::parse("0.901").expect("a factor"));
}

#[tokio::test(flavor = "multi_thread")]
async fn dashboards_read_the_factor_as_a_plain_number() {
    let database = TestDatabase::new(Engine::Postgres).await;
    let store = database.store(Clock::Real).await;
    for factor in ["0.5", "0", "0.000001"] {
        start(store.as_ref(), details(None, factor)).await;
    }
    let rows = database
        .connect()
        .await
        .query("SELECT factor::text FROM test_executions ORDER BY run_id", &[])
        .await
        .expect("an answer");
    let factors: Vec<&str> = rows.iter().map(|row| row.get(0)).collect();
    assert_eq!(factors, ["0.5", "0", "0.000001"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_who_may_not_create_extensions_finds_the_same() {
    let database = TestDatabase::new(Engine::Postgres).await;
    let client = database.connect().await;
    let name = database.url.rsplit_once('/').expect("a database").1;
    let role = format!("limited_{name}");
    client
        .batch_execute(&format!("CREATE ROLE {role} LOGIN; GRANT CREATE ON SCHEMA public TO {role}"))
        .await
        .expect("a role");
    let limited = database.url.replace("postgres@", &format!("{role}@"));
    let config = DatabaseConfig {
        url: DatabaseUrl::from_str(&limited).expect("a database URL"),
        connections: 2,
        durability: Durability::Local,
        passwords: PasswordSources::default(),
    };
    let has_trigrams = "SELECT to_regclass('perfreg_terms_trigrams') IS NOT NULL";
    let filter = Filter { patterns: vec![(SearchField::Stream, Pattern::new("%ai%in%"))], ..Filter::default() };
    for is_allowed in [false, true] {
        if is_allowed {
            let grant = format!("GRANT CREATE ON DATABASE {name} TO {role}");
            client.batch_execute(&grant).await.expect("a privilege");
        }
        let store = store::open(&config, Clock::Real).expect("a usable configuration");
        store.prepare().await.expect("a usable database");
        assert_eq!(client.query_one(has_trigrams, &[]).await.expect("an answer").get::<_, bool>(0), is_allowed);
        start(store.as_ref(), Details { stream: "plain-chain".to_owned(), ..details(None, "0") }).await;
        let found = store.executions(&filter, None, 10).await.expect("a page").executions.len();
        assert_eq!(found, 1 + usize::from(is_allowed));
    }
    client.batch_execute(&format!("DROP OWNED BY {role}; DROP ROLE {role}")).await.expect("no role");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_gives_up_a_location_leaves_nobody_waiting_in_the_database() {
    let database = TestDatabase::new(Engine::Postgres).await;
    let store = database.store(Clock::Real).await;
    start(store.as_ref(), details(Some("here"), "0.1")).await;
    let other = database.connect().await;
    let hold = "BEGIN; SELECT FROM perfreg_locations WHERE name = 'here' FOR UPDATE";
    other.batch_execute(hold).await.expect("it is free");
    let command = Command::Register(registration(details(Some("here"), "0.1")));
    let error = store.decide(&Batch::of(Some(LocationName::new("here")), vec![command])).await.expect_err("it is held");
    assert!(matches!(&error, StoreError::Unavailable(reason) if reason.contains("for too long")), "{error}");
    let waiting =
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    assert_eq!(other.query_one(waiting, &[]).await.expect("a number").get::<_, i64>(0), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_time_of_a_decision_is_read_after_it_has_waited_for_its_lock() {
    let database = TestDatabase::new(Engine::Postgres).await;
    let store = database.store(Clock::Real).await;
    let registered = || Command::Register(registration(details(Some("here"), "0.1")));
    let here = || Some(LocationName::new("here"));
    store.decide(&Batch::of(here(), vec![registered()])).await.expect("an answer");
    let holder = database.connect().await;
    let lock = "BEGIN; SELECT FROM perfreg_locations WHERE name = 'here' FOR UPDATE";
    holder.batch_execute(lock).await.expect("a lock");
    let waits = tokio::spawn(async move { store.decide(&Batch::of(here(), vec![registered()])).await });
    let waiting =
        "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock')";
    let observer = database.connect().await;
    while !observer.query_one(waiting, &[]).await.expect("a word").get::<_, bool>(0) {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let now = holder.query_one("SELECT clock_timestamp()", &[]).await.expect("a time").get::<_, jiff::Timestamp>(0);
    holder.batch_execute("COMMIT").await.expect("the lock is given back");
    let decided = waits.await.expect("no panic").expect("an answer");
    let Some([Answer::Registered(run)]) = decided.answers[0].as_deref() else { panic!("{decided:?}") };
    assert!(run.start_time >= now, "it started at {}, but had its lock after {now}", run.start_time);
}

/// Registers there until statements have names, has a column's type changed, and registers again.
async fn register_around_a_change(url: &str, client: &Client, kind: &str) -> Result<(), StoreError> {
    let config = DatabaseConfig {
        url: DatabaseUrl::from_str(url).expect("a database URL"),
        connections: 1,
        durability: Durability::Local,
        passwords: PasswordSources::default(),
    };
    let store = store::open(&config, Clock::Real).expect("a usable configuration");
    store.prepare().await.expect("a usable database");
    for _ in 0..3 {
        start(store.as_ref(), details(Some("here"), "0")).await;
    }
    let change = format!("ALTER TABLE perfreg_locations ALTER state_reason TYPE {kind}");
    client.batch_execute(&change).await.expect("another type");
    let register = || Command::Register(registration(details(Some("here"), "0")));
    let batch = || Batch::of(Some(LocationName::new("here")), vec![register()]);
    let first = store.decide(&batch()).await.map(|_| ());
    store.decide(&batch()).await.expect("a decision at the second attempt");
    first
}

#[tokio::test(flavor = "multi_thread")]
async fn statements_have_names_but_behind_a_pooler_and_a_column_that_changes_costs_one_attempt() {
    let database = TestDatabase::new(Engine::Postgres).await;
    let client = database.connect().await;
    for (tls, kind) in [("disable", "varchar"), ("prefer", "text"), ("require", "varchar")] {
        let url = format!("{}?sslmode={tls}", database.direct_url);
        let error = register_around_a_change(&url, &client, kind).await.expect_err("a stale statement");
        assert!(matches!(error, StoreError::Conflict(_)), "{tls}: {error}");
    }
    if database.url != database.direct_url {
        register_around_a_change(&database.url, &client, "text").await.expect("statements without names");
    }
}

/// Starts and ends a test there, so often.
async fn start_and_complete(store: &dyn Store, times: usize) {
    for _ in 0..times {
        let run_id = start(store, details(Some("here"), "0.1")).await.run_id;
        let end = Command::Complete { run_id, outcome: Outcome::Success, token: None };
        store.decide(&Batch::of(Some(LocationName::new("here")), vec![end])).await.expect("a decision");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_grows_is_not_read_whole_for_ever_though_nobody_analyzes_it() {
    const GROWTH: i64 = 50_000;
    const LATER: usize = 200;
    let database = TestDatabase::new(Engine::Postgres).await;
    let config = DatabaseConfig { connections: 1, ..database.config() };
    let store = store::open(&config, Clock::Real).expect("a usable configuration");
    store.prepare().await.expect("a usable database");
    let client = database.connect().await;
    let off = "ALTER TABLE test_executions SET (autovacuum_enabled = false)";
    client.batch_execute(off).await.expect("a setting");
    start_and_complete(store.as_ref(), 20).await;
    let grow = format!(
        "INSERT INTO test_executions (id, run_id, repo, lac, stream, test, type, environment, triggered_by, status, start_time, end_time)
         SELECT gen_random_uuid(), 1000000 + n, 'r', 'l', 's', 't', 'k', 'e', 'u', 'success', now(), now() FROM generate_series(1, {GROWTH}) AS n"
    );
    client.batch_execute(&grow).await.expect("rows");
    start_and_complete(store.as_ref(), LATER).await;
    // A connection that ends tells what it has read.
    drop(store);
    let others = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()";
    let give_up = Instant::now() + PATIENCE;
    while client.query_one(others, &[]).await.expect("a number").get::<_, i64>(0) > 0 {
        assert!(Instant::now() < give_up, "its connection stays open");
        tokio::task::yield_now().await;
    }
    let read = "SELECT (SELECT sum(idx_tup_read) FROM pg_stat_user_indexes WHERE relname = 'test_executions')::bigint
                     + (SELECT seq_tup_read FROM pg_stat_user_tables WHERE relname = 'test_executions')";
    let read: i64 = client.query_one(read, &[]).await.expect("a number").get(0);
    assert!(read < GROWTH * LATER as i64 / 4, "{read} rows or entries were read");
}
