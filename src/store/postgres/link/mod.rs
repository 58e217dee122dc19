//! A connection: how it is made, to which host, and what is known on it.

pub mod connection;
pub mod driver;
pub mod hosts;
pub mod passwords;
pub mod pgpass;
pub mod pooler;
pub mod session;
pub mod tls;
