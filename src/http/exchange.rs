//! A request and its answer: which route it is for, its id, the span of its log lines, and how long it took.

use std::time::Instant;

use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response};
use matchit::Router;
use tracing::Span;
use uuid::Uuid;

use super::spelling::usual_path;
use crate::metrics::{HttpMetrics, RouteName};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const LONGEST_ID_BYTES: usize = 128;
/// What stands for the paths that no route is for.
const OTHER: &str = "other";

/// The templates of all routes, found by a path as the web framework finds them.
pub struct RouteNames {
    templates: Router<RouteName>,
    other: RouteName,
}

impl RouteNames {
    /// A template that another one stands for already is left out.
    pub fn new(templates: impl IntoIterator<Item = String>) -> Self {
        let mut found = Router::new();
        for template in templates {
            let name = RouteName::new(&template);
            let inserted = found.insert(template, name);
            debug_assert!(inserted.is_ok(), "{inserted:?}");
        }
        Self { templates: found, other: RouteName::new(OTHER) }
    }

    fn of(&self, path: &str) -> RouteName {
        let of = |path: &str| self.templates.at(path).ok().map(|found| found.value.clone());
        // As it is answered: as if it had no slashes too many.
        of(path).or_else(|| of(&usual_path(path))).unwrap_or_else(|| self.other.clone())
    }
}

/// A request that is being answered.
pub struct Exchange {
    route: RouteName,
    method: &'static str,
    id: HeaderValue,
    begun: Instant,
}

impl Exchange {
    pub fn begin<B>(routes: &RouteNames, request: &Request<B>) -> Self {
        let id = given_id(request.headers()).unwrap_or_else(new_id);
        let (route, method) = (routes.of(request.uri().path()), method_name(request.method()));
        Self { route, method, id, begun: Instant::now() }
    }

    pub fn route(&self) -> &str {
        self.route.as_str()
    }

    /// What every log line about it stands in.
    pub fn span(&self) -> Span {
        let (method, route, id) = (self.method, self.route.as_str(), self.id.to_str().unwrap_or_default());
        tracing::info_span!("request", id, method, route)
    }

    /// Counts the answer, and puts the id into it.
    pub fn end<B>(self, metrics: &HttpMetrics, response: &mut Response<B>) {
        metrics.observe(self.route, self.method, response.status().as_u16(), self.begun.elapsed());
        response.headers_mut().insert(REQUEST_ID, self.id);
    }
}

/// The id that the client, or a proxy before it, gave; only one that can stand in a log as it is.
fn given_id(headers: &HeaderMap) -> Option<HeaderValue> {
    let mut given = headers.get_all(REQUEST_ID).iter();
    let id = given.next()?;
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.:/+=@".contains(byte);
    let is_usable = (1..=LONGEST_ID_BYTES).contains(&id.len()) && id.as_bytes().iter().all(is_plain);
    (is_usable && given.next().is_none()).then(|| id.clone())
}

fn new_id() -> HeaderValue {
    let mut text = Uuid::encode_buffer();
    let text = Uuid::new_v4().simple().encode_lower(&mut text);
    HeaderValue::from_str(text).unwrap_or_else(|_| HeaderValue::from_static(OTHER))
}

/// A client may make up methods.
fn method_name(method: &Method) -> &'static str {
    const KNOWN: [(&Method, &str); 7] = [
        (&Method::POST, "POST"),
        (&Method::GET, "GET"),
        (&Method::PUT, "PUT"),
        (&Method::DELETE, "DELETE"),
        (&Method::HEAD, "HEAD"),
        (&Method::OPTIONS, "OPTIONS"),
        (&Method::PATCH, "PATCH"),
    ];
    KNOWN.into_iter().find(|(known, _)| *known == method).map_or(OTHER, |(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_taken_over_only_if_it_can_stand_in_a_log() {
        let longest = "a".repeat(LONGEST_ID_BYTES);
        let (too_long, trace) = (format!("{longest}a"), "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
        for (given, is_taken) in [
            (vec!["7"], true),
            (vec![trace], true),
            (vec!["Root=1-67891233-abcdef012345678912345678/a+b=="], true),
            (vec![&longest], true),
            (vec![&too_long], false),
            (vec![""], false),
            (vec!["two words"], false),
            (vec!["quote\""], false),
            (vec!["caf\u{e9}"], false),
            (vec!["a", "b"], false),
            (vec![], false),
        ] {
            let mut headers = HeaderMap::new();
            for id in &given {
                headers.append(REQUEST_ID, HeaderValue::from_bytes(id.as_bytes()).expect("a header's value"));
            }
            let taken = given_id(&headers);
            assert_eq!(taken.as_ref().map(HeaderValue::as_bytes), is_taken.then(|| given[0].as_bytes()), "{given:?}");
        }
    }

    #[test]
    fn an_id_that_is_made_is_another_each_time() {
        let (first, second) = (new_id(), new_id());
        assert_eq!((first.len(), first == second), (32, false));
    }

    #[test]
    fn a_path_counts_for_its_template_and_one_that_is_not_there_for_other() {
        let routes = RouteNames::new(["/", "/status", "/runs/{run_id}", "/locations/{name}"].map(str::to_owned));
        for (path, route) in [
            ("/", "/"),
            ("/status", "/status"),
            ("/runs/7", "/runs/{run_id}"),
            ("/locations/a%2Fb", "/locations/{name}"),
            ("/locations/", OTHER),
            ("/status/", "/status"),
            ("//runs//7/", "/runs/{run_id}"),
            ("//", "/"),
            ("/.env/", OTHER),
            ("/.env", OTHER),
        ] {
            assert_eq!(routes.of(path).as_str(), route, "{path}");
        }
        assert_eq!(method_name(&Method::from_bytes(b"BREW").expect("a method")), OTHER);
    }
}
