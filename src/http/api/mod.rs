//! The JSON API: one file per endpoint.

mod board;
mod cancel;
mod cancel_before;
mod complete;
mod events;
mod executions;
mod gate;
mod health;
mod heartbeat;
mod history;
mod locations;
mod metrics;
mod openapi;
mod plan;
mod register;
mod status;
mod stream;

// The handlers come with what `routes!` reads their path and description from.
pub use board::*;
pub use cancel::*;
pub use complete::*;
pub use events::*;
pub use executions::*;
pub use gate::*;
pub use health::*;
pub use heartbeat::*;
pub use history::*;
pub use locations::*;
pub use metrics::*;
pub use openapi::{Document, complete_document};
pub use plan::*;
pub use register::*;
pub use status::*;
