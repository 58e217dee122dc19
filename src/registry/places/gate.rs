//! The gate of the whole registry.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use futures_util::stream::{self, TryStreamExt};
use tokio::time::timeout;
use tracing::field::display;

use crate::clock;
use crate::domain::admission::Command;
use crate::domain::capacity::location::LocationName;
use crate::domain::gate::Gate;
use crate::registry::read::browse::twice;
use crate::registry::{Registry, RegistryError};

/// So that a sweep of everything leaves room for those who ask for something.
const SWEEPS_AT_ONCE: usize = 8;
/// After this a location is held by others, and is not waited for.
const PATIENCE: Duration = Duration::from_millis(500);

impl Registry {
    /// # Errors
    /// If the database did not answer.
    pub async fn gate(&self) -> Result<Gate, RegistryError> {
        Ok(twice(|| self.store.registry()).await?.at(clock::now()))
    }

    /// Opens or closes every location. When this is answered, nothing starts any more on any
    /// replica if the gate is closed, and everybody that can be told to stop has been.
    ///
    /// # Errors
    /// If the database did not answer; the gate may then be set, but not every location told.
    pub async fn set_gate(&self, gate: Gate) -> Result<Gate, RegistryError> {
        self.store.set_registry(&gate).await?;
        self.tail.count().add();
        let (state, until) = (gate.state.as_str(), gate.until.map(display));
        tracing::info!(state, reason = gate.reason, until, by = gate.by, "registry set");
        // A decision that read the old gate holds its location's lock, so that this waits for it.
        self.sweep(true).await?;
        Ok(gate)
    }

    /// Does what is due at every location; asked for `any`, looks at every one at which anything
    /// waits or has a lease.
    ///
    /// # Errors
    /// If the database did not answer.
    pub async fn sweep(&self, any: bool) -> Result<(), RegistryError> {
        let sweeps = self.due(any).await?.into_iter().map(|location| self.lanes.submit(location, Command::Sweep));
        stream::iter(sweeps.map(Ok)).try_for_each_concurrent(SWEEPS_AT_ONCE, async |sweep| sweep.await.map(drop)).await
    }

    /// As [`Self::sweep`] for what is due, but leaves locations that others hold to themselves after
    /// a moment: they are done when they come free, and meanwhile hold up nobody elsewhere.
    ///
    /// # Errors
    /// If the database did not answer.
    pub async fn sweep_what_is_free(&self) -> Result<(), RegistryError> {
        let sweeps = self.due(false).await?.into_iter().map(|location| self.sweep_one(location));
        stream::iter(sweeps.map(Ok)).try_for_each_concurrent(SWEEPS_AT_ONCE, |sweep| sweep).await
    }

    /// The locations to sweep; what is due for the whole registry is done first.
    async fn due(&self, any: bool) -> Result<Vec<Option<LocationName>>, RegistryError> {
        if twice(|| self.store.open_registry()).await? {
            tracing::info!("the registry opened by itself");
        }
        twice(|| self.store.due(any)).await
    }

    async fn sweep_one(&self, location: Option<LocationName>) -> Result<(), RegistryError> {
        if !self.under_way.lock().unwrap_or_else(PoisonError::into_inner).insert(location.clone()) {
            return Ok(());
        }
        let (lanes, under_way) = (Arc::clone(&self.lanes), Arc::clone(&self.under_way));
        let sweep = tokio::spawn(async move {
            let done = scopeguard::guard(location.clone(), |location| {
                under_way.lock().unwrap_or_else(PoisonError::into_inner).remove(&location);
            });
            let swept = lanes.submit(location, Command::Sweep).await.map(drop);
            drop(done);
            swept
        });
        match timeout(PATIENCE, sweep).await {
            Ok(Ok(swept)) => swept,
            // It goes on by itself, or its worker has panicked, which is told there.
            Ok(Err(_)) | Err(_) => Ok(()),
        }
    }
}
