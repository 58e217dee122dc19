//! The gate of the whole registry.

use futures_util::future::try_join_all;

use super::browse::twice;
use super::{Registry, RegistryError};
use crate::domain::admission::Command;
use crate::domain::gate::Gate;

impl Registry {
    /// # Errors
    /// If the database did not answer.
    pub async fn gate(&self) -> Result<Gate, RegistryError> {
        twice(|| self.store.registry()).await
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
        let locations = twice(|| self.store.due(any)).await?;
        try_join_all(locations.into_iter().map(|location| self.lanes.submit(location, Command::Sweep))).await?;
        Ok(())
    }
}
