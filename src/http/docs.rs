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
use super::protection::REFERENCE_POLICY;

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
    let policy = [(header::CONTENT_SECURITY_POLICY, REFERENCE_POLICY)];
    let content_type = [(header::CONTENT_TYPE, file.content_type.clone())];
    if file.content_type.starts_with("text/html") {
        return Ok((policy, content_type, with_viewport(&file.bytes)).into_response());
    }
    let cache = [(header::CACHE_CONTROL, "max-age=3600")];
    Ok((policy, content_type, cache, file.bytes).into_response())
}

/// The page as phones lay it out: as wide as they are.
fn with_viewport(page: &[u8]) -> String {
    const VIEWPORT: &str = r#"<head><meta name="viewport" content="width=device-width, initial-scale=1">"#;
    String::from_utf8_lossy(page).replacen("<head>", VIEWPORT, 1)
}
