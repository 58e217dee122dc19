//! What people met in the field, each as a script of `tests/field/` that says in one line what is wrong.

use std::path::Path;
use std::process::Command;

use crate::on_both_databases;
use crate::support::database::{Engine, TestDatabase};
use crate::support::nginx::{Nginx, free_port};
use crate::support::server::{TestServer, perfreg};

fn passes(server: &TestServer, script: &str) {
    passes_at(&server.url, script);
}

/// Runs the script in an environment that no CI system has filled.
fn passes_at(url: &str, script: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/field").join(script);
    let mut command = Command::new("bash");
    command.arg(path).arg(url).arg(perfreg().get_program()).env_clear();
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

    async fn events_arrive_at_once_also_through_nginx(database: &TestDatabase) {
        let server = TestServer::start(&database.url);
        passes(&server, "event-stream.sh");
        passes_at(&Nginx::before(&server.url, free_port()).url, "event-stream.sh");
    }

    async fn the_habits_of_the_originals_users_are_kept_also_behind_nginx(database: &TestDatabase) {
        let server = TestServer::start(&database.url);
        passes(&server, "original-habits.sh");
        passes_at(&Nginx::below_a_path_before(&server.url, free_port()).url, "original-habits.sh");
    }

    async fn every_link_of_every_page_holds_below_a_path_that_nginx_adds(database: &TestDatabase) {
        let server = TestServer::start(&database.url);
        passes(&server, "path-prefix.sh");
        passes_at(&Nginx::below_a_path_before(&server.url, free_port()).url, "path-prefix.sh");
    }

    async fn a_registry_that_has_moved_is_told_and_not_asked_by_another_method(database: &TestDatabase) {
        passes(&TestServer::start(&database.url), "redirect.sh");
    }

    async fn a_line_that_is_redrawn_stays_one_line_in_any_script(database: &TestDatabase) {
        passes(&TestServer::start(&database.url), "wide-names.sh");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_links_to_where_people_find_it_behind_a_proxy() {
    let database = TestDatabase::new(Engine::Sqlite).await;
    let (port, own_port) = (free_port(), free_port());
    let (public, own) = (format!("http://127.0.0.1:{port}/perfreg"), format!("127.0.0.1:{own_port}"));
    let mut serve = perfreg();
    serve.args(["serve", "--listen", &own, "--public-url", &public, "--database", &database.url]);
    let server = TestServer::start_with(&mut serve);
    assert_eq!(server.url, public, "it announces its public URL");
    let own = format!("http://{own}");
    let _nginx = Nginx::below_a_path_before(&own, port);
    let run = ["run", "--server", &own, "--location", "here", "--factor", "0.5", "--repo", "r"];
    let rest = ["--stream", "s", "--triggered-by", "u", "--", "true"];
    let output = perfreg().args(run).args(rest).output();
    let said = String::from_utf8(output.expect("the binary runs").stderr).expect("text");
    assert!(said.contains(&format!("run 1 may start at here (0.5 of 1): {public}/runs/1\n")), "{said}");
    assert!(server.http().get("/runs/1").await.text.contains("<title>true 1 "), "the link leads to the run");
}

/// On both databases at once, since it takes a minute.
#[tokio::test(flavor = "multi_thread")]
async fn an_idle_connection_outlives_that_of_a_load_balancer() {
    let databases = [TestDatabase::new(Engine::Sqlite).await, TestDatabase::new(Engine::Postgres).await];
    let servers = databases.each_ref().map(|database| TestServer::start(&database.url));
    std::thread::scope(|scope| {
        for server in &servers {
            scope.spawn(|| passes(server, "idle-connection.sh"));
        }
    });
}
