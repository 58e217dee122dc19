//! What the OpenAPI document says of the whole service.

use utoipa::OpenApi;
use utoipa::openapi::path::Operation;
use utoipa::openapi::request_body::RequestBody;
use utoipa::openapi::schema::{AnyOf, AnyOfBuilder, Components, Object, OneOf, Schema};
use utoipa::openapi::{ContentBuilder, PathItem, Ref, RefOr, Response, ResponseBuilder};

use crate::wire::problem::Problem;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "perfreg",
        description = "The performance test execution registry: who may run a load test now, where, and beside whom. \
                       A test may start while the factors running at its location plus its own stay below the \
                       location's capacity. Every error is application/problem+json (RFC 9457); any call may also be \
                       answered 503 with Retry-After while the database is away, 421 if the server does not answer to \
                       the name in Host, and 403 if the page of another site sent it.",
    ),
    // Relative to the document, so that it holds below a path that a proxy adds.
    servers((url = ".")),
    tags(
        (name = "executions", description = "A test's life: register it, keep it alive, and say how it ended."),
        (name = "locations", description = "Where tests run, and how much may run there."),
        (name = "events", description = "What happened, and what was weighed when it was decided."),
        (name = "health", description = "For load balancers, supervisors and monitoring."),
        (name = "pages", description = "The same for people, as HTML."),
    ),
    components(schemas(Problem)),
)]
pub struct Document;

/// Adds what no handler has to say for itself, and what generators of clients need.
pub fn complete_document(document: &mut utoipa::openapi::OpenApi) {
    for operation in document.paths.paths.values_mut().flat_map(operations) {
        add_common_errors(operation);
        if let Some(RefOr::T(body)) = &mut operation.request_body {
            leave_out_null(body);
        }
    }
    if let Some(components) = &mut document.components {
        offer_alternatives(components);
    }
}

/// Adds the errors that any call of its kind can have.
fn add_common_errors(operation: &mut Operation) {
    let mut add = |status: &str, description: &str| {
        let response = RefOr::T(error_response(description));
        operation.responses.responses.entry(status.to_owned()).or_insert(response);
    };
    // The process answers for itself even while the database is away.
    if operation.operation_id.as_deref() != Some("check_health") {
        add("503", "The database is away or too much waits; Retry-After says when to come back.");
    }
    if operation.request_body.is_some() {
        add("408", "The body did not arrive in time.");
        add("413", "The body is larger than 64 KiB.");
        add("415", "The body is not JSON in UTF-8, or has a Content-Encoding.");
        add("417", "The header Expect asks for something else than 100-continue.");
        add("422", "What is wrong with which field.");
    } else if operation.parameters.is_some() {
        add("422", "What is wrong with which parameter.");
    }
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [&mut item.get, &mut item.post, &mut item.put, &mut item.delete].into_iter().flatten()
}

/// A page answers a browser with another page.
fn error_response(description: &str) -> Response {
    let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
    ResponseBuilder::new().description(description).content("application/problem+json", content).build()
}

/// A body that is optional is left out; none is null.
fn leave_out_null(body: &mut RequestBody) {
    for content in body.content.values_mut() {
        let RefOr::T(content) = content else { continue };
        let Some(RefOr::T(Schema::OneOf(one_of))) = &content.schema else { continue };
        content.schema = one_of.items.iter().find(|item| matches!(item, RefOr::Ref(_))).cloned();
    }
}

/// Says in a way that generators of clients understand that a type is one of several. From `oneOf` they make code that
/// tries each of them, for which Go needs a library; and what they make of several objects in TypeScript fails.
fn offer_alternatives(components: &mut Components) {
    let known = components.clone();
    for schema in components.schemas.values_mut() {
        if let RefOr::T(Schema::OneOf(one_of)) = schema {
            let is_of_objects = one_of.items.iter().all(|item| matches!(item, RefOr::Ref(_)));
            *schema = RefOr::T(if is_of_objects { merged(one_of, &known).into() } else { any_of(one_of).into() });
        }
    }
}

fn any_of(one_of: &OneOf) -> AnyOf {
    let any_of = AnyOfBuilder::new().description(one_of.description.clone()).examples(one_of.example.clone());
    one_of.items.iter().cloned().fold(any_of, AnyOfBuilder::item).build()
}

/// One object with the fields of all, of which those are required that all require.
fn merged(one_of: &OneOf, known: &Components) -> Object {
    let mut all = one_of.items.iter().map(|item| whole_object(item, known));
    let mut merged = all.next().unwrap_or_default();
    for mut other in all {
        merged.required.retain(|name| other.required.contains(name));
        merged.properties.append(&mut other.properties);
    }
    merged.description.clone_from(&one_of.description);
    merged
}

/// An object with all of its fields, also where it is put together of others.
fn whole_object(schema: &RefOr<Schema>, known: &Components) -> Object {
    match schema {
        RefOr::T(Schema::Object(object)) => object.clone(),
        RefOr::T(Schema::AllOf(all_of)) => {
            let mut whole = Object::new();
            for mut part in all_of.items.iter().map(|item| whole_object(item, known)) {
                whole.properties.append(&mut part.properties);
                whole.required.append(&mut part.required);
            }
            whole
        }
        RefOr::Ref(reference) => {
            let name = reference.ref_location.rsplit('/').next().unwrap_or_default();
            known.schemas.get(name).map_or_else(Object::new, |named| whole_object(named, known))
        }
        RefOr::T(_) => Object::new(),
    }
}
