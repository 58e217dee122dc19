//! Which locations there are, as far as this server has seen, so that a new one is noticed.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::domain::capacity::location::{LocationName, UnknownLocation};
use crate::domain::name::nearest;
use crate::registry::RegistryError;
use crate::registry::read::browse::twice;
use crate::store::Store;

/// Past this many the memory is emptied: looking up again costs time, never correctness.
const MOST_REMEMBERED: usize = 100_000;
/// For how long a location that was there counts as there, though another server may have deleted it.
const SERVES_FOR: Duration = Duration::from_mins(1);

pub struct KnownLocations {
    store: Arc<dyn Store>,
    /// When each was last found to be there.
    seen: Mutex<HashMap<LocationName, Instant>>,
    /// Who reads the list of all holds this: many new names at once cost one connection.
    reading: tokio::sync::Mutex<()>,
}

impl KnownLocations {
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self { store, seen: Mutex::default(), reading: tokio::sync::Mutex::default() }
    }

    /// What there is to say of the location if it is new. Others may use it for the first time meanwhile, or delete it, so this
    /// is for people; the rule decides by the row itself.
    ///
    /// # Errors
    /// If the database did not answer.
    pub async fn notice(&self, name: &LocationName) -> Result<Option<UnknownLocation>, RegistryError> {
        if self.seen().get(name).is_some_and(|at| at.elapsed() < SERVES_FOR) {
            return Ok(None);
        }
        if twice(|| self.store.location(name)).await?.is_some() {
            let mut seen = self.seen();
            if seen.len() >= MOST_REMEMBERED {
                seen.clear();
            }
            seen.insert(name.clone(), Instant::now());
            return Ok(None);
        }
        Ok(Some(self.describe(name).await?))
    }

    /// A location that the rule has found to be new.
    ///
    /// # Errors
    /// If the database did not answer.
    pub async fn describe(&self, name: &LocationName) -> Result<UnknownLocation, RegistryError> {
        let turn = self.reading.lock().await;
        let locations = twice(|| self.store.locations()).await?;
        drop(turn);
        let names = locations.iter().filter_map(|location| location.name.as_ref()).map(LocationName::as_str);
        Ok(UnknownLocation { name: name.clone(), nearest: nearest(name.as_str(), names).map(str::to_owned) })
    }

    /// A location is not there any more.
    pub fn forget(&self, name: &LocationName) {
        self.seen().remove(name);
    }

    fn seen(&self) -> MutexGuard<'_, HashMap<LocationName, Instant>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
