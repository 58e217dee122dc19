//! Stopping a server loses no request that has begun.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::database::{Engine, TestDatabase};
use crate::support::http::example;
use crate::support::server::TestServer;

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_has_begun_is_answered_after_sigterm() {
    let database = TestDatabase::new(Engine::Sqlite).await;
    let mut server = TestServer::start(&database.url);
    let address = server.url.trim_start_matches("http://").to_owned();
    let body = example(serde_json::json!({})).to_string();
    let mut connection = TcpStream::connect(&address).await.expect("it listens");
    let head = format!(
        "POST /register HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
         Expect: 100-continue\r\n\r\n",
        body.len()
    );
    connection.write_all(head.as_bytes()).await.expect("sent");
    // The interim answer proves that the handler has begun to read the body.
    let mut interim = [0; 25];
    connection.read_exact(&mut interim).await.expect("100 Continue");
    server.signal("TERM");
    while TcpStream::connect(&address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    connection.write_all(body.as_bytes()).await.expect("sent");
    let mut answer = String::new();
    connection.read_to_string(&mut answer).await.expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    assert!(answer.contains("Test registered"));
    assert!(server.wait().success());
    let saved: i64 = database
        .open_file()
        .query_row("SELECT count(*) FROM test_executions", [], |row| row.get(0))
        .expect("an answer");
    assert_eq!(saved, 1);
}
