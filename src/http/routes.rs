//! Every URL on one page.

use std::sync::Arc;

use axum::routing::{get, post};
use axum::{Extension, Router};
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::negotiation::{answered_by, page_or_json};
use super::state::Shared;
use super::{api, docs, error, html, spelling};
use crate::config::hosts::AllowedHosts;
use crate::config::server::PublicUrl;
use crate::registry::Registry;

/// The routes that the document leaves out, which are for browsers and for proxies.
const UNDOCUMENTED: [&str; 9] = [
    "/",
    "/live",
    "/runs/{run_id}",
    "/runs/{run_id}/stop",
    "/find",
    "/zone",
    "/assets/{file}",
    "/favicon.ico",
    "/locations/{name}/{*rest}",
];

/// What answers requests.
pub struct Service {
    pub router: Router,
    /// The templates of all its routes, such as `/runs/{run_id}`.
    pub templates: Vec<String>,
    /// Where people find it, if that is known.
    pub public_url: Option<PublicUrl>,
    pub hosts: AllowedHosts,
}

/// The whole service. `public_url` is where people find it, if that is known; `hosts` are those it answers for.
pub fn service(registry: Arc<Registry>, public_url: Option<PublicUrl>, hosts: AllowedHosts) -> Service {
    let (routes, mut document) = documented_routes().split_for_parts();
    api::complete_document(&mut document);
    let others = UNDOCUMENTED.into_iter().chain(docs::TEMPLATES).map(str::to_owned);
    let templates = document.paths.paths.keys().cloned().chain(others).collect();
    let with_slash = page_or_json(html::location_with_slash, api::get_location_with_slash)
        .put(api::set_location_with_slash)
        .post(html::set_location_with_slash);
    let routes = routes
        .route("/", get(html::now))
        .route("/live", get(html::live))
        .route("/runs/{run_id}", get(html::run))
        .route("/runs/{run_id}/stop", get(html::stop_form).post(html::stop))
        .route("/find", get(html::find))
        .route("/zone", get(html::zone).post(html::choose_zone))
        .route("/assets/{file}", get(html::asset))
        .route("/favicon.ico", get(html::favicon))
        .route("/locations/{name}", post(html::set_location))
        .route("/registry", post(html::set_registry))
        .route("/locations/{name}/{*rest}", with_slash)
        .with_state(Shared::new(registry))
        .merge(docs::routes(document))
        .fallback(error::unknown_path)
        .method_not_allowed_fallback(error::unknown_method);
    let routes = match &public_url {
        Some(url) => routes.layer(Extension(url.clone())),
        None => routes,
    };
    let usual = routes.clone();
    Service { router: routes.fallback(move |request| spelling::answer(usual, request)), templates, public_url, hosts }
}

/// The description of the API, generated from the types of its handlers.
#[must_use]
pub fn openapi() -> utoipa::openapi::OpenApi {
    let mut openapi = documented_routes().into_openapi();
    api::complete_document(&mut openapi);
    openapi
}

/// In the order of a test's life, in which the reference shows them.
fn documented_routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::with_openapi(api::Document::openapi())
        .routes(routes!(api::register))
        .routes(routes!(api::plan))
        .routes(routes!(api::heartbeat))
        .routes(routes!(api::complete))
        .routes(routes!(api::cancel))
        .routes(routes!(api::board))
        .routes(routes!(api::status))
        .routes(routes!(api::history))
        .routes(routes!(api::get_execution))
        .routes(routes!(api::list_execution_events))
        .routes(routes!(api::list_neighbours))
        .routes(routes!(api::list_events))
        .routes(answered_by(routes!(api::list_locations), page_or_json(html::locations, api::list_locations)))
        .routes(answered_by(routes!(api::get_location), page_or_json(html::location, api::get_location)))
        .routes(routes!(api::set_location, api::delete_location))
        .routes(routes!(api::merge_location))
        .routes(answered_by(routes!(api::get_registry), page_or_json(html::registry, api::get_registry)))
        .routes(routes!(api::set_registry))
        .routes(routes!(api::healthz))
        .routes(routes!(api::readyz))
        .routes(routes!(api::metrics))
        .routes(routes!(html::status_html))
        .routes(routes!(html::history_html))
        .routes(routes!(html::history_html_filter))
}
