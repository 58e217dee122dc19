//! Another server takes over, or the database is restored: nothing is forgotten or given out twice.

pub mod identity;
pub mod pulse;
pub mod standby;
pub mod timeline;
