//! Writes down that the registry is there, so that nobody is given up for what is its own silence.

use std::sync::PoisonError;

use jiff::Timestamp;

use crate::domain::event::Fact;
use crate::registry::{Registry, RegistryError};

impl Registry {
    /// To be called every second. Gives the return of the registry after which not everybody was
    /// looked at yet, if there is one.
    ///
    /// # Errors
    /// If the database did not answer.
    pub async fn pulse(&self) -> Result<Option<Timestamp>, RegistryError> {
        let pulse = self.store.pulse().await?;
        if let Some(event) = pulse.event {
            let since = event.facts.iter().find_map(|(_, fact)| match fact {
                Fact::Time(since) => Some(since.to_string()),
                _ => None,
            });
            tracing::warn!(since, "the registry was away, or its clock was set; every lease counts from now");
        }
        let resumed_at = pulse.continuity.resumed_at;
        let looked_at_after = *self.looked_at_after.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(resumed_at.filter(|_| looked_at_after != resumed_at))
    }

    /// Looks at everybody who waits or has a lease, since what they were written down with may be a
    /// time of another clock. That may take long, and no pulse waits for it.
    ///
    /// # Errors
    /// If the database did not answer.
    pub async fn look_at_everybody_after(&self, resumed_at: Timestamp) -> Result<(), RegistryError> {
        self.sweep(true).await?;
        *self.looked_at_after.lock().unwrap_or_else(PoisonError::into_inner) = Some(resumed_at);
        Ok(())
    }
}
