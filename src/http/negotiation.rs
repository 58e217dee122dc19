//! Paths that show a browser a page, and tell everybody else JSON.

use axum::extract::{Request, State};
use axum::handler::Handler;
use axum::http::{HeaderValue, header};
use axum::routing::{MethodRouter, get};
use utoipa_axum::router::UtoipaMethodRouter;

use super::html::wants_page;

/// `GET` of the page for a browser, and of the JSON for others.
pub fn page_or_json<S, P, J, TP, TJ>(page: P, json: J) -> MethodRouter<S>
where
    S: Clone + Send + Sync + 'static,
    P: Handler<TP, S> + Sync,
    J: Handler<TJ, S> + Sync,
    TP: 'static,
    TJ: 'static,
{
    get(move |State(state): State<S>, request: Request| {
        let (page, json) = (page.clone(), json.clone());
        async move {
            if wants_page(request.headers()) {
                return page.call(request, state).await;
            }
            let mut response = json.call(request, state).await;
            response.headers_mut().insert(header::VARY, HeaderValue::from_static("accept"));
            response
        }
    })
}

/// What the document says of a handler, with another one that answers.
pub fn answered_by<S>((schemas, paths, _): UtoipaMethodRouter<S>, answers: MethodRouter<S>) -> UtoipaMethodRouter<S> {
    (schemas, paths, answers)
}
