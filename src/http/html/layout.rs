//! What is around every page: where it stands, in which zone it tells times, and for when.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, Uri, header};
use cookie::Cookie;
use jiff::Timestamp;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use url::form_urlencoded;

use super::assets;
use crate::clock;
use crate::present::zone::{ShownTime, Zone};

/// The cookie with the reader's time zone.
pub const ZONE_COOKIE: &str = "zone";

/// What stands for itself in no path.
const MEANINGFUL: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// The pages that the navigation leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Section {
    Now,
    History,
    Registry,
    /// A page below one of them, or none.
    Other,
}

#[derive(Clone, Debug)]
pub struct Layout {
    /// The way from the page to the root of the service: `../` for each folder of its path. It holds below any path
    /// that a proxy adds.
    pub root: String,
    pub section: Section,
    pub zone: Zone,
    /// Whether the request named the zone. If not, the page asks the browser for its own.
    pub is_zone_known: bool,
    /// The moment that the page shows.
    pub now: Timestamp,
    /// The program's.
    pub version: &'static str,
}

impl Layout {
    pub fn new(uri: &Uri, headers: &HeaderMap) -> Self {
        let folders = uri.path().matches('/').count().saturating_sub(1);
        let zone = cookie_value(headers, ZONE_COOKIE).and_then(|name| Zone::named(&name));
        Self {
            root: "../".repeat(folders),
            section: Section::Other,
            is_zone_known: zone.is_some(),
            zone: zone.unwrap_or(Zone::UTC),
            now: clock::now(),
            version: env!("CARGO_PKG_VERSION"),
        }
    }

    /// The layout of one of the pages in the navigation.
    #[must_use]
    pub fn of(self, section: Section) -> Self {
        Self { section, ..self }
    }

    /// The layout for a page that was not drawn as soon as it was asked for.
    #[must_use]
    pub fn at_present(self) -> Self {
        Self { now: clock::now(), ..self }
    }

    /// Where an asset is, such as `style.css`.
    pub fn asset(&self, name: &str) -> String {
        format!("{}{}", self.root, assets::path_of(name))
    }

    /// The way to the front page.
    pub fn home(&self) -> &str {
        if self.root.is_empty() { "./" } else { &self.root }
    }

    /// The way to a location's page. A name may hold what has a meaning in a path. Its slashes are written plainly, so that
    /// browser and server count as many folders, though a proxy decodes. A name that no such path can have leads to the runs
    /// of that location instead.
    pub fn location(&self, name: &str) -> String {
        if is_path(name) {
            let segments: Vec<String> = name.split('/').map(segment).collect();
            return format!("{}locations/{}", self.root, segments.join("/"));
        }
        let query = form_urlencoded::Serializer::new(String::new()).append_pair("location", name).finish();
        format!("{}history-html?{query}", self.root)
    }

    pub fn is_now(&self) -> bool {
        self.section == Section::Now
    }

    pub fn is_history(&self) -> bool {
        self.section == Section::History
    }

    pub fn is_registry(&self) -> bool {
        self.section == Section::Registry
    }

    /// The zone as far as a shared drawing depends on it: empty while the page still asks the browser for it.
    pub fn zone_key(&self) -> String {
        if self.is_zone_known { self.zone.name().to_owned() } else { String::new() }
    }

    pub fn time(&self, time: Timestamp) -> ShownTime {
        self.zone.time(time, self.now)
    }

    /// When the page was drawn, to the second.
    pub fn clock(&self) -> ShownTime {
        self.zone.clock(self.now)
    }
}

impl<S: Sync> FromRequestParts<S> for Layout {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::new(&parts.uri, &parts.headers))
    }
}

/// Whether a location's page can have the name in its path: browsers and proxies take empty segments and dots out, and what
/// ends with `merge` is the call that merges.
pub fn is_path(name: &str) -> bool {
    let mut segments = name.split('/');
    let is_call = || matches!(name.split_once('/'), Some((_, "merge")));
    segments.all(|segment| !matches!(segment, "" | "." | "..")) && !is_call()
}

/// A text as one segment of a path, which is also an id that nothing else on a page has.
pub fn segment(text: &str) -> String {
    utf8_percent_encode(text, MEANINGFUL).to_string()
}

/// The value of a cookie, if the request has it.
pub fn cookie_value(headers: &HeaderMap, name: &str) -> Option<String> {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|header| header.to_str().ok());
    let mut cookies = cookies.flat_map(Cookie::split_parse_encoded).filter_map(Result::ok);
    cookies.find(|cookie| cookie.name() == name).map(|cookie| cookie.value().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(path: &'static str, cookie: &'static str) -> Layout {
        let mut headers = HeaderMap::new();
        headers.insert(header::COOKIE, cookie.parse().expect("a header's value"));
        Layout::new(&Uri::from_static(path), &headers)
    }

    #[test]
    fn the_root_is_as_many_folders_up_as_the_page_is_deep() {
        for (path, root, home) in [
            ("/", "", "./"),
            ("/history-html?a=/b/", "", "./"),
            ("/runs/7", "../", "../"),
            ("/runs/7/stop", "../../", "../../"),
            ("/locations/a%2Fb", "../", "../"),
            ("/locations/a/b", "../../", "../../"),
        ] {
            let layout = layout(path, "");
            assert_eq!((layout.root.as_str(), layout.home()), (root, home), "{path}");
        }
    }

    #[test]
    fn the_way_to_a_location_holds_for_any_name() {
        let layout = layout("/runs/7", "");
        for (name, way) in [
            ("azure-k8s", "../locations/azure-k8s"),
            ("a/b ?#.svg", "../locations/a/b%20%3F%23.svg"),
            ("a/b/merge", "../locations/a/b/merge"),
            ("a/merge", "../history-html?location=a%2Fmerge"),
            ("merge", "../locations/merge"),
            ("/a", "../history-html?location=%2Fa"),
            ("a/", "../history-html?location=a%2F"),
            ("a//b", "../history-html?location=a%2F%2Fb"),
            ("..", "../history-html?location=.."),
            ("a/../b", "../history-html?location=a%2F..%2Fb"),
            ("./a", "../history-html?location=.%2Fa"),
            ("...", "../locations/..."),
            ("50%", "../locations/50%25"),
            ("\u{fc}", "../locations/%C3%BC"),
        ] {
            assert_eq!(layout.location(name), way);
        }
    }

    #[test]
    fn a_zone_is_the_one_of_the_cookie_and_utc_where_there_is_none_of_that_name() {
        for (cookie, zone) in [
            ("zone=Europe%2FLisbon", "Europe/Lisbon"),
            ("a=b; zone=asia/kolkata", "Asia/Kolkata"),
            ("zone=Mars%2FBase", "UTC"),
            ("zone", "UTC"),
            ("", "UTC"),
        ] {
            assert_eq!(layout("/", cookie).zone.name(), zone, "{cookie}");
        }
    }
}
