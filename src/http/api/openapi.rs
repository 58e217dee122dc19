//! What the OpenAPI document says of the whole service.

use utoipa::OpenApi;
use utoipa::openapi::path::Operation;
use utoipa::openapi::{ContentBuilder, PathItem, Ref, RefOr, Response, ResponseBuilder};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "perfreg",
        description = "The performance test execution registry: who may run a load test now, where, and beside whom. \
                       A test may start while the factors running at its location plus its own stay below the \
                       location's capacity. Every error is application/problem+json (RFC 9457); any call may also be \
                       answered 503 with Retry-After while the database is away.",
    ),
    // Relative to the document, so that it holds below a path that a proxy adds.
    servers((url = ".")),
    tags(
        (name = "executions", description = "Register, complete, cancel and list tests."),
        (name = "locations", description = "Where tests run, and how much may run there."),
        (name = "events", description = "What happened, and what was weighed when it was decided."),
        (name = "pages", description = "The same for people, as HTML."),
        (name = "health", description = "For load balancers and supervisors."),
    ),
)]
pub struct Document;

/// Adds to every operation the errors that any call of its kind can have, so that no handler
/// has to repeat them.
pub fn add_common_errors(document: &mut utoipa::openapi::OpenApi) {
    for item in document.paths.paths.values_mut() {
        for operation in operations(item) {
            // The process answers for itself even while the database is away.
            if operation.operation_id.as_deref() != Some("check_health") {
                add(operation, "503", "The database is away or too much waits; Retry-After says when to come back.");
            }
            if operation.request_body.is_some() {
                add(operation, "408", "The body did not arrive in time.");
                add(operation, "413", "The body is larger than 64 KiB.");
                add(operation, "415", "The body is not JSON in UTF-8, or has a Content-Encoding.");
                add(operation, "417", "The header Expect asks for something else than 100-continue.");
            }
        }
    }
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [&mut item.get, &mut item.post, &mut item.put].into_iter().flatten()
}

fn add(operation: &mut Operation, status: &str, description: &str) {
    let problem = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
    let response: Response =
        ResponseBuilder::new().description(description).content("application/problem+json", problem).build();
    operation.responses.responses.entry(status.to_owned()).or_insert_with(|| RefOr::T(response));
}
