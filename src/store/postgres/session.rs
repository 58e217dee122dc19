//! A connection to the server.

use std::ops::{Deref, DerefMut};

use tokio::task::JoinHandle;
use tokio_postgres::Client;

pub struct Session {
    client: Client,
    driving: JoinHandle<()>,
}

impl Session {
    /// It ends with what drives it.
    pub const fn new(client: Client, driving: JoinHandle<()>) -> Self {
        Self { client, driving }
    }
}

impl Deref for Session {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

impl DerefMut for Session {
    fn deref_mut(&mut self) -> &mut Client {
        &mut self.client
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.driving.abort();
    }
}
