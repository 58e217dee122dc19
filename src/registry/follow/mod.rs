//! Being told as soon as something happens.

pub mod tail;
pub mod watch;
pub mod watchers;
