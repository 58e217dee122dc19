//! The rule: what may start at a location, and what every other command does there.
//!
//! A store locks the location, shows [`decide`] a [`Snapshot`], saves the [`Plan`] and commits.
//! First the rule catches up with the time: waiters and leases that have run out. Then it decides
//! the commands one after the other, each seeing what those before it changed, so that a batch
//! decides as its commands would one by one.

use jiff::Timestamp;

mod batch;
#[cfg(test)]
mod cancelling_tests;
mod command;
#[cfg(test)]
mod continuity_tests;
mod deciding;
mod events;
#[cfg(test)]
mod events_tests;
#[cfg(test)]
mod location_tests;
mod plan;
mod planning;
#[cfg(test)]
mod planning_tests;
mod snapshot;
mod taking_back;
#[cfg(test)]
mod taking_back_tests;
#[cfg(test)]
mod telling_tests;
#[cfg(test)]
mod tests;
mod waiters;
#[cfg(test)]
mod waiting_tests;

use batch::Batch;

pub use command::{Command, keyed};
pub use events::{location_merged, registry_opened, registry_set, run_moved};
pub use plan::{MOST_HOLDERS_NAMED, Outcomes, Plan};
pub use snapshot::Snapshot;

/// Decides a batch of commands for one location. `now` is the database's time.
#[must_use]
pub fn decide(snapshot: Snapshot, commands: &[Command], now: Timestamp) -> Plan {
    let before = snapshot.location.clone();
    let mut batch = Batch::new(snapshot, now);
    batch.catch_up();
    let verdicts = commands.iter().map(|command| batch.decide(command)).collect();
    batch.into_plan(&before, verdicts)
}
