//! What a pipeline asks for its run: to register, to be heard, to end.

pub mod cancel;
pub mod cancel_before;
pub mod complete;
pub mod expectations;
pub mod heartbeat;
pub mod plan;
pub mod receipt;
pub mod register;
pub mod token;
