//! The gate of the whole registry.

use futures_util::stream::{self, TryStreamExt};

use super::browse::twice;
use super::{Registry, RegistryError};
use crate::clock;
use crate::domain::admission::Command;
use crate::domain::gate::Gate;

/// So that a sweep of everything leaves room for those who ask for something.
const SWEEPS_AT_ONCE: usize = 8;

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
        tracing::info!(state = gate.state.as_str(), reason = gate.reason, "registry set");
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
        if twice(|| self.store.open_registry()).await? {
            tracing::info!("the registry opened by itself");
        }
        let locations = twice(|| self.store.due(any)).await?;
        let sweeps = locations.into_iter().map(|location| self.lanes.submit(location, Command::Sweep));
        stream::iter(sweeps.map(Ok)).try_for_each_concurrent(SWEEPS_AT_ONCE, async |sweep| sweep.await.map(drop)).await
    }
}
