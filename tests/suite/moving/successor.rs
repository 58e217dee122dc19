//! The capacities that a database of the original's successor brings along.

use serde_json::json;

use super::successors_database;
use crate::support::database::TestDatabase;
use crate::support::http::example;
use crate::support::server::TestServer;

/// What stands in the tables that are not ours.
async fn their_rows(database: &TestDatabase) -> String {
    let sql = "SELECT (SELECT string_agg(row::text, ';' ORDER BY id) FROM locations AS row)
                   || (SELECT string_agg(row::text, ';' ORDER BY parameter) FROM configurations AS row)";
    database.connect().await.query_one(sql, &[]).await.expect("an answer").get(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_successors_locations_admit_what_its_workers_carry_without_an_admins_hand() {
    let database = successors_database().await;
    let before = their_rows(&database).await;
    let server = TestServer::start(&database.url);
    let http = server.http();
    for (location, factor) in [("on-premise-vm", 3.0), ("on-premise-vm", 2.0), ("azure-vm", 3.0), ("aws-vm", 2.0)] {
        http.admit(json!({"location": location, "factor": factor})).await;
    }
    for location in ["on-premise-vm", "azure-vm", "aws-vm"] {
        let refused = http.post("/register", &example(json!({"location": location, "factor": 0.01}))).await;
        assert_eq!(refused.status, 409, "{}", refused.text);
    }
    let capacity = async |name: &str| http.get(&format!("/locations/{name}")).await.json()["capacity"].to_string();
    for (name, expected) in [
        ("on-premise-vm", "5.000001"),
        ("azure-vm", "3.000001"),
        ("spaced%20out", "0.750001"),
        ("it's%20%22quoted%22", "1000"),
    ] {
        assert_eq!(capacity(name).await, expected, "{name}");
    }
    assert_eq!(their_rows(&database).await, before, "their rows are untouched");
    for told in [
        "aws-vm 2.000001, azure-vm 3.000001",
        "no worker that is up at asleep-vm, negative-vm, strange-vm; the default capacity of 1 holds there",
        "2 locations of the table locations have a name that no test can give",
    ] {
        assert!(server.log().contains(told), "{told}: {}", server.log());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn capacities_that_cannot_be_read_stop_no_adoption() {
    let database = successors_database().await;
    let sql = "ALTER TABLE locations ALTER COLUMN factor TYPE VARCHAR; UPDATE locations SET factor = 'much'";
    database.connect().await.batch_execute(sql).await.expect("valid SQL");
    let server = TestServer::start(&database.url);
    server.http().admit(json!({"location": "on-premise-vm", "factor": 0.9})).await;
    assert!(server.log().contains("set them with perfreg locations set"), "{}", server.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_elses_table_of_locations_is_not_read() {
    let database = successors_database().await;
    database.connect().await.batch_execute("ALTER TABLE locations DROP COLUMN servername").await.expect("valid SQL");
    let server = TestServer::start(&database.url);
    let refused = server.http().post("/register", &example(json!({"location": "on-premise-vm", "factor": 2.0}))).await;
    assert_eq!(refused.status, 422, "{}", refused.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_capacity_that_was_set_since_stays_at_the_next_start() {
    let database = successors_database().await;
    let server = TestServer::start(&database.url);
    let set = server.http().send(reqwest::Method::PUT, "/locations/aws-vm", &json!({"capacity": 7})).await;
    assert_eq!(set.status, 200);
    drop(server);
    let server = TestServer::start(&database.url);
    assert_eq!(server.http().get("/locations/aws-vm").await.json()["capacity"], json!(7));
}
