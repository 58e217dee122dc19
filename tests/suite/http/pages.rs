//! The pages for people.

use serde_json::json;

use crate::support::database::{Engine, TestDatabase};
use crate::support::http::Http;
use crate::support::server::TestServer;

/// A server on an empty SQLite file, for tests to which the database does not matter.
pub async fn serve() -> (TestServer, TestDatabase) {
    let database = TestDatabase::new(Engine::Sqlite).await;
    (TestServer::start(&database.url), database)
}

/// Runs a statement in which `{}` stands for the time so many seconds ago.
pub async fn set_back(database: &TestDatabase, statement: &str, seconds: i64) {
    let ago = perfreg::clock::now() - jiff::SignedDuration::from_secs(seconds);
    let sql = statement.replace("{}", &format!("'{ago:.6}'"));
    if database.url.starts_with("sqlite:") {
        database.open_file().execute_batch(&sql).expect("valid SQL");
    } else {
        database.connect().await.batch_execute(&sql).await.expect("valid SQL");
    }
}

/// Makes every start the same, so that pages can be compared with what was reviewed.
fn freeze_times(database: &TestDatabase) {
    database
        .open_file()
        .execute_batch(
            "UPDATE test_executions SET start_time = printf('2026-11-22T14:%02d:00.000000Z', run_id),
                 end_time = iif(end_time IS NULL, NULL, printf('2026-11-22T15:%02d:05.000000Z', 2 * run_id))",
        )
        .expect("valid SQL");
}

async fn fill(http: &Http) {
    http.admit(json!({"factor": 0.25, "test": "checkout <b>&amp;</b>", "stream": "Élan-2"})).await;
    http.admit(json!({"factor": 0.5, "dashboard_url": null, "triggered_by": "nightly \"build\""})).await;
    http.admit(json!({"factor": null, "location": null, "dashboard_url": null})).await;
    for (run_id, status) in [(1, "success"), (3, "failed")] {
        http.post("/complete", &json!({"run_id": run_id, "status": status})).await;
    }
}

/// The durations of what still runs change from second to second; they are blanked out.
fn settled(page: &str) -> String {
    let settle = |row: &str| match row.rsplit_once("<td class=\"time\">") {
        Some((before, duration)) if row.contains("status running") => {
            let (_, after) = duration.split_once("</td>").expect("a cell ends");
            format!("{before}<td class=\"time\">(duration)</td>{after}")
        }
        _ => row.to_owned(),
    };
    page.split("<tr>").map(settle).collect::<Vec<_>>().join("<tr>")
}

#[tokio::test]
async fn the_pages_are_as_reviewed() {
    let (server, database) = serve().await;
    let http = server.http();
    insta::assert_snapshot!("status_empty", http.get("/status-html").await.text);
    insta::assert_snapshot!("history_empty", http.get("/history-html").await.text);
    fill(&http).await;
    freeze_times(&database);
    insta::assert_snapshot!("status", settled(&http.get("/status-html").await.text));
    insta::assert_snapshot!("history", settled(&http.get("/history-html").await.text));
    let found = http.get("/history-html-filter?stream=%C3%A9LAN%25&status=success&test=%25").await;
    insta::assert_snapshot!("history_filtered", found.text);
    insta::assert_snapshot!("history_nothing_found", http.get("/history-html-filter?stream=x").await.text);
    insta::assert_snapshot!("history_wrong_query", http.get("/history-html?limit=x").await.text);
}

#[tokio::test]
async fn history_has_pages_of_a_hundred_that_lead_to_each_other() {
    let (server, _database) = serve().await;
    let http = server.http();
    for _ in 0..101 {
        http.admit(json!({"location": null, "stream": "a b&c"})).await;
    }
    let rows = |page: &str| page.matches("<a href=\"executions/").count();
    let first = http.get("/history-html-filter?stream=a+b%26c").await.text;
    assert_eq!(rows(&first), 100);
    let (_, link) = first.split_once("<a href=\"history-html-filter?stream=a+b%26c&#38;cursor=").expect("a link");
    let (cursor, _) = link.split_once('"').expect("its end");
    let second = http.get(&format!("/history-html-filter?stream=a+b%26c&cursor={cursor}")).await.text;
    assert_eq!(rows(&second), 1);
    assert!(second.contains(">Newest</a>") && !second.contains(">Older</a>"));
}

#[tokio::test]
async fn pages_run_nothing_that_was_sent_and_load_nothing_from_elsewhere() {
    let (server, database) = serve().await;
    let http = server.http();
    let script = "<script>alert(1)</script>";
    http.admit(json!({"repo": script, "lac": script, "stream": script, "test": script, "type": script,
                      "environment": script, "triggered_by": script, "location": script}))
        .await;
    // What an adopted database may hold, although it would be refused here.
    database
        .open_file()
        .execute_batch("UPDATE test_executions SET dashboard_url = 'javascript:alert(1)'")
        .expect("SQL");
    for path in ["/status-html", "/history-html", "/history-html-filter?stream=%3Cscript%3Ealert(1)%3C/script%3E"] {
        let page = http.get(path).await;
        assert!(!page.text.contains(script) && !page.text.contains("javascript:"), "{}", page.text);
        assert!(page.header("content-security-policy").starts_with("default-src 'none'"));
        assert_eq!(page.header("x-content-type-options"), "nosniff");
        assert!(!page.text.contains("src=\"http") && !page.text.contains("href=\"http"));
    }
    for asset in ["/assets/style.css", "/assets/local-time.js"] {
        assert_eq!(http.get(asset).await.status, 200);
    }
    assert_eq!(http.get("/").await.text, http.get("/status-html").await.text);
}
