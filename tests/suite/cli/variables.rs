//! Variables that a CI system or a compose file sets to nothing.

use std::collections::BTreeSet;

use super::{run, serve};
use crate::support::database::{Engine, TestDatabase};
use crate::support::server::{TestServer, perfreg};

/// Every variable that the help of a command names.
fn variables_of(command: &[&str]) -> BTreeSet<String> {
    let (_, help, _) = run(&[command, &["--help"]].concat());
    let words = help.split(|character: char| !(character.is_ascii_uppercase() || character == '_'));
    words.filter(|word| word.starts_with("PERFREG_") || *word == "DATABASE_URL").map(str::to_owned).collect()
}

const BLANKS: [&str; 3] = ["", " ", "\n"];

#[tokio::test(flavor = "multi_thread")]
async fn every_variable_of_a_client_that_says_nothing_counts_as_unset() {
    let (server, _database) = serve().await;
    let variables = variables_of(&["run"]);
    assert!(variables.len() > 14 && variables.contains("PERFREG_FACTOR"), "{variables:?}");
    let job = ["--repo", "shop/web", "--stream", "main", "--environment", "prod", "--triggered-by", "ana"];
    for blank in BLANKS {
        let all = variables.iter().map(|name| (name, blank));
        let mut command = perfreg();
        command.args(["run", "--server", &server.url]).args(job).args(["--", "true"]).envs(all.clone());
        let output = command.output().expect("the binary starts");
        assert!(output.status.success(), "{blank:?}: {}", String::from_utf8_lossy(&output.stderr));
        let output = perfreg().arg("status").envs(all).output().expect("the binary starts");
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(!error.contains("is not the URL"), "{blank:?}: {error}");
    }
    let runs = server.http().get("/history").await.json();
    for (field, expected) in [("test", "true"), ("lac", "default"), ("type", "performance")] {
        assert_eq!(runs["executions"][0][field], expected, "{field}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_variable_of_a_server_that_says_nothing_counts_as_unset() {
    let variables = variables_of(&["serve"]);
    assert!(variables.len() > 6 && variables.contains("PERFREG_LISTEN"), "{variables:?}");
    for blank in BLANKS {
        let database = TestDatabase::new(Engine::Sqlite).await;
        let mut command = perfreg();
        command.args(["serve", "--listen", "127.0.0.1:0", "--database", &database.url]);
        let server = TestServer::start_with(command.envs(variables.iter().map(|name| (name, blank))));
        assert!(server.http().get("/healthz").await.status.is_success(), "{blank:?}");
    }
}
