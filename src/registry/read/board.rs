//! What runs and waits where, and what ran beside a run.

use jiff::Timestamp;

use super::browse::twice;
use crate::domain::capacity::location::LocationName;
use crate::domain::execution::Execution;
use crate::domain::schedule::board::Board;
use crate::domain::schedule::neighbours::{Neighbour, first_neighbours_of, time_of};
use crate::domain::schedule::queue::MOST_WAITING;
use crate::registry::{Registry, RegistryError};

/// How much of what runs, and of what waits, is looked at: as much as may wait for one location.
const MOST_READ: usize = MOST_WAITING;
/// How many runs are looked at to find those beside one.
const MOST_LOOKED_AT: usize = 1_000;

/// Beside whom a run ran.
#[derive(Clone, Debug)]
pub struct Neighbours {
    /// The longest beside it first.
    pub neighbours: Vec<Neighbour>,
    /// Whether more ran at that time than were looked at.
    pub more: bool,
}

impl Registry {
    /// All locations with what runs and waits there, or this one.
    ///
    /// # Errors
    /// If the database did not answer.
    pub async fn board(&self, location: Option<&LocationName>, now: Timestamp) -> Result<Board, RegistryError> {
        Ok(Board::new(twice(|| self.store.board(location, MOST_READ)).await?, now))
    }

    /// What ran at the same location at the same time as this run.
    ///
    /// # Errors
    /// If the database did not answer.
    pub async fn neighbours(&self, run: &Execution, now: Timestamp) -> Result<Neighbours, RegistryError> {
        let place = run.details.location.as_ref().zip(time_of(run, now));
        let Some((location, (from, to))) = place else { return Ok(Neighbours { neighbours: Vec::new(), more: false }) };
        // The run itself is found as well, and one more says whether there are more.
        let found = twice(|| self.store.runs_between(location, from, to, MOST_LOOKED_AT + 2)).await?;
        let (neighbours, more) = first_neighbours_of(run, found, MOST_LOOKED_AT, now);
        Ok(Neighbours { neighbours, more })
    }
}
