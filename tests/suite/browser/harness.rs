//! The checks find what is wrong: each is shown a page that has its fault, and one that has none.

use axum::Router;
use axum::http::header;
use axum::response::{Html, IntoResponse};
use axum::routing::get;
use tokio::net::TcpListener;

use super::checks;
use super::window::{Window, browse};

const POLICY: &str = "default-src 'none'; style-src 'self'; img-src *";
const SOUND: &str = "<!doctype html><html lang=en><meta name=viewport content='width=device-width'><title>Sound</title>
    <link rel=icon href=icon.svg><main><h1>Sound</h1><p>All is well. <a href=sound>Again</a></main>";

/// Serves a page at each path, with this in its main part.
async fn serve() -> String {
    let page = |inner: &'static str| {
        get(async move || {
            ([(header::CONTENT_SECURITY_POLICY, POLICY)], Html(SOUND.replace("</main>", inner))).into_response()
        })
    };
    let icon = ([(header::CONTENT_TYPE, "image/svg+xml")], "<svg xmlns='http://www.w3.org/2000/svg'/>");
    let routes = Router::new()
        .route("/icon.svg", get(async move || icon))
        .route(
            "/style.css",
            get(async || ([(header::CONTENT_TYPE, "text/css")], "a { outline: none } pre { width: 2000px }")),
        )
        .route("/sound", page("</main>"))
        .route("/wide", page("<link rel=stylesheet href=style.css><pre>wide</pre></main>"))
        .route("/forbidden", page("<p style='color: red'>red</p></main>"))
        .route("/elsewhere", page("<img alt='' src='http://localhost:9/x.png'></main>"))
        .route("/broken", page("<svg><use href='#nothing'/></svg></main>"))
        .route(
            "/sticking",
            page("<link rel=stylesheet href=style.css><div class=card><table><td><pre>wide</pre></table></div></main>"),
        )
        .route("/unseen", page("<link rel=stylesheet href=style.css></main>"))
        .route("/unlabelled", page("<input></main>"));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move { axum::serve(listener, routes).await });
    format!("http://{address}")
}

async fn faults(window: &Window, origin: &str, page: &str) -> Vec<String> {
    let url = format!("{origin}/{page}");
    window.resize(390).await;
    window.go(&url).await;
    let mut faults = checks::what_is_told(window, origin).await;
    faults.extend(checks::sideways_scrolling(window).await);
    faults.extend(checks::broken_parts(window).await);
    faults.extend(checks::size(window, &url).await);
    faults.extend(checks::what_script_adds(window, &url).await);
    faults.extend(checks::other_media(window, &url).await);
    window.go(&url).await;
    faults.extend(checks::keyboard(window, &url).await);
    faults
}

#[tokio::test(flavor = "multi_thread")]
async fn each_check_finds_its_fault_and_nothing_on_a_sound_page() {
    let origin = serve().await;
    let found = browse(async |window| {
        let mut found = Vec::new();
        for page in ["sound", "wide", "broken", "sticking", "forbidden", "elsewhere", "unseen"] {
            found.push((page, faults(window, &origin, page).await.join("\n")));
        }
        found
    })
    .await;
    let expected = [
        "",
        "scrolls sideways by",
        "no icon #nothing is there",
        "a table sticks out of its card",
        "Content Security Policy",
        "asks for http://localhost:9/",
        "nobody sees that the focus",
    ];
    for ((page, found), expected) in found.iter().zip(expected) {
        assert!(found.contains(expected) && (found.is_empty() == expected.is_empty()), "{page}: {found}");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a browser; ./test all runs it"]
async fn axe_finds_a_field_without_a_name() {
    let origin = serve().await;
    let found = browse(async |window| {
        window.go(&format!("{origin}/unlabelled")).await;
        let wrong = checks::accessibility(window).await;
        window.go(&format!("{origin}/sound")).await;
        (wrong, checks::accessibility(window).await)
    });
    let (wrong, right) = found.await;
    assert!(wrong.iter().any(|fault| fault.starts_with("axe label")), "{wrong:?}");
    checks::assert_none(&right);
}
