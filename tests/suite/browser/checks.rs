//! What must hold of every page. Each check says what it found wrong, in a line each.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::told::Told;
use super::window::{Scheme, Window};

/// A small phone, a phone, a tablet, a small laptop, a laptop, and a large screen, in pixels of CSS.
pub const WIDTHS: [u32; 6] = [320, 390, 768, 1024, 1440, 2560];
const LARGEST_BYTES: f64 = 150_000.0;
/// More stops than controls: a date field has three or four.
const MOST_STOPS: usize = 600;

/// Opens a page in each width, light and dark, and does a check there.
pub async fn at_each_width_and_scheme(
    window: &Window,
    url: &str,
    check: impl AsyncFn(&Window) -> Vec<String>,
) -> Vec<String> {
    let mut faults = Vec::new();
    for scheme in Scheme::BOTH {
        for width in WIDTHS {
            window.resize(width).await;
            window.prefer(scheme).await;
            window.go(url).await;
            let found = check(window).await;
            faults.extend(found.into_iter().map(|fault| format!("{url}, {}, {width} px: {fault}", scheme.as_str())));
        }
    }
    faults
}

/// Whether the page opens without a word on the console, and asks nobody else for anything.
pub async fn what_is_told(window: &Window, origin: &str) -> Vec<String> {
    let told = window.told().await;
    let console = told.console.iter().map(|said| format!("the console says: {said}"));
    console.chain(requests_elsewhere(&told, origin)).collect()
}

/// What was asked of somebody else, or by another scheme.
fn requests_elsewhere(told: &Told, origin: &str) -> Vec<String> {
    let is_elsewhere = |url: &&String| !url.starts_with(&format!("{origin}/"));
    told.requests.iter().filter(is_elsewhere).map(|url| format!("it asks for {url}")).collect()
}

/// Whether the page can be scrolled sideways, with what sticks out.
pub async fn sideways_scrolling(window: &Window) -> Vec<String> {
    let wide = window.number("document.documentElement.scrollWidth - innerWidth").await;
    if wide <= 0.0 {
        return Vec::new();
    }
    let widest =
        "[...document.body.querySelectorAll('*')].filter((one) => one.getBoundingClientRect().right > innerWidth + 0.5)
        .slice(-3).map((one) => one.outerHTML.slice(0, 80)).join(' | ')";
    vec![format!("it scrolls sideways by {wide} px; {} sticks out", window.text(widest).await)]
}

/// Tables that stick out of their card, and icons that nothing draws.
pub async fn broken_parts(window: &Window) -> Vec<String> {
    let broken = "[...document.querySelectorAll('.card table')].filter((one) => one.checkVisibility() &&
            one.getBoundingClientRect().right > one.closest('.card').getBoundingClientRect().right + 0.5)
        .map((one) => `a table sticks out of its card: ${one.outerHTML.slice(0, 80)}`)
        .concat([...document.querySelectorAll('use')].filter((one) => !document.querySelector(one.getAttribute('href')))
            .map((one) => `no icon ${one.getAttribute('href')} is there`))";
    texts(window.evaluate(broken).await)
}

/// What axe-core has to say by the rules of WCAG 2.2 AA and its own best practice.
pub async fn accessibility(window: &Window) -> Vec<String> {
    window.evaluate(&axe()).await;
    let run =
        "axe.run(document, { runOnly: { type: 'tag', values: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa',
        'best-practice'] } }).then(({ violations }) => violations.map(({ id, help, nodes }) =>
        `axe ${id}: ${help}: ${nodes.slice(0, 3).map((node) => node.target.join(' ')).join(', ')}`))";
    texts(window.evaluate(run).await)
}

/// The program that `tests/tools/browser/run` installs.
fn axe() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tools/browser/node_modules/axe-core/axe.min.js");
    fs::read_to_string(&path).unwrap_or_else(|error| {
        panic!("{}: {error}; tests/tools/browser/run installs axe-core and runs these tests", path.display())
    })
}

/// Whether the page has the same rows and links without script.
pub async fn what_script_adds(window: &Window, url: &str) -> Vec<String> {
    let rows_and_links = "[...document.querySelectorAll('tr, li')].map((row) => row.id || row.tagName)
        .concat([...document.querySelectorAll('a[href]')].map((link) => link.getAttribute('href')))";
    window.go(url).await;
    let with = texts(window.evaluate(rows_and_links).await);
    window.allow_script(false).await;
    window.go(url).await;
    let without = texts(window.evaluate(rows_and_links).await);
    window.allow_script(true).await;
    let differs = with.iter().zip(&without).find(|(with, without)| with != without);
    match differs {
        Some((with, without)) => vec![format!("{url}: with script there is {with}, without it {without}")],
        None if with.len() == without.len() => Vec::new(),
        None => vec![format!("{url}: {} rows and links with script, {} without", with.len(), without.len())],
    }
}

/// Whether Tab reaches each control of the open page, and whether one sees where it is.
pub async fn keyboard(window: &Window, url: &str) -> Vec<String> {
    // How it looks is written down before it is focused. Of radio buttons only the chosen one is a stop.
    let prepare = "document.activeElement?.blur(), getSelection().removeAllRanges(), window.look = (one) => { const style = getComputedStyle(one);
        const parts = [one, ...one.querySelectorAll('rect')].map((part) => getComputedStyle(part).stroke + getComputedStyle(part).strokeWidth);
        return [style.outlineStyle, style.outlineWidth, style.outlineColor, style.boxShadow, parts].join() },
        window.stops = [...document.querySelectorAll('a[href], button, input, select, textarea, summary, [tabindex=\"0\"]')].filter((one) =>
            one.tabIndex >= 0 && !one.disabled && one.checkVisibility() && !(one.type === 'radio' && !one.checked)
            && !(one.tagName === 'SUMMARY' && one.parentElement?.tagName !== 'DETAILS')),
        window.before = new Map(stops.map((one) => [one, look(one)])), stops.length";
    let count = window.number(prepare).await;
    // The element that has the focus: what is wrong with it, and nothing if it is the last one that was missing.
    let stop = "(() => { const one = document.activeElement;
        if (!one || one === document.body) return 'nowhere';
        const is_seen = !before.has(one) || look(one) !== before.get(one);
        before.delete(one);
        return is_seen ? '' : one.outerHTML.slice(0, 100) })()";
    let (mut faults, mut has_left) = (Vec::new(), false);
    for _ in 0..MOST_STOPS {
        window.press("Tab").await;
        match window.text(stop).await.as_str() {
            // A page that puts the focus into its form is left once, and entered again at its beginning.
            "nowhere" if has_left => break,
            "nowhere" => has_left = true,
            "" => {}
            unseen => faults.push(format!("{url}: nobody sees that the focus is at {unseen}")),
        }
        if window.holds("before.size === 0").await {
            break;
        }
    }
    let missed = texts(window.evaluate("[...before.keys()].map((one) => one.outerHTML.slice(0, 100))").await);
    faults.extend(missed.into_iter().map(|one| format!("{url}: Tab never reaches {one}, one of {count} controls")));
    faults
}

/// Whether a response of the open page is too large. A page that is one long table may be.
pub async fn size(window: &Window, url: &str) -> Vec<String> {
    let sizes = "performance.getEntriesByType('navigation').concat(performance.getEntriesByType('resource'))
        .map((one) => [one.name, one.decodedBodySize])";
    let Value::Array(sizes) = window.evaluate(sizes).await else { panic!("the page knows what it has loaded") };
    let mut faults = Vec::new();
    for size in &sizes {
        let bytes = size[1].as_f64().expect("a number");
        if bytes > LARGEST_BYTES {
            faults.push(format!("{url}: {} has {bytes} bytes", size[0]));
        }
    }
    faults
}

/// Whether the main part can still be seen in forced colours, with less motion, and on paper.
pub async fn other_media(window: &Window, url: &str) -> Vec<String> {
    let media = [
        ("", "forced-colors", "active"),
        ("", "prefers-reduced-motion", "reduce"),
        ("print", "prefers-color-scheme", "light"),
    ];
    let mut faults = Vec::new();
    for (medium, feature, value) in media {
        window.emulate(medium, &[(feature, value)]).await;
        window.go(url).await;
        let is_seen = "(() => { const main = document.querySelector('main'), box = main.getBoundingClientRect();
            return box.width > 100 && box.height > 20 && main.innerText.trim() && main.checkVisibility({ opacityProperty: true }) })()";
        if !window.holds(is_seen).await {
            faults.push(format!("{url}: with {feature} {value} {medium} the main part cannot be seen"));
        }
    }
    window.emulate("", &[]).await;
    if !window.printed().await.starts_with(b"%PDF") {
        faults.push(format!("{url}: it cannot be printed"));
    }
    faults
}

/// Fails with all of them.
pub fn assert_none(faults: &[String]) {
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}

fn texts(value: Value) -> Vec<String> {
    let Value::Array(values) = value else { panic!("a list, not {value}") };
    values.into_iter().map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned)).collect()
}

/// Where pictures and other results go.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("target/browser")
}
