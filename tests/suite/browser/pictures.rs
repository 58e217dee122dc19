//! Pictures of every page, for the README and the documents.

use std::fs;

use super::checks::folder;
use super::pages;
use super::sample::{Sample, Size};
use super::window::{Scheme, browse};

/// One of each kind of page.
const SHOWN: [&str; 7] =
    ["now", "run-leased", "run-waiting", "stop-without-lease", "location-closed", "registry", "history-found"];

/// A page of which no part changes has nothing to follow.
const FOLLOWS: &str =
    "document.querySelector('#live').dataset.state === 'live' || !document.querySelector('main [data-live]')";

#[tokio::test(flavor = "multi_thread")]
#[ignore = "makes pictures; tests/tools/browser/run --save runs it"]
async fn pictures_of_every_page_are_saved() {
    let folder = folder().join("pictures");
    fs::create_dir_all(&folder).expect("a folder");
    let sample = Sample::of(Size::Few).await;
    browse(async |window| {
        for page in pages::of(&sample).into_iter().filter(|page| SHOWN.contains(&page.name)) {
            for scheme in Scheme::BOTH {
                for width in [390, 1440] {
                    window.resize(width).await;
                    window.prefer(scheme).await;
                    window.go(&format!("{}{}", sample.server.url, page.path)).await;
                    window.wait_for("that it follows", FOLLOWS).await;
                    let name = format!("{}-{}-{width}.png", page.name, scheme.as_str());
                    fs::write(folder.join(name), window.picture().await).expect("a picture");
                }
            }
        }
    })
    .await;
}
