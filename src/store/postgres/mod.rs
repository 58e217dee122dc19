//! PostgreSQL 13 or newer, shared by any number of servers.

mod admission;
mod adopt;
mod audit;
mod board;
mod columns;
mod conditions;
mod context;
mod dashboard_columns;
mod error;
mod events;
mod executions;
mod failover;
mod idempotency;
mod link;
mod locations;
mod locking;
mod merge;
mod migrate;
mod profiles;
mod reading;
mod rows;
mod search;
mod transaction;
mod usage;
mod write;

use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};

use super::{AuditPage, Batch, Decided, Known, Merge, Merged, SettledEvents, Store, StoreError};
use crate::clock::Clock;
use crate::config::database::DatabaseConfig;
use crate::domain::adopted::AdoptedAt;
use crate::domain::capacity::location::{Location, LocationName};
use crate::domain::continuity::Pulse;
use crate::domain::event::{EventFilter, EventId, Order, SavedEvent};
use crate::domain::execution::{Execution, RunId};
use crate::domain::gate::Gate;
use crate::domain::history::{Cursor, Filter, Page};
use crate::domain::schedule::board::BoardSnapshot;
use crate::domain::schedule::estimate::Alike;
use crate::domain::usage::Usage;
use crate::metrics::{ConnectionCount, DatabaseMetrics};
use context::Context;
use dashboard_columns::{DashboardColumns, Filling};
use failover::standby::{self, Standby};
use failover::timeline::Timelines;
use failover::{identity, pulse};
use link::connection::Connections;
use link::passwords::Passwords;
use link::session::Session;

pub struct PostgresStore {
    connections: Arc<Connections>,
    standby: Arc<Standby>,
    clock: Clock,
    known: Arc<Known>,
    timelines: Timelines,
    /// Nothing before the database is prepared.
    prepared: OnceLock<Filling>,
}

impl PostgresStore {
    /// # Errors
    /// If the URL, or a file of certificates or passwords, cannot be used.
    pub fn open(url: &str, config: &DatabaseConfig, clock: Clock) -> Result<Self, StoreError> {
        let known = Arc::new(Known::default());
        // A server that was failed over to may lack what was remembered of the one before.
        let forget = Arc::clone(&known);
        let passwords = Passwords::new(config.passwords.clone())?;
        let connections = Connections::new(url, config.connections, passwords, move || forget.forget())?;
        let (connections, standby) = (Arc::new(connections), Arc::new(Standby::new(config.durability)));
        Ok(Self { connections, standby, clock, known, timelines: Timelines::default(), prepared: OnceLock::new() })
    }

    fn prepared(&self) -> Result<&Filling, StoreError> {
        let not_yet =
            || StoreError::Unavailable("the database has not answered yet since this server started".to_owned());
        self.prepared.get().ok_or_else(not_yet)
    }

    fn ready(&self) -> Result<&Connections, StoreError> {
        self.prepared().map(|_| &*self.connections)
    }

    fn context(&self) -> Context<'_> {
        Context { clock: &self.clock, known: &self.known, timelines: &self.timelines, standby: &self.standby }
    }

    /// As [`Self::ready`], for what is not even begun without the standby that it would have to wait for.
    fn ready_to_write(&self) -> Result<&Connections, StoreError> {
        let connections = self.ready()?;
        let check = self.standby.check().inspect_err(|error| connections.metrics.failed(error.kind()));
        check.map(|()| connections)
    }

    async fn decide_with(&self, batch: &Batch, columns: &DashboardColumns) -> Result<Decided, StoreError> {
        let context = self.context();
        self.ready_to_write()?
            .run_without_limit(async |client| admission::decide(client, batch, &context, columns).await)
            .await
            .inspect_err(|_| self.known.forget())
    }
}

#[async_trait]
impl Store for PostgresStore {
    async fn prepare(&self) -> Result<(), StoreError> {
        let prepare = async |client: &mut Session| {
            migrate::migrate(client).await?;
            identity::check(client, self.clock.simulated_now(), &self.standby).await?;
            self.timelines.prepare(client).await?;
            dashboard_columns::read(client).await
        };
        let dashboard_columns = self.connections.run_without_limit(prepare).await?;
        if self.standby.is_required() {
            self.connections.run(async |client| self.standby.look(client).await).await?;
        }
        if self.prepared.set(Filling::new(dashboard_columns)).is_ok() && self.standby.is_required() {
            tokio::spawn(standby::watch(Arc::downgrade(&self.connections), Arc::downgrade(&self.standby)));
        }
        Ok(())
    }

    /// Decided once more without the dashboards' columns where the database may have refused them.
    async fn decide(&self, batch: &Batch) -> Result<Decided, StoreError> {
        let filling = self.prepared()?;
        let columns = filling.columns();
        match self.decide_with(batch, &columns).await {
            Err(StoreError::Broken(reason) | StoreError::Unsuitable(reason)) if columns.may_be_filled_by(batch) => {
                let again = Batch { is_retry: true, ..batch.clone() };
                let decided = self.decide_with(&again, &DashboardColumns::default()).await?;
                let now = self.connections.run(async |client| dashboard_columns::read(client).await).await;
                filling.note_refusal(&columns, &reason, now);
                Ok(decided)
            }
            result => result,
        }
    }

    /// So that of two callers neither waits for the other's disk.
    fn transactions_at_once(&self) -> usize {
        2
    }

    async fn execution(&self, run_id: RunId) -> Result<Option<Execution>, StoreError> {
        self.ready()?.run(async |client| executions::one(client, run_id).await).await
    }

    async fn executions(&self, filter: &Filter, after: Option<Cursor>, limit: usize) -> Result<Page, StoreError> {
        self.ready()?.run(async |client| executions::page(client, filter, after, limit).await).await
    }

    async fn running_before(
        &self,
        location: Option<&LocationName>,
        before: Timestamp,
        after: Option<RunId>,
        limit: usize,
    ) -> Result<Vec<Execution>, StoreError> {
        let running =
            async |client: &mut Session| executions::running_before(client, location, before, after, limit).await;
        self.ready()?.run(running).await
    }

    async fn adopted(&self) -> Result<Vec<AdoptedAt>, StoreError> {
        self.ready()?.run(async |client| executions::adopted(client).await).await
    }

    async fn board(&self, location: Option<&LocationName>, most: usize) -> Result<BoardSnapshot, StoreError> {
        self.ready()?.run(async |client| board::read(client, location, most).await).await
    }

    async fn runs_between(
        &self,
        location: &LocationName,
        from: Timestamp,
        to: Timestamp,
        limit: usize,
    ) -> Result<Vec<Execution>, StoreError> {
        self.ready()?.run(async |client| board::runs_between(client, location, from, to, limit).await).await
    }

    async fn due(&self, any: bool) -> Result<Vec<Option<LocationName>>, StoreError> {
        let now = self.clock.simulated_now();
        self.ready()?.run(async |client| locations::due(client, now, any).await).await
    }

    async fn registry(&self) -> Result<Gate, StoreError> {
        self.ready()?.run(async |client| locations::registry(client).await).await
    }

    async fn set_registry(&self, gate: &Gate) -> Result<(), StoreError> {
        let now = self.clock.simulated_now();
        self.ready_to_write()?
            .run_without_limit(async |client| locations::set_registry(client, gate, now, &self.standby).await)
            .await
    }

    async fn merge(&self, merge: &Merge) -> Result<Option<Merged>, StoreError> {
        let context = self.context();
        self.ready_to_write()?.run_without_limit(async |client| merge::merge(client, merge, &context).await).await
    }

    async fn receipt_key(&self) -> Result<Vec<u8>, StoreError> {
        self.ready()?.run(async |client| locations::receipt_key(client).await).await
    }

    async fn pulse(&self) -> Result<Pulse, StoreError> {
        let context = self.context();
        // While no beat could be saved, nobody is to be given up for it.
        self.ready_to_write()?.run(async |client| pulse::pulse(client, &context).await).await
    }

    async fn open_registry(&self) -> Result<bool, StoreError> {
        let now = self.clock.simulated_now();
        self.ready_to_write()?
            .run_without_limit(async |client| locations::open_registry(client, now, &self.standby).await)
            .await
    }

    async fn location_versions(
        &self,
        locations: &[Option<LocationName>],
    ) -> Result<Vec<(Option<LocationName>, i64)>, StoreError> {
        self.ready()?.run(async |client| locations::versions(client, locations).await).await
    }

    async fn changed(&self, versions: &[(RunId, i64)]) -> Result<Vec<RunId>, StoreError> {
        self.ready()?.run(async |client| executions::changed(client, versions).await).await
    }

    async fn events(
        &self,
        filter: &EventFilter,
        after: Option<EventId>,
        order: Order,
        limit: usize,
    ) -> Result<Vec<SavedEvent>, StoreError> {
        self.ready()?.run(async |client| events::list(client, filter, after, order, limit).await).await
    }

    async fn settled_events(
        &self,
        filter: &EventFilter,
        after: Option<EventId>,
        limit: usize,
    ) -> Result<SettledEvents, StoreError> {
        self.ready()?.run(async |client| events::settled(client, filter, after, limit).await).await
    }

    async fn forget_events(&self, before: Timestamp, limit: usize) -> Result<usize, StoreError> {
        self.ready_to_write()?.run(async |client| events::forget(client, before, limit).await).await
    }

    async fn forget_first_answers(&self, before: Timestamp, limit: usize) -> Result<usize, StoreError> {
        self.ready_to_write()?.run(async |client| idempotency::forget(client, before, limit).await).await
    }

    async fn durations(&self, alike: &Alike) -> Result<Vec<SignedDuration>, StoreError> {
        self.ready()?.run(async |client| executions::durations(client, alike).await).await
    }

    async fn location(&self, name: &LocationName) -> Result<Option<Location>, StoreError> {
        self.ready()?.run(async |client| locations::one(client, name).await).await
    }

    async fn locations(&self) -> Result<Vec<Location>, StoreError> {
        self.ready()?.run(async |client| locations::all(client).await).await
    }

    async fn usage(&self) -> Result<Usage, StoreError> {
        let now = self.clock.simulated_now();
        self.ready()?.run(async |client| usage::read(client, now).await).await
    }

    fn metrics(&self) -> &DatabaseMetrics {
        &self.connections.metrics
    }

    fn connections(&self) -> ConnectionCount {
        self.connections.count()
    }

    async fn audit(&self, from: &str, limit: usize) -> Result<AuditPage, StoreError> {
        self.ready()?.run(async |client| audit::page(client, from, limit).await).await
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.ready()?.run(async |client| locations::check_writable(client).await).await?;
        self.standby.check()
    }
}
