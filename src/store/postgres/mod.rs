//! PostgreSQL 13 or newer, shared by any number of servers.

mod admission;
mod adopt;
mod connection;
mod error;
mod executions;
mod locations;
mod migrate;
mod rows;
mod tls;
mod write;

use std::sync::OnceLock;

use async_trait::async_trait;
use jiff::SignedDuration;

use super::known_terms::KnownTerms;
use super::{Batch, Decided, Store, StoreError};
use crate::clock::Clock;
use crate::domain::estimate::Alike;
use crate::domain::execution::{Execution, RunId};
use crate::domain::gate::Gate;
use crate::domain::history::{Cursor, Filter, Page};
use crate::domain::location::{Location, LocationName};
use connection::Connections;

pub struct PostgresStore {
    connections: Connections,
    clock: Clock,
    known_terms: KnownTerms,
    prepared: OnceLock<()>,
}

impl PostgresStore {
    /// # Errors
    /// If the URL or the certificate file it names cannot be used.
    pub fn open(url: &str, most_connections: usize, clock: Clock) -> Result<Self, StoreError> {
        Ok(Self {
            connections: Connections::new(url, most_connections)?,
            clock,
            known_terms: KnownTerms::default(),
            prepared: OnceLock::new(),
        })
    }

    fn ready(&self) -> Result<&Connections, StoreError> {
        let not_yet =
            || StoreError::Unavailable("the database has not answered yet since this server started".to_owned());
        self.prepared.get().map(|()| &self.connections).ok_or_else(not_yet)
    }
}

#[async_trait]
impl Store for PostgresStore {
    async fn prepare(&self) -> Result<(), StoreError> {
        self.connections.run_without_limit(async |client| migrate::migrate(client).await).await?;
        self.prepared.get_or_init(|| ());
        Ok(())
    }

    async fn decide(&self, batch: &Batch) -> Result<Decided, StoreError> {
        self.ready()?
            .run_without_limit(async |client| admission::decide(client, batch, &self.clock, &self.known_terms).await)
            .await
            .inspect_err(|_| self.known_terms.forget())
    }

    async fn execution(&self, run_id: RunId) -> Result<Option<Execution>, StoreError> {
        self.ready()?.run(async |client| executions::one(client, run_id).await).await
    }

    async fn executions(&self, filter: &Filter, after: Option<Cursor>, limit: usize) -> Result<Page, StoreError> {
        self.ready()?.run(async |client| executions::page(client, filter, after, limit).await).await
    }

    async fn due(&self, any: bool) -> Result<Vec<Option<LocationName>>, StoreError> {
        let now = match &self.clock {
            Clock::Real => None,
            Clock::Simulated(clock) => Some(clock.now()),
        };
        self.ready()?.run(async |client| locations::due(client, now, any).await).await
    }

    async fn registry(&self) -> Result<Gate, StoreError> {
        self.ready()?.run(async |client| locations::registry(client).await).await
    }

    async fn set_registry(&self, gate: &Gate) -> Result<(), StoreError> {
        self.ready()?.run(async |client| locations::set_registry(client, gate).await).await
    }

    async fn changed(&self, versions: &[(RunId, i64)]) -> Result<Vec<RunId>, StoreError> {
        self.ready()?.run(async |client| executions::changed(client, versions).await).await
    }

    async fn durations(&self, alike: &Alike) -> Result<Vec<SignedDuration>, StoreError> {
        self.ready()?.run(async |client| executions::durations(client, alike).await).await
    }

    async fn locations(&self) -> Result<Vec<Location>, StoreError> {
        self.ready()?.run(async |client| locations::all(client).await).await
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.ready()?.run(async |client| locations::check_writable(client).await).await
    }
}
