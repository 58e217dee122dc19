//! What still runs that no server of this registry has started.

use std::sync::atomic::Ordering;

use crate::domain::adopted::Adopted;
use crate::domain::capacity::location::Location;
use crate::registry::read::browse::twice;
use crate::registry::{Registry, RegistryError};

impl Registry {
    /// What of it there still is, seen beside these locations.
    ///
    /// # Errors
    /// If the database did not answer.
    pub async fn adopted(&self, locations: &[Location]) -> Result<Option<Adopted>, RegistryError> {
        // Nothing is adopted while a server runs.
        if self.has_no_adopted.load(Ordering::Relaxed) {
            return Ok(None);
        }
        let adopted = Adopted::new(twice(|| self.store.adopted()).await?, locations);
        self.has_no_adopted.store(adopted.is_none(), Ordering::Relaxed);
        Ok(adopted)
    }
}
