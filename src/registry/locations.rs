//! Lists locations and sets their capacity.

use super::browse::twice;
use super::{Registry, RegistryError};
use crate::domain::admission::Command;
use crate::domain::answer::Answer;
use crate::domain::factor::Factor;
use crate::domain::location::{Location, LocationName};

impl Registry {
    /// All locations that were ever used or set, by name.
    ///
    /// # Errors
    /// If the database did not answer.
    pub async fn locations(&self) -> Result<Vec<Location>, RegistryError> {
        twice(|| self.store.locations()).await
    }

    /// Sets a location's capacity. What runs there goes on running, even above the new capacity.
    ///
    /// # Errors
    /// If the database did not answer.
    pub async fn set_capacity(&self, name: LocationName, capacity: Factor) -> Result<Location, RegistryError> {
        match self.lanes.submit(Some(name), Command::SetCapacity(capacity)).await? {
            Answer::Location(location) => {
                tracing::info!(location = location.name.as_ref().map(LocationName::as_str), %capacity, "capacity set");
                Ok(location)
            }
            other => Err(RegistryError::Broken(format!("a capacity was answered with {other:?}"))),
        }
    }
}
