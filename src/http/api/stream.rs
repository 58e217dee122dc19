//! Long lists of executions, written a page at a time.

use axum::body::{Body, Bytes};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use futures_util::stream;

use super::executions::to_wire;
use crate::domain::execution::Execution;
use crate::http::error::ApiError;
use crate::registry::{ExecutionPages, RegistryError};

/// Answers `{"<name>":[…]<tail>`. The first page is read before the status is sent, so that a
/// database that is down is still a 503; if a later page fails, the connection is broken off,
/// since a list cut short must not look whole.
pub async fn stream_list(name: &str, mut pages: ExecutionPages, tail: &'static str) -> Result<Response, ApiError> {
    let mut chunk = format!("{{\"{name}\":[").into_bytes();
    let first = pages.next().await?.unwrap_or_default();
    let mut comma = false;
    append(&mut chunk, &mut comma, &first);
    let state = Writing { pages, chunk: Some(chunk), comma, tail: Some(tail) };
    let body = Body::from_stream(stream::try_unfold(state, Writing::step));
    Ok(([(header::CONTENT_TYPE, "application/json")], body).into_response())
}

struct Writing {
    pages: ExecutionPages,
    /// What is ready to be sent.
    chunk: Option<Vec<u8>>,
    comma: bool,
    /// What closes the list, until it is sent.
    tail: Option<&'static str>,
}

impl Writing {
    async fn step(mut self) -> Result<Option<(Bytes, Self)>, RegistryError> {
        if let Some(chunk) = self.chunk.take() {
            return Ok(Some((chunk.into(), self)));
        }
        if let Some(executions) = self.pages.next().await? {
            let mut chunk = Vec::new();
            append(&mut chunk, &mut self.comma, &executions);
            return Ok(Some((chunk.into(), self)));
        }
        Ok(self.tail.take().map(|tail| (Bytes::from_static(tail.as_bytes()), self)))
    }
}

fn append(chunk: &mut Vec<u8>, comma: &mut bool, executions: &[Execution]) {
    for execution in executions {
        if std::mem::replace(comma, true) {
            chunk.push(b',');
        }
        serde_json::to_writer(&mut *chunk, &to_wire(execution)).expect("an execution can be written to memory");
    }
}
