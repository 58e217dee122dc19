//! Every page, and what must hold of it.

use super::checks;
use super::sample::{Sample, Size};
use super::window::{Window, browse};

/// A page to look at.
pub struct Page {
    /// As files are named after it.
    pub name: &'static str,
    pub path: String,
    /// It is one long table, and may be larger than others.
    pub is_long: bool,
}

/// Each page of a registry.
pub fn of(sample: &Sample) -> Vec<Page> {
    let page = |name: &'static str, path: &str| Page { name, path: path.to_owned(), is_long: false };
    let mut pages = vec![
        page("now", "/"),
        page("now-asked", "/?factor=0.7&minutes=90"),
        page("now-asked-wrongly", "/?factor=half&minutes=-1"),
        page("zone", "/zone"),
        Page { is_long: true, ..page("status", "/status-html") },
        page("history", "/history-html"),
        page("history-found", "/history-html-filter?test=%25peak%25&status=success"),
        page("history-nothing-found", "/history-html-filter?test=nobody-has-this"),
        page("registry", "/registry"),
    ];
    let Some(runs) = sample.runs else { return pages };
    for (name, run_id) in [
        ("run-leased", runs.leased),
        ("run-without-lease", runs.without_lease),
        ("run-suspect", runs.suspect),
        ("run-overdue", runs.overdue),
        ("run-stopping", runs.stopping),
        ("run-waiting", runs.waiting),
        ("run-success", runs.success),
        ("run-failure", runs.failure),
        ("run-cancelled", runs.cancelled),
    ] {
        pages.push(page(name, &format!("/runs/{run_id}")));
    }
    for (name, run_id) in [
        ("stop-with-lease", runs.leased),
        ("stop-without-lease", runs.without_lease),
        ("stop-waiting", runs.waiting),
        ("stop-asked", runs.stopping),
        ("stop-ended", runs.cancelled),
    ] {
        pages.push(page(name, &format!("/runs/{run_id}/stop")));
    }
    pages.extend([page("location", "/locations/azure-k8s"), page("location-closed", "/locations/lab-2")]);
    if let Some(run_id) = sample.long_named {
        pages.push(page("run-long-named", &format!("/runs/{run_id}")));
        pages.push(page("stop-long-named", &format!("/runs/{run_id}/stop")));
        pages.push(page("location-long-named", &format!("/locations/{}", "x".repeat(255))));
    }
    pages
}

/// Does a check at each page of a registry, and fails with all that it finds.
async fn at_each_page(size: Size, check: impl AsyncFn(&Window, &Page, &str) -> Vec<String>) {
    let sample = Sample::of(size).await;
    let faults = browse(async |window| {
        let mut faults = Vec::new();
        for page in of(&sample) {
            let url = format!("{}{}", sample.server.url, page.path);
            faults.extend(check(window, &page, &url).await);
        }
        faults
    });
    checks::assert_none(&faults.await);
}

/// Opens each page of a registry in all widths, light and dark.
async fn at_each_page_width_and_scheme(size: Size, check: impl AsyncFn(&Window, &str) -> Vec<String>) {
    let sample = Sample::of(size).await;
    let origin = sample.server.url.as_str();
    let faults = browse(async |window| {
        let mut faults = Vec::new();
        for page in of(&sample) {
            let url = format!("{origin}{}", page.path);
            let check = async |window: &Window| check(window, origin).await;
            faults.extend(checks::at_each_width_and_scheme(window, &url, check).await);
        }
        faults
    });
    checks::assert_none(&faults.await);
}

/// What is seen without axe.
async fn plain_faults(window: &Window, origin: &str) -> Vec<String> {
    let mut faults = checks::what_is_told(window, origin).await;
    faults.extend(checks::sideways_scrolling(window).await);
    faults.extend(checks::broken_parts(window).await);
    faults
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a browser; ./test all runs it"]
async fn axe_finds_nothing_on_any_page_at_any_width_light_or_dark() {
    at_each_page_width_and_scheme(Size::Few, async |window, _| checks::accessibility(window).await).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a browser; ./test all runs it"]
async fn axe_finds_nothing_on_the_pages_of_an_empty_registry() {
    at_each_page_width_and_scheme(Size::Empty, async |window, _| checks::accessibility(window).await).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a browser; ./test all runs it"]
async fn no_page_scrolls_sideways_complains_or_asks_another_host_at_any_width() {
    at_each_page_width_and_scheme(Size::Few, plain_faults).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a browser; ./test all runs it"]
async fn no_page_of_an_empty_registry_scrolls_sideways_complains_or_asks_another_host() {
    at_each_page_width_and_scheme(Size::Empty, plain_faults).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a browser; ./test all runs it"]
async fn names_that_nobody_would_choose_break_no_page() {
    at_each_page_width_and_scheme(Size::Hostile, async |window, origin| {
        let mut faults = plain_faults(window, origin).await;
        faults.extend(checks::accessibility(window).await);
        faults
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a browser; ./test all runs it"]
async fn every_page_has_the_same_rows_and_links_without_script() {
    at_each_page(Size::Few, async |window, _, url| checks::what_script_adds(window, url).await).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a browser; ./test all runs it"]
async fn the_tabulator_reaches_every_control_and_one_sees_where_it_is() {
    at_each_page(Size::Few, async |window, _, url| {
        window.resize(1440).await;
        window.go(url).await;
        checks::keyboard(window, url).await
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a browser; ./test all runs it"]
async fn every_page_can_be_read_in_forced_colours_with_less_motion_and_on_paper() {
    at_each_page(Size::Few, async |window, _, url| checks::other_media(window, url).await).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a browser; ./test all runs it"]
async fn no_page_is_larger_than_150_kb_after_ten_thousand_tests() {
    at_each_page(Size::TenThousand, async |window, page, url| {
        window.go(url).await;
        if page.is_long { Vec::new() } else { checks::size(window, url).await }
    })
    .await;
}
