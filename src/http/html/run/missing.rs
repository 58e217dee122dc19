//! What is shown where there is no such run.

use askama::Template;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use crate::domain::history::Filter;
use crate::http::error::ApiError;
use crate::http::html::layout::Layout;
use crate::http::html::page::{filters, render};
use crate::present::text::shortened;
use crate::registry::Registry;

const LONGEST_NAME: usize = 48;

#[derive(Template)]
#[template(path = "run/missing.html")]
struct MissingPage {
    layout: Layout,
    /// The run_id of the newest, and its test.
    newest: Option<(i64, String)>,
}

pub async fn no_such_run(registry: &Registry, layout: Layout) -> Result<Response, ApiError> {
    let newest = registry.executions(&Filter::default(), None, 1).await?.executions.into_iter().next();
    let newest = newest.map(|run| (run.run_id.0, shortened(&run.details.test, LONGEST_NAME).into_owned()));
    Ok((StatusCode::NOT_FOUND, render(&MissingPage { layout, newest })).into_response())
}
