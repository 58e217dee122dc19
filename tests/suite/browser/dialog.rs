//! The form that stops a run, in a dialog.

use super::sample::{Sample, Size};
use super::window::{Window, browse};

const OPEN: &str = "document.querySelector('dialog[open]')";

/// Opens it by the link of this run, as the keyboard does.
async fn open(window: &Window, run_id: i64) {
    let link = format!("document.querySelector(\"a[href$='runs/{run_id}/stop']\")");
    window.evaluate(&format!("{link}.focus()")).await;
    window.evaluate(&format!("{link}.click()")).await;
    window.wait_for("the dialog", OPEN).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a browser; ./test all runs it"]
async fn the_form_that_stops_a_run_is_a_dialog_that_gives_the_focus_back() {
    let sample = Sample::of(Size::Few).await;
    let run_id = sample.runs.expect("some").leased;
    let http = sample.server.http();
    browse(async |window| {
        window.resize(1440).await;
        window.go(&format!("{}/", sample.server.url)).await;
        open(window, run_id).await;
        assert!(window.holds("document.activeElement.closest('dialog')").await, "the focus is in the dialog");
        let twice = "[...document.querySelectorAll('dialog [id]')].map(({ id }) => id)
            .filter((id) => document.querySelectorAll(`[id='${id}']`).length > 1)";
        assert_eq!(window.evaluate(twice).await, serde_json::json!([]), "each label is of one field");
        window.press("Escape").await;
        window.wait_for("no dialog any more", &format!("!{OPEN}")).await;
        let is_back = format!("document.activeElement.href.endsWith('/runs/{run_id}/stop')");
        assert!(window.holds(&is_back).await, "the focus is back at the link");
        assert!(http.get(&format!("/executions/{run_id}")).await.json()["stop"].is_null());

        open(window, run_id).await;
        let fill = "const form = document.querySelector('dialog form');
            form.elements.reason.value = 'wrong build'; form.elements.by.value = 'ana'; form.requestSubmit()";
        window.evaluate(&format!("(() => {{ {fill} }})()")).await;
        window.wait_for("what came of it", "document.body.innerText.includes('by ana: wrong build')").await;
        let stop = http.get(&format!("/executions/{run_id}")).await.json()["stop"].clone();
        assert_eq!((&stop["reason"], &stop["by"]), (&"wrong build".into(), &"ana".into()));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a browser; ./test all runs it"]
async fn a_run_is_stopped_without_script() {
    let sample = Sample::of(Size::Few).await;
    let run_id = sample.runs.expect("some").without_lease;
    browse(async |window| {
        window.allow_script(false).await;
        window.go(&format!("{}/runs/{run_id}/stop", sample.server.url)).await;
        // The page's own script is off, and what a test evaluates is not.
        let fill = "const form = document.querySelector('form[method=post]');
            form.elements.reason.value = 'stopped by hand'; form.elements.by.value = 'ana'; form.requestSubmit()";
        window.evaluate(&format!("(() => {{ {fill} }})()")).await;
        window.wait_for("what came of it", "document.body.innerText.includes('cancelled by ana')").await;
    })
    .await;
}
