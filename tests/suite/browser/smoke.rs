//! A few looks for every run of the tests.

use super::checks;
use super::sample::{Sample, Size};
use super::window::{Scheme, browse};

#[tokio::test(flavor = "multi_thread")]
async fn the_front_page_opens_in_a_browser_on_a_phone() {
    let sample = Sample::of(Size::Few).await;
    let url = &sample.server.url;
    let faults = browse(async |window| {
        window.resize(390).await;
        window.prefer(Scheme::Light).await;
        window.go(&format!("{url}/")).await;
        window.wait_for("a test that runs", "document.body.innerText.includes('checkout-peak')").await;
        let mut faults = checks::what_is_told(window, url).await;
        faults.extend(checks::sideways_scrolling(window).await);
        faults
    });
    checks::assert_none(&faults.await);
}
