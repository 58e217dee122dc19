//! What the OpenAPI document says of the whole service.

use utoipa::OpenApi;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "perfreg",
        description = "The performance test execution registry: who may run a load test now, where, and beside whom. \
                       A test may start while the factors running at its location plus its own stay below the \
                       location's capacity. Every error is application/problem+json (RFC 9457); any call may also be \
                       answered 503 with Retry-After while the database is away.",
    ),
    tags(
        (name = "executions", description = "Register, complete, cancel and list tests."),
        (name = "locations", description = "Where tests run, and how much may run there."),
        (name = "pages", description = "The same for people, as HTML."),
        (name = "health", description = "For load balancers and supervisors."),
    ),
)]
pub struct Document;
