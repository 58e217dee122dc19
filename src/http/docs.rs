//! `GET /docs/`: the reference, and the description that it shows.

use std::sync::Arc;

use axum::extract::Path;
use axum::http::header;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use axum::{Json, Router};
use utoipa::openapi::OpenApi;
use utoipa_swagger_ui::{Config, serve};

use super::error::ApiError;

/// The routes below.
pub const TEMPLATES: [&str; 4] = ["/openapi.json", "/docs", "/docs/", "/docs/{*file}"];

/// All links are relative, as on the pages.
pub fn routes<S: Clone + Send + Sync + 'static>(document: OpenApi) -> Router<S> {
    // Without "none" the page would send this server's address to a validator on the internet.
    let config = Arc::new(Config::new(["../openapi.json"]).validator_url("none"));
    let document = Arc::new(document);
    let file = async move |path: Option<Path<String>>| show(path, config);
    Router::new()
        .route("/openapi.json", get(async move || Json(document).into_response()))
        .route("/docs", get(async || Redirect::temporary("docs/")))
        .route("/docs/", get(file.clone()))
        .route("/docs/{*file}", get(file))
}

fn show(path: Option<Path<String>>, config: Arc<Config<'static>>) -> Result<Response, ApiError> {
    let name = path.map(|Path(name)| name).unwrap_or_default();
    let file = serve(&name, config).ok().flatten();
    let file = file.ok_or_else(|| ApiError::NotFound(format!("There is nothing at /docs/{name}.")))?;
    Ok(([(header::CONTENT_TYPE, file.content_type)], file.bytes).into_response())
}
