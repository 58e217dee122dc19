//! Lists locations, and sets their capacity and their gate.

use std::time::Duration;

use tokio::time::sleep;
use tracing::field::display;

use crate::domain::admission::Command;
use crate::domain::answer::Answer;
use crate::domain::capacity::factor::Factor;
use crate::domain::capacity::location::UnknownLocation;
use crate::domain::capacity::location::{Location, LocationName};
use crate::domain::gate::Gate;
use crate::domain::name::clean;
use crate::registry::read::browse::twice;
use crate::registry::runs::register::unexpected;
use crate::registry::{Registry, RegistryError};
use crate::store::{Merge, Merged, StoreError};

/// How often a merge is tried while others come between, and the pause before the next time.
const MOST_MERGE_TRIES: usize = 10;
const PAUSE: Duration = Duration::from_millis(50);

/// What came of the wish to delete a location.
#[derive(Clone, Debug)]
pub enum Deleted {
    Gone,
    /// Tests run or wait there.
    InUse(Location),
    NotFound(UnknownLocation),
}

/// What came of the wish to make one location of two.
#[derive(Clone, Debug)]
pub enum Merging {
    /// The second location as it is now, and how many tests were moved to it.
    Merged(Location, usize),
    /// One of them is not there.
    NotFound(UnknownLocation),
}

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

    /// What there is to say of a location that is new.
    ///
    /// # Errors
    /// If the database did not answer.
    pub async fn notice_location(&self, name: &LocationName) -> Result<Option<UnknownLocation>, RegistryError> {
        self.known_locations.notice(name).await
    }

    /// Makes a location at which nothing runs or waits new again.
    ///
    /// # Errors
    /// If the database did not answer.
    pub async fn delete_location(&self, name: LocationName, by: Option<String>) -> Result<Deleted, RegistryError> {
        match self.lanes.submit(Some(name.clone()), Command::DeleteLocation { by: by.clone() }).await? {
            Answer::Location(_) => {
                self.known_locations.forget(&name);
                tracing::info!(location = name.as_str(), by, "location deleted");
                Ok(Deleted::Gone)
            }
            Answer::LocationInUse(location) => Ok(Deleted::InUse(location)),
            Answer::NotFound => Ok(Deleted::NotFound(self.known_locations.describe(&name).await?)),
            other => Err(unexpected("a deletion", &other)),
        }
    }

    /// Makes one location of two: what runs and waits at the first does so at the second from then on, whose capacity and gate
    /// stay. Ended executions keep the name of where they ran.
    ///
    /// # Errors
    /// If the database did not answer; it may then be done.
    pub async fn merge_locations(
        &self,
        from: LocationName,
        into: LocationName,
        by: Option<String>,
    ) -> Result<Merging, RegistryError> {
        self.open_clean(&from, &into, by.as_ref()).await?;
        let merge = Merge { from, into, by };
        let merged = match self.merge(&merge).await? {
            Ok(merged) => merged,
            Err(missing) => return Ok(Merging::NotFound(missing)),
        };
        self.known_locations.forget(&merge.from);
        self.watchers.wake(&merged.moved);
        let (from, into) = (merge.from.as_str(), merge.into.as_str());
        let (moved, used, by) = (merged.moved.len(), merged.location.used, merge.by.as_deref());
        tracing::info!(from, into, moved, %used, by, "locations merged");
        // Those who came along may be first, due, or too large. The next decision there does the same, but for the last.
        if let Err(error) = self.lanes.submit(Some(merge.into.clone()), Command::TakeIn).await {
            tracing::warn!(into, "what has come along by a merge was not looked at: {error}");
        }
        Ok(Merging::Merged(merged.location, merged.moved.len()))
    }

    /// Where only the spelling is mended, there may be no location with the clean name yet: it is set as the first is.
    async fn open_clean(
        &self,
        from: &LocationName,
        into: &LocationName,
        by: Option<&String>,
    ) -> Result<(), RegistryError> {
        let is_mended = clean(from.as_str()).is_ok_and(|clean| clean == into.as_str());
        if !is_mended || self.location(into).await?.is_some() {
            return Ok(());
        }
        if let Some(Location { capacity, gate, .. }) = self.location(from).await? {
            self.set_location(into.clone(), Some(capacity), Some(gate), by.cloned()).await?;
        }
        Ok(())
    }

    /// Tries again while others come between, such as a decision that waits for both locations in another order, or one that
    /// uses a location again which was not there a moment ago. The inner error is a location that is not there.
    async fn merge(&self, merge: &Merge) -> Result<Result<Merged, UnknownLocation>, RegistryError> {
        for _ in 0..MOST_MERGE_TRIES {
            match self.store.merge(merge).await {
                Ok(Some(merged)) => {
                    self.tail.count().add();
                    return Ok(Ok(merged));
                }
                Ok(None) => {
                    for name in [&merge.from, &merge.into] {
                        if self.location(name).await?.is_none() {
                            return Ok(Err(self.known_locations.describe(name).await?));
                        }
                    }
                }
                Err(StoreError::Conflict(reason)) => tracing::debug!("a merge is tried again: {reason}"),
                Err(error) => return Err(error.into()),
            }
            sleep(PAUSE).await;
        }
        Err(RegistryError::Unavailable("others came between a merge again and again".to_owned()))
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
        match self.lanes.submit(Some(name), Command::SetLocation { capacity, gate, by: by.clone() }).await? {
            Answer::Location(location) => {
                let (name, gate) = (location.name.as_ref().map(LocationName::as_str), &location.gate);
                let (state, reason, until) = (gate.state.as_str(), gate.reason.as_deref(), gate.until.map(display));
                let capacity = location.capacity;
                tracing::info!(location = name, %capacity, state, reason, until, by, "location set");
                Ok(location)
            }
            other => Err(unexpected("a location", &other)),
        }
    }
}
