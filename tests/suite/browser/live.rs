//! An open page follows what happens, moves nothing that somebody looks at, and says when it cannot follow.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::json;
use tokio::time::sleep;

use super::sample::{Sample, Size};
use super::window::{Window, browse};
use crate::support::database::{Engine, TestDatabase};
use crate::support::server::{PATIENCE, TestServer};

/// As many as follow at once at the most.
const MOST_LIVE_PAGES: usize = 250;
const IS_LIVE: &str = "document.querySelector('#live').dataset.state === 'live'";
const IS_LOST: &str = "document.querySelector('#live [role=status]').textContent === 'No connection, as of'";
/// The server speaks every 15 s; a page takes a line for dead after 40 s, and looks each second.
const SILENCE: Duration = Duration::from_mins(1);

/// Opens the page, waits until it follows, and marks it, so that a reload would be noticed.
async fn follow(window: &Window, server: &TestServer) {
    follow_at(window, server, "/status-html").await;
}

async fn follow_at(window: &Window, server: &TestServer, path: &str) {
    window.resize(1440).await;
    window.go(&format!("{}{path}", server.url)).await;
    window.wait_for("the page follows", IS_LIVE).await;
    window.evaluate("window.isMine = true, document.querySelectorAll('tr').forEach((row) => row.isMine = true)").await;
}

async fn empty() -> (TestServer, TestDatabase) {
    let database = TestDatabase::new(Engine::Sqlite).await;
    (TestServer::start(&database.url), database)
}

/// Registers a test that runs nowhere in particular; gives its run_id.
async fn register(server: &TestServer, test: &str) -> i64 {
    let run = server.http().admit(json!({"test": test, "location": null, "factor": null})).await;
    run["run_id"].as_i64().expect("a number")
}

async fn live_pages(server: &TestServer) -> String {
    let metrics = server.http().get("/metrics").await.text;
    metrics.lines().find_map(|line| line.strip_prefix("perfreg_live_pages ")).expect("a count").to_owned()
}

async fn wait_for_live_pages(server: &TestServer, count: &str) {
    let give_up = std::time::Instant::now() + PATIENCE;
    while live_pages(server).await != count {
        assert!(std::time::Instant::now() < give_up, "{} pages follow, not {count}", live_pages(server).await);
        sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_test_that_starts_and_ends_is_seen_without_a_reload() {
    let sample = Sample::of(Size::Few).await;
    browse(async |window| {
        follow_at(window, &sample.server, "/").await;
        let run_id = register(&sample.server, "newcomer").await;
        let runs = "document.querySelector('#running[data-live]').innerText.includes('newcomer')";
        window.wait_for("the new test", runs).await;
        sample.server.http().post("/complete", &json!({"run_id": run_id, "status": "success"})).await;
        window.wait_for("the new test runs no more", &format!("!{runs}")).await;
        window.wait_for("it has ended", "document.querySelector('#ended').innerText.includes('newcomer')").await;
        assert!(window.holds("window.isMine").await, "it was not loaded again");
        let others = "[...document.querySelectorAll('#running[data-live] tr')].filter((row) => !row.isMine).map((row) => row.outerHTML)";
        assert_eq!(window.evaluate(others).await, json!([]), "all rows stayed");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a browser; ./test all runs it"]
async fn nothing_shifts_for_who_reads_below_while_fifty_events_arrive() {
    const EVENTS: usize = 50;
    let sample = Sample::of(Size::Few).await;
    browse(async |window| {
        follow_at(window, &sample.server, "/").await;
        // So low that nothing is seen but what is read.
        let low = json!({"width": 1440, "height": 400, "deviceScaleFactor": 1, "mobile": false});
        window.command("Emulation.setDeviceMetricsOverride", low).await;
        let count = "Number.parseInt(document.querySelector('#summary').innerText)";
        let before = window.number(count).await;
        let watch =
            "document.querySelector('#ended').scrollIntoView(), window.shifts = [], new PerformanceObserver((list) =>
            shifts.push(...list.getEntries().flatMap(({ sources }) => sources).map(({ node }) => node)
                .filter((node) => document.querySelector('#ended').contains(node)).map((node) => node.textContent)))
            .observe({ type: 'layout-shift' })";
        window.evaluate(&format!("{watch}, 0")).await;
        let place = "document.querySelector('#ended h2').getBoundingClientRect().top";
        let top_before = window.number(place).await;
        for number in 0..EVENTS {
            register(&sample.server, &format!("burst-{number}")).await;
            sleep(Duration::from_millis(100)).await;
        }
        window.wait_for("all fifty", &format!("{count} === {}", before + EVENTS as f64)).await;
        let top_after = window.number(place).await;
        assert!((top_before - top_after).abs() < 2.0, "what is read moved from {top_before} to {top_after}");
        assert_eq!(window.evaluate("shifts").await, json!([]));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a browser; ./test all runs it"]
async fn no_row_pushes_in_where_the_focus_is_until_it_leaves() {
    let sample = Sample::of(Size::Few).await;
    browse(async |window| {
        follow(window, &sample.server).await;
        window.evaluate("document.querySelector('#running[data-live] tbody tr:nth-child(3) a').focus(), window.focused = document.activeElement").await;
        register(&sample.server, "pushy").await;
        window.wait_for("a button that says that news waits", "document.querySelector('#news')?.checkVisibility()").await;
        assert!(!window.holds("document.body.innerText.includes('pushy')").await);
        assert!(window.holds("document.activeElement === window.focused").await, "the focus stays");
        window.evaluate("document.activeElement.blur()").await;
        window.wait_for("the new test", "document.body.innerText.includes('pushy')").await;
        assert!(!window.holds("document.querySelector('#news').checkVisibility()").await);
        assert!(window.holds("focused.isConnected").await, "the link is the same");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a browser; ./test all runs it"]
async fn no_row_pushes_in_under_the_pointer_until_it_leaves_and_values_change() {
    let sample = Sample::of(Size::Few).await;
    browse(async |window| {
        follow(window, &sample.server).await;
        let stopped = register(&sample.server, "pointed-at").await;
        window.wait_for("the test", "document.body.innerText.includes('pointed-at')").await;
        let place =
            "(() => { const box = document.querySelector('#running[data-live] tbody tr:nth-child(3)').getBoundingClientRect();
            return [box.left + 20, box.top + 5] })()";
        let place = window.evaluate(place).await;
        window.point_at(place[0].as_f64().expect("x"), place[1].as_f64().expect("y")).await;
        let number = format!(
            "document.querySelectorAll('#running[data-live] tbody tr').length + document.querySelector('#run-{stopped}').innerText"
        );
        let before = window.text(&number).await;
        register(&sample.server, "pushy").await;
        window
            .wait_for("a button that says that news waits", "document.querySelector('#news')?.checkVisibility()")
            .await;
        assert!(!window.holds("document.body.innerText.includes('pushy')").await);
        // How long it has run.
        window.wait_for("another duration", &format!("{number} !== {}", json!(before))).await;
        window.evaluate("document.querySelector('#news').click()").await;
        window.wait_for("the new test", "document.body.innerText.includes('pushy')").await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a browser; ./test all runs it"]
async fn a_page_whose_server_goes_away_says_so_and_heals_without_a_reload() {
    let (mut server, database) = empty().await;
    let run_id = register(&server, "before").await;
    browse(async |window| {
        follow(window, &server).await;
        server.kill();
        window.wait_within(Duration::from_secs(5), "it is told that there is no connection", IS_LOST).await;
        sleep(Duration::from_secs(2)).await;
        server = TestServer::start_on(server.port(), &database.url);
        register(&server, "after").await;
        window.wait_for("the page follows again", IS_LIVE).await;
        window.wait_for("what has happened since", "document.body.innerText.includes('after')").await;
        assert!(window.holds(&format!("window.isMine && document.querySelector('#run-{run_id}').isMine")).await);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a browser; ./test all runs it"]
async fn a_line_that_is_frozen_is_noticed_and_heals() {
    let (server, _database) = empty().await;
    register(&server, "before").await;
    browse(async |window| {
        follow(window, &server).await;
        server.signal("STOP");
        window.wait_within(SILENCE, "it is told that there is no connection", IS_LOST).await;
        server.signal("CONT");
        window.wait_within(SILENCE, "the page follows again", IS_LIVE).await;
        assert!(window.holds("window.isMine").await, "it was not loaded again");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a browser; ./test all runs it"]
async fn a_page_that_is_not_allowed_to_follow_is_renewed_all_the_same() {
    let (server, _database) = empty().await;
    register(&server, "before").await;
    let client = reqwest::Client::builder().no_proxy().build().expect("a client");
    let others = (0..MOST_LIVE_PAGES).map(|_| client.get(format!("{}/live", server.url)).send());
    let others = join_all(others).await;
    assert!(others.iter().all(|answer| answer.as_ref().is_ok_and(|answer| answer.status() == 200)));
    browse(async |window| {
        window.go(&format!("{}/status-html", server.url)).await;
        let is_late = "document.querySelector('#live [role=status]').textContent === 'Not live, as of'";
        window.wait_for("it is told that it does not follow", is_late).await;
        register(&server, "another").await;
        window.wait_for("the new test", "document.body.innerText.includes('another')").await;
        drop(others);
        window.wait_within(SILENCE, "the page follows", IS_LIVE).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a browser; ./test all runs it"]
async fn eight_tabs_all_answer_and_hold_one_stream_together() {
    let (server, _database) = empty().await;
    register(&server, "before").await;
    browse(async |window| {
        follow(window, &server).await;
        wait_for_live_pages(&server, "1").await;
        for _ in 1..8 {
            window.new_tab().await;
            follow(window, &server).await;
        }
        wait_for_live_pages(&server, "1").await;
        register(&server, "newcomer").await;
        window.wait_for("the new test", "document.body.innerText.includes('newcomer')").await;
        window.turn_to(0).await;
        window.wait_for("the first tab has caught up", "document.body.innerText.includes('newcomer')").await;
        assert!(window.holds("window.isMine").await, "it was not loaded again");
    })
    .await;
}

/// Goes through all states of the line in one go, and measures in each.
fn in_each_state(measure: &str) -> String {
    format!(
        "(() => {{ const live = document.querySelector('#live'), word = live.querySelector('[role=status]');
        return ['As of', 'Live', 'Not live, as of', 'No connection, as of'].map((words, number) => {{
            live.dataset.state = ['', 'live', 'late', 'lost'][number];
            word.textContent = words;
            return {measure};
        }}); }})()"
    )
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a browser; ./test all runs it"]
async fn the_word_for_the_line_has_its_dot_beside_it_and_moves_nothing() {
    let (server, _database) = empty().await;
    browse(async |window| {
        follow(window, &server).await;
        let find_box = "document.querySelector('.jump input').getBoundingClientRect().left";
        let places = window.evaluate(&in_each_state(find_box)).await;
        let places = places.as_array().expect("a list");
        assert!(places.iter().all(|place| *place == places[0]), "the box to find runs moves: {places:?}");
        let dot = "(() => { const dot = getComputedStyle(word, '::before'); return [dot.content, dot.width, dot.display]; })()";
        let dots = window.evaluate(&in_each_state(dot)).await;
        assert!(dots.as_array().expect("a list").iter().all(|dot| *dot == json!(["\"\"", "8px", "inline-block"])), "{dots}");
        window.resize(320).await;
        let widest = window.evaluate(&in_each_state("document.documentElement.scrollWidth")).await;
        assert_eq!(widest, json!([320, 320, 320, 320]));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a browser; ./test all runs it"]
async fn a_reload_shows_no_lost_connection() {
    let (server, _database) = empty().await;
    register(&server, "before").await;
    browse(async |window| {
        let source = "addEventListener('DOMContentLoaded', () => new MutationObserver(() => sessionStorage.words =
            (sessionStorage.words ?? '') + document.querySelector('#live').innerText)
            .observe(document.querySelector('#live'), { subtree: true, childList: true, characterData: true, attributes: true }))";
        window.command("Page.addScriptToEvaluateOnNewDocument", json!({"source": source})).await;
        for _ in 0..3 {
            follow(window, &server).await;
        }
        let words = window.text("sessionStorage.words").await;
        assert!(words.contains("Live") && !words.contains("No connection") && !words.contains("Not live"), "{words}");
    })
    .await;
}
