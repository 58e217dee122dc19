//! Long lists of executions, written a piece at a time.

use std::vec;

use axum::body::{Body, Bytes};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use futures_util::stream;

use crate::clock;
use crate::domain::execution::Execution;
use crate::http::error::ApiError;
use crate::present::execution::into_wire;
use crate::registry::{ExecutionPages, RegistryError};

/// A piece is sent when it has grown to this.
const PIECE_BYTES: usize = 64 * 1024;

/// Answers `{"<name>":[…]<tail>`. The first page is read before the status is sent, so that a
/// database that is down is still a 503; if a later page fails, the connection is broken off,
/// since a list cut short must not look whole.
pub async fn stream_list(name: &str, mut pages: ExecutionPages, tail: &'static str) -> Result<Response, ApiError> {
    let page = pages.next().await?.unwrap_or_default().into_iter();
    let begun = format!("{{\"{name}\":[").into_bytes();
    let state = Writing { pages, page, begun, comma: false, tail: Some(tail) };
    let body = Body::from_stream(stream::try_unfold(state, Writing::step));
    Ok(([(header::CONTENT_TYPE, "application/json")], body).into_response())
}

struct Writing {
    pages: ExecutionPages,
    /// What is left of the page that was read last.
    page: vec::IntoIter<Execution>,
    /// What opens the list, until it is sent.
    begun: Vec<u8>,
    comma: bool,
    /// What closes the list, until it is sent.
    tail: Option<&'static str>,
}

impl Writing {
    async fn step(mut self) -> Result<Option<(Bytes, Self)>, RegistryError> {
        if self.tail.is_none() {
            return Ok(None);
        }
        let mut piece = std::mem::take(&mut self.begun);
        piece.reserve(PIECE_BYTES);
        let now = clock::now();
        while piece.len() < PIECE_BYTES {
            if let Some(execution) = self.page.next() {
                if std::mem::replace(&mut self.comma, true) {
                    piece.push(b',');
                }
                let execution = into_wire(execution, now);
                serde_json::to_writer(&mut piece, &execution).expect("an execution can be written to memory");
            } else if let Some(page) = self.pages.next().await? {
                self.page = page.into_iter();
            } else {
                piece.extend(self.tail.take().unwrap_or_default().as_bytes());
                break;
            }
        }
        Ok(Some((piece.into(), self)))
    }
}
