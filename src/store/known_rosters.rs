//! Remembers who is at a location, so that it is not read again while nothing has changed.
//!
//! Every change at a location writes its row, and with it a new version. What is remembered is
//! used only where the row, read under its lock, is the very one it was remembered with.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::Lane;
use crate::domain::admission::Command;
use crate::domain::capacity::location::{Location, LocationName};
use crate::domain::execution::RunId;
use crate::domain::schedule::holders::Holders;
use crate::domain::schedule::roster::Roster;

/// Past this many executions and locations the memory is emptied: reading them again costs time, never
/// correctness.
const MOST_REMEMBERED: usize = 100_000;

#[derive(Debug, Default)]
pub struct KnownRosters(Mutex<Memory>);

#[derive(Debug, Default)]
struct Memory {
    rosters: HashMap<Option<LocationName>, (Location, Roster)>,
    /// How many locations, executions and holders there are in all.
    count: usize,
}

impl KnownRosters {
    /// Whether this one was there when the location was last seen.
    pub fn probably_has(&self, location: Option<&LocationName>, run_id: RunId) -> bool {
        let memory = self.memory();
        memory.rosters.get(&location.cloned()).is_some_and(|(_, roster)| roster.get(run_id).is_some())
    }

    /// How many of a lane's commands start something, if the location is as it was when it was last
    /// seen and all of them do.
    pub fn probable_starts(&self, lane: &Lane) -> usize {
        let memory = self.memory();
        let Some((location, _)) = memory.rosters.get(&lane.location) else { return 0 };
        let factors = lane.commands.iter().filter_map(|command| match command {
            Command::Register(registration) => Some(registration.factor()),
            _ => None,
        });
        let has_room = location.gate.is_open() && location.waiting == 0 && location.fits(factors.clone().sum());
        if has_room { factors.count() } else { 0 }
    }

    /// Takes out what is known of a location whose row looks like this.
    pub fn take(&self, location: &Location) -> Option<Roster> {
        let mut memory = self.memory();
        let (row, roster) = memory.rosters.remove(&location.name)?;
        memory.count -= size(&roster);
        (row == *location).then_some(roster)
    }

    /// To be called once what was decided there is committed, or if it changes nothing.
    pub fn remember(&self, location: Location, roster: Roster) {
        let size = size(&roster);
        let mut memory = self.memory();
        if memory.count + size > MOST_REMEMBERED {
            *memory = Memory::default();
        }
        memory.count += size;
        let before = memory.rosters.insert(location.name.clone(), (location, roster));
        memory.count -= before.map_or(0, |(_, roster)| self::size(&roster));
    }

    /// After an error the database may be another than before, such as one that was restored.
    pub fn forget(&self) {
        *self.memory() = Memory::default();
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One for the roster itself, so that empty ones count as well.
fn size(roster: &Roster) -> usize {
    1 + roster.len() + roster.holders().map_or(0, Holders::len)
}
