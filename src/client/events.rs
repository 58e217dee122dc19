//! Server-sent events, read one by one.

use reqwest::{Method, Response, StatusCode};

use super::error::innermost;
use super::{Answer, Client, ClientError};
use crate::wire::event::EventsQuery;

/// More than any event has; what is longer comes from something else.
const LARGEST_EVENT_BYTES: usize = 1024 * 1024;

/// What is read of a stream of events.
pub struct EventStream {
    response: Response,
    server: String,
    /// What has come and was not given yet.
    buffer: Vec<u8>,
}

impl Client {
    /// What happens from now on, or after the event with this id.
    ///
    /// # Errors
    /// If a parameter has no meaning, or the server did not answer.
    pub async fn follow_events(
        &self,
        query: &EventsQuery,
        last_event_id: Option<&str>,
    ) -> Result<EventStream, ClientError> {
        let mut call = self.http.request(Method::GET, self.url(&["events"])).query(query);
        call = call.header("Accept", "text/event-stream");
        if let Some(id) = last_event_id {
            call = call.header("Last-Event-ID", id);
        }
        let response = call.send().await.map_err(|error| self.failure(&error))?;
        if response.status() != StatusCode::OK {
            return self.read(&["events"], response).await.and_then(|answer| Err(answer.unreadable("it is no stream")));
        }
        Ok(EventStream { response, server: self.server(), buffer: Vec::new() })
    }
}

/// One message of a stream.
pub struct Message {
    /// Where to go on after this message.
    pub id: Option<String>,
    /// The first message of a stream only says where it begins.
    pub event: Option<Answer>,
}

impl EventStream {
    /// The next message; none if the server ended the stream.
    ///
    /// # Errors
    /// If the connection breaks, or what comes is no event.
    pub async fn next(&mut self) -> Result<Option<Message>, ClientError> {
        loop {
            if let Some(end) = self.buffer.windows(2).position(|pair| pair == b"\n\n") {
                let message: Vec<u8> = self.buffer.drain(..end + 2).collect();
                return Ok(Some(read_message(&self.server, &String::from_utf8_lossy(&message))));
            }
            if self.buffer.len() > LARGEST_EVENT_BYTES {
                let (server, reason) = (self.server.clone(), "an event has no end".to_owned());
                return Err(ClientError::NotARegistry { server, reason });
            }
            let chunk = self
                .response
                .chunk()
                .await
                .map_err(|error| ClientError::Unreachable { server: self.server.clone(), reason: innermost(&error) })?;
            let Some(chunk) = chunk else { return Ok(None) };
            self.buffer.extend_from_slice(&chunk);
        }
    }
}

/// A comment, which only says that the server is there, has neither an id nor an event.
fn read_message(server: &str, message: &str) -> Message {
    let field = |name: &str| message.lines().find_map(|line| line.strip_prefix(name)).map(str::trim_start);
    Message {
        id: field("id:").map(str::to_owned),
        event: field("data:").map(|data| Answer::new(server.to_owned(), data.to_owned())),
    }
}
