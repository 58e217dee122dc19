//! The pages for people.

use reqwest::Method;
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

/// Compares a page with what was reviewed, but for what changes with time and with each version.
fn assert_page(name: &str, page: &str) {
    let filters = [
        (r"-[0-9a-f]{12}\.", "-DIGEST."),
        (r#"<span role="status">.*?</time>"#, "(as of)"),
        (r">(\d\d? \w{3}) 20\d\d (\d\d:\d\d)<", ">$1 $2<"),
        (r#"<td class="nowrap">\d+\w( \d+\w)?</td>"#, r#"<td class="nowrap">(duration)</td>"#),
        (r"perfreg \d+\.\d+\.\d+", "perfreg VERSION"),
    ];
    insta::with_settings!({ filters => filters }, { insta::assert_snapshot!(name, page) });
}

#[tokio::test]
async fn the_pages_are_as_reviewed() {
    let (server, database) = serve().await;
    let http = server.http();
    assert_page("status_empty", &http.get("/status-html").await.text);
    assert_page("history_empty", &http.get("/history-html").await.text);
    fill(&http).await;
    freeze_times(&database);
    assert_page("status", &http.get("/status-html").await.text);
    assert_page("history", &http.get("/history-html").await.text);
    let found = http.get("/history-html-filter?stream=%C3%A9LAN%25&status=success&test=%25").await;
    assert_page("history_filtered", &found.text);
    assert_page("history_nothing_found", &http.get("/history-html-filter?stream=x").await.text);
    assert_page("history_wrong_query", &http.page("/history-html?limit=x").await.text);
}

#[tokio::test]
async fn a_browser_is_shown_a_page_of_what_went_wrong_and_a_program_a_problem() {
    let (server, _database) = serve().await;
    let http = server.http();
    for (path, status) in
        [("/nothing/at/all", 404), ("/executions/7", 404), ("/history?limit=x", 422), ("/register", 405)]
    {
        let page = http.page(path).await;
        assert_eq!(page.status, status, "{path}");
        assert!(page.header("content-type").starts_with("text/html"), "{path}");
        let problem = http.get(path).await;
        assert_eq!((problem.status, problem.header("content-type")), (page.status, "application/problem+json"));
        assert!(page.text.contains(problem.json()["title"].as_str().expect("a title")), "{}", page.text);
    }
    assert!(http.page("/nothing/at/all").await.text.contains("href=\"../../assets/style-"), "the way up is found");
    assert_eq!(http.page("/register").await.header("allow"), http.get("/register").await.header("allow"));
}

#[tokio::test]
async fn times_are_told_in_the_zone_that_was_chosen() {
    let (server, database) = serve().await;
    let http = server.http();
    fill(&http).await;
    freeze_times(&database);
    let page = http.get("/history-html").await.text;
    assert!(page.contains("14:01</time>") && page.contains("zone-"), "the browser is asked for its zone: {page}");
    let form = &[("content-type", "application/x-www-form-urlencoded")];
    let chosen = http.step(Method::POST, "/zone", form, "zone=asia%2Fkolkata&back=//evil.example").await;
    assert_eq!((chosen.status.as_u16(), chosen.header("location")), (303, "./"));
    let cookie = chosen.header("set-cookie").split(';').next().expect("a cookie").to_owned();
    let page = http.step(Method::GET, "/history-html", &[("cookie", &cookie)], "").await.text;
    assert!(page.contains("19:31</time>") && page.contains("Asia/Kolkata") && !page.contains("zone-"), "{page}");
    let wrong = http.step(Method::POST, "/zone", form, "zone=Mars/Base").await;
    assert!(wrong.json()["detail"].as_str().expect("a text").contains("Mars/Base is no time zone"), "{wrong:?}");
}

#[tokio::test]
async fn the_box_for_finding_leads_to_a_run_a_location_or_the_history() {
    let (server, _database) = serve().await;
    let http = server.http();
    http.admit(json!({"location": "lab 2"})).await;
    for (sought, way) in [
        ("lab+2", "locations/lab%202"),
        ("", "history-html"),
        ("7", "runs/7"),
        ("%237", "runs/7"),
        ("run+7", "runs/7"),
        ("check+out%25", "history-html-filter?test=%25check+out%25%25"),
    ] {
        let found = http.step(Method::GET, &format!("/find?q={sought}"), &[], "").await;
        assert_eq!((found.status.as_u16(), found.header("location")), (303, way), "{sought}");
    }
}

#[tokio::test]
async fn an_asset_is_kept_for_ever_only_under_the_name_of_its_version() {
    let (server, _database) = serve().await;
    let http = server.http();
    let page = http.get("/history-html").await.text;
    let (_, path) = page.split_once("href=\"assets/style-").expect("a style sheet");
    let (digest, _) = path.split_once('"').expect("its end");
    let kept = http.get(&format!("/assets/style-{digest}")).await;
    assert!(kept.header("cache-control").contains("immutable"));
    for other in ["style-000000000000.css", "style.css"] {
        let asked_again = http.get(&format!("/assets/{other}")).await;
        assert_eq!((asked_again.header("cache-control"), &asked_again.text), ("no-cache", &kept.text), "{other}");
    }
    assert_eq!(http.get("/favicon.ico").await.header("content-type"), "image/svg+xml");
}

#[tokio::test]
async fn history_has_pages_of_a_hundred_that_lead_to_each_other() {
    let (server, _database) = serve().await;
    let http = server.http();
    for _ in 0..101 {
        http.admit(json!({"location": null, "stream": "a b&c"})).await;
    }
    let rows = |page: &str| page.matches("<tr id=\"run-").count();
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
    for path in ["/", "/status-html", "/history-html", "/history-html-filter?stream=%3Cscript%3Ealert(1)%3C/script%3E"]
    {
        let page = http.get(path).await;
        assert!(!page.text.contains(script) && !page.text.contains("javascript:"), "{}", page.text);
        assert!(page.header("content-security-policy").starts_with("default-src 'none'"));
        assert_eq!(page.header("x-content-type-options"), "nosniff");
        assert!(!page.text.contains("src=\"http") && !page.text.contains("href=\"http"));
    }
    for asset in ["/assets/style.css", "/assets/zone.js"] {
        assert_eq!(http.get(asset).await.status, 200);
    }
}
