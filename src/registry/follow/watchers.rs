//! Who watches which execution on this replica, and what was last read of it.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::domain::capacity::location::LocationName;
use crate::domain::execution::{Execution, RunId};
use crate::registry::RegistryError;
use crate::seeded_bug::{self, Bug};

/// What somebody read: the execution, if there is one.
pub type Look = Result<Option<Arc<Execution>>, RegistryError>;

/// Where an execution runs or waits.
pub type Place = Option<LocationName>;

#[derive(Default)]
pub struct Watchers {
    entries: Mutex<Entries>,
    /// Whether the server stops, so that nobody may be held any longer.
    released: AtomicBool,
}

#[derive(Default)]
struct Entries {
    runs: HashMap<RunId, (Arc<Watched>, usize)>,
    places: HashMap<Place, WatchedPlace>,
}

impl Entries {
    /// An execution is watched at this place no more.
    fn leave(&mut self, place: &Place, run_id: RunId) {
        if let Entry::Occupied(mut there) = self.places.entry(place.clone()) {
            there.get_mut().versions.remove(&run_id);
            there.get_mut().fresh.remove(&run_id);
            if there.get().versions.is_empty() {
                there.remove();
            }
        }
    }
}

/// A location at which executions are watched.
#[derive(Default)]
struct WatchedPlace {
    /// The version of the location up to which all changes were told.
    told: Option<i64>,
    /// The versions that were read last; another one in the database is news.
    versions: HashMap<RunId, i64>,
    /// Those that have come since changes were looked for, and may have been read before that.
    fresh: HashSet<RunId>,
}

/// An execution that somebody watches.
#[derive(Default)]
pub struct Watched {
    /// Where it was read last. It moves where two locations become one.
    place: Mutex<Option<Place>>,
    woken: Notify,
    /// Grows with everything that makes what was read before too old.
    age: AtomicU64,
    /// What was read last, and the age before that. It is held while somebody reads, so that one
    /// reading serves all who were woken together.
    last: tokio::sync::Mutex<Option<(u64, Look)>>,
}

impl Watched {
    /// What was read before is too old for whoever looks from now on.
    pub fn outdate(&self) {
        self.age.fetch_add(1, Ordering::SeqCst);
    }

    fn wake(&self) {
        self.outdate();
        self.woken.notify_waiters();
    }

    /// Is ready when somebody is woken after this was called.
    pub fn news(&self) -> impl Future<Output = ()> {
        self.woken.notified()
    }
}

impl Watchers {
    fn entries(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins to watch. What others have read before is too old for whoever begins.
    pub fn watch(&self, run_id: RunId) -> Watching<'_> {
        let mut entries = self.entries();
        let (watched, count) = entries.runs.entry(run_id).or_default();
        *count += 1;
        watched.outdate();
        Watching { watchers: self, run_id, watched: Arc::clone(watched) }
    }

    /// Wakes who watches these executions.
    pub fn wake(&self, run_ids: &[RunId]) {
        if seeded_bug::is(Bug::LostWakeUp) {
            return;
        }
        let entries = self.entries();
        for (watched, _) in run_ids.iter().filter_map(|run_id| entries.runs.get(run_id)) {
            watched.wake();
        }
    }

    pub fn release(&self) {
        self.released.store(true, Ordering::SeqCst);
        self.entries().runs.values().for_each(|(watched, _)| watched.woken.notify_waiters());
    }

    pub fn is_released(&self) -> bool {
        self.released.load(Ordering::SeqCst)
    }

    /// Where something is watched.
    pub fn places(&self) -> Vec<Place> {
        self.entries().places.keys().cloned().collect()
    }

    /// The versions that were read last of what may have changed: all at a location that has
    /// another version than the one up to which all was told, and those that came since.
    pub fn suspects(&self, now: &HashMap<Place, i64>) -> Vec<(RunId, i64)> {
        let mut suspects = Vec::new();
        for (place, watched) in &mut self.entries().places {
            let fresh = std::mem::take(&mut watched.fresh);
            let has_moved = watched.told.is_none() || watched.told.as_ref() != now.get(place);
            let is_suspect = |run_id: &RunId| has_moved || fresh.contains(run_id);
            let versions = watched.versions.iter().filter(|(run_id, _)| is_suspect(run_id));
            suspects.extend(versions.map(|(run_id, version)| (*run_id, *version)));
        }
        suspects
    }

    /// Whatever was told, anything may have changed.
    pub fn suspect_all(&self) {
        self.entries().places.values_mut().for_each(|place| place.told = None);
    }

    /// All changes up to these versions of the locations were told.
    pub fn note_told(&self, now: HashMap<Place, i64>) {
        let mut entries = self.entries();
        for (place, version) in now {
            if let Some(watched) = entries.places.get_mut(&place) {
                watched.told = Some(version);
            }
        }
    }

    fn note(&self, watched: &Watched, execution: &Execution) {
        let mut entries = self.entries();
        if !entries.runs.contains_key(&execution.run_id) {
            return;
        }
        let place = execution.details.location.clone();
        let before = watched.place.lock().unwrap_or_else(PoisonError::into_inner).replace(place.clone());
        if let Some(before) = before.filter(|before| *before != place) {
            entries.leave(&before, execution.run_id);
            watched.woken.notify_waiters();
        }
        let there = entries.places.entry(place).or_default();
        match there.versions.insert(execution.run_id, execution.version) {
            None => drop(there.fresh.insert(execution.run_id)),
            // Others have not seen this version, and would not be told of it again.
            Some(version) if version != execution.version => watched.woken.notify_waiters(),
            Some(_) => {}
        }
    }
}

/// Somebody watches, for as long as this lives.
pub struct Watching<'watchers> {
    watchers: &'watchers Watchers,
    run_id: RunId,
    pub watched: Arc<Watched>,
}

impl Watching<'_> {
    /// What stands in the database, read since it was last outdated, and once for all who ask together.
    pub async fn look(&self, read: impl Future<Output = Result<Option<Execution>, RegistryError>>) -> Look {
        let wanted = self.watched.age.load(Ordering::SeqCst);
        let mut last = self.watched.last.lock().await;
        if let Some((_, look)) = last.as_ref().filter(|(age, _)| *age >= wanted) {
            return look.clone();
        }
        let age = self.watched.age.load(Ordering::SeqCst);
        let look = read.await.map(|execution| execution.map(Arc::new));
        if let Ok(Some(execution)) = &look {
            self.watchers.note(&self.watched, execution);
        }
        *last = Some((age, look.clone()));
        look
    }
}

impl Drop for Watching<'_> {
    fn drop(&mut self) {
        let mut entries = self.watchers.entries();
        let Entry::Occupied(mut run) = entries.runs.entry(self.run_id) else { return };
        run.get_mut().1 -= 1;
        if run.get().1 > 0 {
            return;
        }
        run.remove();
        let place = self.watched.place.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(place) = place {
            entries.leave(&place, self.run_id);
        }
    }
}
