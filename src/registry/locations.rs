//! Lists locations, and sets their capacity and their gate.

use super::browse::twice;
use super::register::unexpected;
use super::{Registry, RegistryError};
use crate::domain::admission::Command;
use crate::domain::answer::Answer;
use crate::domain::factor::Factor;
use crate::domain::gate::Gate;
use crate::domain::location::{Location, LocationName};

impl Registry {
    /// All locations that were ever used or set, by name.
    ///
    /// # Errors
    /// If the database did not answer.
    pub async fn locations(&self) -> Result<Vec<Location>, RegistryError> {
        twice(|| self.store.locations()).await
    }

    /// One location, if it was ever used or set.
    ///
    /// # Errors
    /// If the database did not answer.
    pub async fn location(&self, name: &LocationName) -> Result<Option<Location>, RegistryError> {
        twice(|| self.store.location(name)).await
    }

    /// Sets a location's capacity, its gate, or both. What runs there goes on running, even above
    /// the new capacity, unless the gate asks it to stop.
    ///
    /// # Errors
    /// If the database did not answer.
    pub async fn set_location(
        &self,
        name: LocationName,
        capacity: Option<Factor>,
        gate: Option<Gate>,
        by: Option<String>,
    ) -> Result<Location, RegistryError> {
        match self.lanes.submit(Some(name), Command::SetLocation { capacity, gate, by }).await? {
            Answer::Location(location) => {
                let (name, state) = (location.name.as_ref().map(LocationName::as_str), location.gate.state.as_str());
                tracing::info!(location = name, capacity = %location.capacity, state, "location set");
                Ok(location)
            }
            other => Err(unexpected("a location", &other)),
        }
    }
}
