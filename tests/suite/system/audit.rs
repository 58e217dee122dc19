//! A row that was changed by hand is found and named, on every way that somebody looks.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::on_both_databases;
use crate::support::database::execute;
use crate::support::http::Http;
use crate::support::server::{PATIENCE, TestServer};

/// What `/readyz` says once the first audit is over.
async fn audited(http: &Http) -> String {
    let give_up = Instant::now() + PATIENCE;
    loop {
        let reply = http.get("/readyz").await;
        assert_eq!(reply.status, 200, "traffic goes on: {}", reply.text);
        match reply.json()["audit"].as_str() {
            Some("pending") => assert!(Instant::now() < give_up, "nothing is audited"),
            said => return said.expect("a text").to_owned(),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

on_both_databases! {
    async fn what_somebody_changed_by_hand_is_told_by_the_log_by_readyz_and_by_a_metric(database: &TestDatabase) {
        let server = TestServer::start(&database.url);
        server.http().admit(json!({"factor": 0.5, "location": "here"})).await;
        server.http().admit(json!({"factor": 0.5, "location": "there"})).await;
        assert_eq!(audited(&server.http()).await, "agrees");
        let metrics = server.http().get("/metrics").await;
        for line in ["perfreg_audit_differences 0", "perfreg_audits_total 1"] {
            assert!(metrics.text.lines().any(|found| found == line), "{line:?} in {}", metrics.text);
        }
        drop(server);
        execute(database, "UPDATE perfreg_locations SET used_millionths = 0 WHERE name = 'here'").await;
        let server = TestServer::start(&database.url);
        assert_eq!(audited(&server.http()).await, "differs");
        let log = server.log();
        let line = log.lines().find(|line| line.contains("ERROR")).unwrap_or_else(|| panic!("no error in {log}"));
        let sentence = "the location's row says 0 in use by 1 running, 0 of them with a lease, and 0 waiting, but its \
                        executions say 0.5 in use by 1 running, 0 of them with a lease, and 0 waiting";
        assert!(line.contains(sentence) && line.contains("docs/operate/audit.md") && line.contains("\"here\""), "{line}");
        let metrics = server.http().get("/metrics").await.text;
        for beginning in ["perfreg_audit_differences 1", "perfreg_build_info{version=", "perfreg_audit_last_end_timestamp_seconds 1"] {
            assert!(metrics.lines().any(|line| line.starts_with(beginning)), "{beginning:?} in {metrics}");
        }
    }
}
