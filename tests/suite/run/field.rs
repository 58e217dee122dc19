//! What people met in the field, each as a script of `tests/field/` that says in one line what is wrong.

use std::path::Path;
use std::process::Command;

use crate::on_both_databases;
use crate::support::server::{TestServer, perfreg};

/// Runs the script in an environment that no CI system has filled.
fn passes(server: &TestServer, script: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/field").join(script);
    let mut command = Command::new("bash");
    command.arg(path).arg(&server.url).arg(perfreg().get_program()).env_clear();
    command.envs(["PATH", "HOME"].iter().filter_map(|name| Some((name, std::env::var_os(name)?))));
    let output = command.output().expect("bash is there");
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{script}: {said}");
}

on_both_databases! {
    async fn dead_waiters_keep_no_living_one_from_starting(database: &TestDatabase) {
        passes(&TestServer::start(&database.url), "dead-waiter.sh");
    }

    async fn variables_that_are_empty_count_as_unset(database: &TestDatabase) {
        passes(&TestServer::start(&database.url), "empty-variables.sh");
    }

    async fn commands_are_looked_at_before_they_wait(database: &TestDatabase) {
        passes(&TestServer::start(&database.url), "first-look.sh");
    }

    async fn guessed_values_are_made_to_fit(database: &TestDatabase) {
        passes(&TestServer::start(&database.url), "guessed-values.sh");
    }

    async fn a_nested_run_does_not_wait_for_itself(database: &TestDatabase) {
        passes(&TestServer::start(&database.url), "nested-run.sh");
    }
}
