//! The page of a run.

use reqwest::Method;
use serde_json::{Value, json};

use super::pages::{serve, set_back};
use crate::on_both_databases;
use crate::support::database::{TestDatabase, execute};
use crate::support::http::{Http, example};
use crate::support::server::TestServer;

/// No page of any run is larger.
const MOST_BYTES: usize = 150_000;

/// Registers a test and ends it; it ran for so many minutes, and ended so many minutes ago.
async fn ended(database: &TestDatabase, http: &Http, changes: Value, (took, ago): (i64, i64), status: &str) -> i64 {
    let run_id = http.admit(changes).await["run_id"].as_i64().expect("a number");
    assert_eq!(http.post("/complete", &json!({"run_id": run_id, "status": status})).await.status, 200);
    let set = |column: &str| format!("UPDATE test_executions SET {column} = {{}} WHERE run_id = {run_id}");
    set_back(database, &set("start_time"), (took + ago) * 60).await;
    set_back(database, &set("end_time"), ago * 60).await;
    run_id
}

/// The part of a page with this id, up to the next part.
fn part<'page>(page: &'page str, id: &str) -> &'page str {
    let (_, part) = page.split_once(&format!("id=\"{id}\"")).unwrap_or_else(|| panic!("no {id} in {page}"));
    part.split("<section").next().unwrap_or(part)
}

/// Whether all that is opened is closed, and nothing asks for what the policy forbids.
fn assert_whole(page: &str) {
    assert!(page.trim_end().ends_with("</html>") && page.len() < MOST_BYTES, "{} bytes", page.len());
    for tag in ["section", "table", "tr", "td", "ol", "ul", "li", "dl", "dd", "details", "a", "svg", "bdi", "p", "div"]
    {
        let opened = page.matches(&format!("<{tag}>")).count() + page.matches(&format!("<{tag} ")).count();
        assert_eq!(opened, page.matches(&format!("</{tag}>")).count(), "{tag}");
    }
    assert!(!page.contains(" style=") && !page.contains("javascript:") && !page.contains(" onerror=\""), "{page}");
}

on_both_databases! {
    async fn a_run_is_shown_beside_whom_it_ran_and_how_long_such_runs_take(database: &TestDatabase) {
        let server = TestServer::start(&database.url);
        let http = server.http();
        for minutes in [30, 40, 50] {
            ended(database, &http, json!({"factor": 0.1}), (minutes, 600 - minutes), "success").await;
        }
        let failed = ended(database, &http, json!({"factor": 0.1}), (2, 500), "failed").await;
        let another = ended(database, &http, json!({"factor": 0.1, "test": "another"}), (3, 400), "success").await;
        let neighbour = ended(database, &http, json!({"factor": 0.3, "test": "soak"}), (60, 15), "success").await;
        let elsewhere = ended(database, &http, json!({"factor": 0.3, "location": "there"}), (50, 1), "success").await;
        let run = ended(database, &http, json!({"factor": 0.25}), (60, 5), "success").await;

        let page = http.get(&format!("/runs/{run}")).await;
        assert_eq!((page.status.as_u16(), page.header("content-type")), (200, "text/html; charset=utf-8"));
        let page = page.text;
        assert_whole(&page);
        assert!(page.contains(&format!("<title>load {run} succeeded after 1h · perfreg</title>")), "{page}");
        assert!(part(&page, "state").contains("50% longer than usual") && !page.contains(&format!("runs/{run}/stop")));
        let beside = part(&page, "beside");
        assert!(beside.contains("1 other run shared the location") && beside.contains("together at most 0.55 of 1"));
        assert!(beside.contains(&format!("href=\"../runs/{neighbour}\"")) && beside.contains("83%"), "{beside}");
        assert!(!beside.contains(&format!("runs/{elsewhere}\"")), "{beside}");
        let durations = part(&page, "durations");
        assert!(durations.contains("median of successes: 40m"), "{durations}");
        assert!(durations.contains(&format!("Run {failed}, failure after 2m")), "{durations}");
        assert!(!durations.contains(&format!("runs/{another}\"")), "{durations}");
        let story = part(&page, "story");
        assert!(story.contains(&format!("Run {run} started at azure-k8s with 0.25 of 1, alone")), "{story}");
        assert!(!page.contains("id=\"results\"") && !page.contains("id=\"extra\""), "nothing is promised");
    }

    async fn a_run_that_waits_is_told_what_is_in_its_way(database: &TestDatabase) {
        let server = TestServer::start(&database.url);
        let http = server.http();
        let holder = http.admit(json!({"factor": 0.6, "test": "soak", "expected_seconds": 3600})).await["run_id"].clone();
        let mut waiters = Vec::new();
        for _ in 0..2 {
            let asked = example(json!({"factor": 0.5, "wait_seconds": 7200, "expected_seconds": 600}));
            waiters.push(http.post("/register", &asked).await.json()["run_id"].as_i64().expect("a number"));
        }
        let (first, second) = (waiters[0], waiters[1]);
        let page = http.get(&format!("/runs/{second}")).await.text;
        assert_whole(&page);
        assert!(page.contains(&format!("<title>load {second} waits, position 2, ≈ from ")), "{page}");
        let state = part(&page, "state");
        assert!(state.contains("Position 2") && state.contains("gives up at") && state.contains("/stop\">Cancel …"));
        let waiting = part(&page, "waiting");
        assert!(waiting.contains("0.6 runs at azure-k8s and 0.5 more would not stay below 1"), "{waiting}");
        assert!(waiting.contains(&format!("<a href=\"../runs/{holder}\">run {holder}</a>")), "{waiting}");
        assert!(waiting.contains(&format!("runs/{first}\"")), "{waiting}");
        assert!(page.contains("id=\"beside\" data-live aria-labelledby=\"beside-title\" hidden>"));

        http.post("/cancel", &json!({"run_id": second, "reason": "the wrong build", "by": "ana"})).await;
        let page = http.get(&format!("/runs/{second}")).await.text;
        assert!(page.contains("was cancelled while it waited") && page.contains("by ana while it waited: the wrong build"));
        assert!(page.contains("id=\"waiting\" data-live aria-labelledby=\"waiting-title\" hidden>"));

        http.post("/registry", &json!({"state": "draining"})).await;
        let closed = json!({"state": "draining", "reason": "an upgrade", "by": "ana"});
        http.send(Method::PUT, "/registry", &closed).await;
        let page = http.get(&format!("/runs/{first}")).await.text;
        assert!(part(&page, "waiting").contains("The registry is draining: an upgrade."), "{page}");
    }

    async fn the_earlier_durations_are_those_before_the_run_and_nobody_elses(database: &TestDatabase) {
        let server = TestServer::start(&database.url);
        let http = server.http();
        let mut runs = Vec::new();
        for number in 0..25 {
            let changes = json!({"factor": 0.01, "stream": format!("stream-{}", number % 3), "test": "50%_off"});
            runs.push(ended(database, &http, changes, (number + 1, 1000 - number * 30), "success").await);
        }
        ended(database, &http, json!({"factor": 0.01, "test": "50% and more off"}), (1, 1), "success").await;
        ended(database, &http, json!({"factor": 0.01, "test": "50%_OFF"}), (1, 1), "success").await;
        http.admit(json!({"factor": 0.01, "test": "50%_off"})).await;
        let newest = http.admit(json!({"factor": 0.01, "test": "50%_off"})).await["run_id"].as_i64().expect("a number");
        let listed = async |run_id: i64| {
            let page = http.get(&format!("/runs/{run_id}")).await.text;
            let (_, list) = part(&page, "durations").split_once("<ul class=\"queue\"").unwrap_or_default();
            let links = list.split("href=\"../runs/").skip(1);
            links.filter_map(|link| link.split_once('"')?.0.parse::<i64>().ok()).collect::<Vec<_>>()
        };
        let newest_first = |runs: &[i64]| runs.iter().rev().copied().collect::<Vec<_>>();
        assert_eq!(listed(newest).await, newest_first(&runs[5..]));
        assert_eq!(listed(runs[3]).await, newest_first(&runs[..3]));
        let first = http.get(&format!("/runs/{}", runs[0])).await.text;
        assert!(part(&first, "durations").contains("No earlier run of this test has ended"), "{first}");
    }

    async fn a_number_without_a_run_leads_to_the_newest(database: &TestDatabase) {
        let server = TestServer::start(&database.url);
        let http = server.http();
        assert!(http.get("/runs/1").await.text.contains("Nothing has been registered here yet"));
        let run_id = http.admit(json!({})).await["run_id"].clone();
        for path in ["999", "x", "-1", "+1", "1.0", "99999999999999999999", "%ff", "%3Cscript%3E"] {
            let page = http.get(&format!("/runs/{path}")).await;
            assert_eq!((page.status.as_u16(), page.header("content-type")), (404, "text/html; charset=utf-8"), "{path}");
            assert!(page.text.contains(&format!("<a href=\"../runs/{run_id}\">run {run_id}, <bdi>load</bdi></a>")));
            assert!(!page.text.contains("<script>"), "{path}");
        }
        let (asked, accept) = (format!("/runs/{run_id}"), [("accept", "application/json")]);
        for (method, is_empty) in [(Method::GET, false), (Method::HEAD, true)] {
            let page = http.step(method, &asked, &accept, "").await;
            assert_eq!((page.status.as_u16(), page.header("content-type")), (200, "text/html; charset=utf-8"));
            assert_eq!(page.text.is_empty(), is_empty);
        }
    }

    async fn whatever_a_run_has_its_page_is_small_and_whole(database: &TestDatabase) {
        let server = TestServer::start(&database.url);
        let http = server.http();
        let name = |text: &str| text.repeat(255);
        let mut changes = json!({
            "test": name("<"), "repo": name("&"), "lac": name("\""), "stream": name("ر"), "type": name("😀"),
            "environment": name("'"), "triggered_by": name(">"), "factor": 0.0001, "location": name("x"),
        });
        for field in 0..200 {
            changes[format!("field {field}")] = Value::from("<'\">".repeat(10));
        }
        let run = ended(database, &http, changes, (60, 1), "success").await;
        // A thousand others there at the same time, and ten thousand events.
        let numbers = |count: i64| format!(
            "WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {count})"
        );
        let columns = "repo, lac, stream, type, environment, triggered_by, status, start_time, end_time, location,
                       factor_millionths, extra, fence";
        let id = if database.url.starts_with("sqlite:") { "printf('%032d', n)" } else { "md5(n::text)::uuid" };
        execute(database, &format!(
            "INSERT INTO test_executions (id, run_id, test, {columns})
             {} SELECT {id}, 1000 + n, test, {columns} FROM test_executions, numbers WHERE run_id = {run}",
            numbers(1_001)
        )).await;
        let (columns, values) = if database.url.starts_with("sqlite:") {
            ("at, kind, run_id, location, asked_by, facts", "at, kind, run_id, location, asked_by, facts")
        } else {
            ("position, number, at, kind, run_id, location, asked_by, facts",
             "position, nextval('perfreg_event_number'), at, kind, run_id, location, asked_by, facts")
        };
        execute(database, &format!(
            "INSERT INTO perfreg_events ({columns})
             {} SELECT {values} FROM perfreg_events, numbers WHERE run_id = {run} AND kind = 'started'",
            numbers(10_000)
        )).await;

        let page = http.get(&format!("/runs/{run}")).await.text;
        assert_whole(&page);
        assert!(part(&page, "beside").contains("More ran there at that time"), "{page}");
        assert!(part(&page, "story").contains(&format!("href=\"../events?run_id={run}\"")), "{page}");
        assert!(part(&page, "extra").contains("are cut or left out"), "{page}");
    }
}

#[tokio::test]
async fn what_is_not_known_of_a_run_is_said() {
    let (server, database) = serve().await;
    let http = server.http();
    let run = http.admit(json!({"build": 4711, "original_status": "done"})).await["run_id"].clone();
    let path = format!("/runs/{run}");
    assert!(part(&http.get(&path).await.text, "extra").contains("original_status"));
    execute(&database, "DELETE FROM perfreg_events").await;
    assert!(http.get(&path).await.text.contains("What happened to it is not kept any more."));
    execute(&database, "UPDATE test_executions SET fence = NULL, dashboard_url = 'javascript:alert(1)'").await;
    let page = http.get(&path).await.text;
    assert!(page.contains("The database of the original kept no events") && page.contains(">adopted<"), "{page}");
    assert!(part(&page, "originals").contains("<dt><bdi>status</bdi></dt>") && !page.contains("javascript:"), "{page}");
}

#[tokio::test]
async fn a_story_is_told_in_the_zone_that_was_chosen_with_a_heading_for_each_day() {
    let (server, database) = serve().await;
    let http = server.http();
    let run = http.admit(json!({"expected_seconds": 10, "lease_seconds": 60})).await["run_id"].clone();
    http.post("/cancel", &json!({"run_id": run, "reason": "see run 12", "by": "ana"})).await;
    execute(&database, "UPDATE perfreg_events SET at = '2026-07-24T23:30:00.000000Z' WHERE kind = 'started'").await;
    execute(&database, "UPDATE perfreg_events SET at = '2026-07-25T12:00:00.000000Z' WHERE kind <> 'started'").await;
    let zone = [("cookie", "zone=Europe%2FLisbon")];
    let path = format!("/runs/{run}");
    let page = http.step(Method::GET, &path, &zone, "").await.text;
    let story = part(&page, "story");
    assert!(story.contains(">00:30:00</time>") && story.contains(">13:00:00</time>"), "{story}");
    assert_eq!(story.matches("<h3>").count(), 1, "both are of one day in Lisbon: {story}");
    assert!(story.contains("by ana: see <a href=\"../runs/12\">run 12</a>"), "{story}");
    let in_utc = http.get(&path).await.text;
    assert_eq!(part(&in_utc, "story").matches("<h3>").count(), 2);
    assert!(part(&in_utc, "state").contains(">asked to stop<") && in_utc.contains("/stop\">Stop …"), "{in_utc}");
}
