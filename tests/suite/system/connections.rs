//! Connections that are slow, silent or too many.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::time::Instant;

use crate::support::database::{Engine, TestDatabase};
use crate::support::server::{PATIENCE, TestServer};

/// Starts a server that may open only so many files, of which it wants fewer at first.
fn start_with_files(files: usize, at_first: usize, database_url: &str) -> TestServer {
    let script = format!("ulimit -S -n {at_first} && ulimit -H -n {files} && exec \"$0\" \"$@\"");
    let serve = ["serve", "--listen", "127.0.0.1:0", "--database", database_url];
    TestServer::start_with(Command::new("sh").args(["-c", &script, env!("CARGO_BIN_EXE_perfreg")]).args(serve))
}

fn connect(server: &TestServer) -> TcpStream {
    TcpStream::connect(("127.0.0.1", server.port())).expect("it listens")
}

#[tokio::test]
async fn a_server_takes_as_many_files_as_it_may_and_says_if_they_are_few() {
    let database = TestDatabase::new(Engine::Sqlite).await;
    let server = start_with_files(300, 100, &database.url);
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", server.pid())).expect("Linux");
    let files = limits.lines().find(|line| line.starts_with("Max open files")).expect("a limit");
    assert_eq!(files.split_whitespace().nth(3), Some("300"), "{files}");
    assert!(server.log().contains("at most 220 clients can be connected"), "{}", server.log());
}

#[tokio::test]
async fn more_connections_than_there_may_be_wait_until_others_end() {
    let database = TestDatabase::new(Engine::Sqlite).await;
    let server = start_with_files(100, 100, &database.url);
    let mut silent: Vec<TcpStream> = (0..20).map(|_| connect(&server)).collect();
    let mut late = connect(&server);
    late.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").expect("sent");
    let give_up = Instant::now() + PATIENCE;
    while !server.log().contains("new ones wait until others end") {
        assert!(Instant::now() < give_up, "{}", server.log());
        tokio::task::yield_now().await;
    }
    silent.pop();
    let mut answer = String::new();
    late.read_to_string(&mut answer).expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
}
