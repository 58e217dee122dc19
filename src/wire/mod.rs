//! The JSON bodies, as clients and the OpenAPI document know them.

pub mod board;
pub mod cancel;
pub mod complete;
pub mod decimal;
pub mod event;
pub mod execution;
pub mod gate;
pub mod health;
pub mod heartbeat;
pub mod history;
pub mod location;
pub mod plan;
pub mod problem;
pub mod register;
pub mod room;
pub mod status;
