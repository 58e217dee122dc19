//! Every URL on one page.

use std::sync::Arc;

use axum::Router;
use axum::routing::get;
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use utoipa_swagger_ui::{Config, SwaggerUi};

use super::{api, error, html};
use crate::registry::Registry;

/// The whole service.
pub fn router(registry: Arc<Registry>) -> Router {
    let (routes, mut openapi) = documented_routes().split_for_parts();
    api::add_common_errors(&mut openapi);
    // Without "none" the page would send this server's address to a validator on the internet.
    let docs = SwaggerUi::new("/docs").url("/openapi.json", openapi).config(Config::default().validator_url("none"));
    routes
        .route("/", get(html::front))
        .route("/runs/{run_id}", get(html::run))
        .route("/assets/{file}", get(html::asset))
        .with_state(registry)
        .merge(docs)
        .fallback(error::unknown_path)
        .method_not_allowed_fallback(error::unknown_method)
}

/// The description of the API, generated from the types of its handlers.
#[must_use]
pub fn openapi() -> utoipa::openapi::OpenApi {
    let mut openapi = documented_routes().into_openapi();
    api::add_common_errors(&mut openapi);
    openapi
}

fn documented_routes() -> OpenApiRouter<Arc<Registry>> {
    OpenApiRouter::with_openapi(api::Document::openapi())
        .routes(routes!(api::register))
        .routes(routes!(api::plan))
        .routes(routes!(api::complete))
        .routes(routes!(api::cancel))
        .routes(routes!(api::heartbeat))
        .routes(routes!(api::status))
        .routes(routes!(api::history))
        .routes(routes!(api::get_execution))
        .routes(routes!(api::list_execution_events))
        .routes(routes!(api::list_events))
        .routes(routes!(api::list_locations))
        .routes(routes!(api::get_location, api::set_location, api::delete_location))
        .routes(routes!(api::merge_location))
        .routes(routes!(api::get_registry))
        .routes(routes!(api::set_registry))
        .routes(routes!(api::healthz))
        .routes(routes!(api::readyz))
        .routes(routes!(api::metrics))
        .routes(routes!(html::status_html))
        .routes(routes!(html::history_html))
        .routes(routes!(html::history_html_filter))
}
