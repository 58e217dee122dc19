//! The rule: what may start at a location, and what every other command does there.
//!
//! A store locks the location, shows [`decide`] a [`Snapshot`], saves the [`Plan`] and commits.
//! The commands of a batch are decided one after the other, each seeing what those before it
//! changed, so that a batch decides as its commands would one by one.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;
use uuid::Uuid;

use super::answer::{Answer, Holder, Refusal};
use super::execution::{Execution, Outcome, Registration, RunId};
use super::factor::Factor;
use super::location::Location;

#[cfg(test)]
mod tests;

/// How many running executions a refusal names, largest factor first.
pub const MOST_HOLDERS_NAMED: usize = 100;

#[derive(Clone, Debug)]
pub enum Command {
    Register(Registration),
    /// Completes or cancels.
    End {
        run_id: RunId,
        outcome: Outcome,
    },
    SetCapacity(Factor),
}

/// What the store shows the rule while it holds the location's lock.
#[derive(Clone, Debug)]
pub struct Snapshot {
    pub location: Location,
    /// What runs there, in the order of [`holder_order`], with [`MOST_HOLDERS_NAMED`] more than
    /// the batch can end. It only fills in refusals and may be empty until there is one.
    pub holders: Vec<Holder>,
    /// The executions here that the commands name, by run_id or by the id of a registration
    /// that an earlier attempt may have saved.
    pub named: Vec<Execution>,
}

/// The order in which a refusal names those who hold the location: what takes most comes first.
#[must_use]
pub fn holder_order(holder: &Holder) -> impl Ord + use<> {
    (std::cmp::Reverse(holder.factor), holder.start_time, holder.run_id)
}

/// Decides a batch of commands for one location. `now` is the database's time.
#[must_use]
pub fn decide(snapshot: &Snapshot, commands: &[Command], now: Timestamp) -> Plan {
    let mut batch = Batch::new(snapshot, now);
    let verdicts = commands.iter().map(|command| batch.decide(command)).collect();
    Plan {
        location: batch.location,
        starting: batch.starting,
        ended: batch.ended,
        changed: batch.changed,
        now,
        verdicts,
        sightings: batch.sightings,
    }
}

/// What a store saves before it commits, and what it answers afterwards.
#[derive(Debug)]
pub struct Plan {
    /// The location's row as it has to be written.
    pub location: Location,
    /// The executions to insert, in this order; they start at the plan's `now`.
    pub starting: Vec<Registration>,
    /// The executions whose outcome has to be written.
    pub ended: Vec<Execution>,
    pub now: Timestamp,
    changed: bool,
    verdicts: Vec<Verdict>,
    sightings: Vec<Vec<Sighted>>,
}

impl Plan {
    /// Whether there is anything to save.
    #[must_use]
    pub fn changes_anything(&self) -> bool {
        self.changed
    }

    /// Whether a refusal wants to name those who hold the location.
    #[must_use]
    pub fn refuses_any(&self) -> bool {
        !self.sightings.is_empty()
    }

    /// The answers, in the order of the commands, once the database has numbered what starts.
    ///
    /// # Panics
    /// If `run_ids` does not number exactly the executions in `starting`.
    #[must_use]
    pub fn answers(self, run_ids: &[RunId]) -> Vec<Answer> {
        assert_eq!(run_ids.len(), self.starting.len(), "every start has a run_id");
        let seen: Vec<Arc<[Holder]>> = self
            .sightings
            .into_iter()
            .map(|sighting| sighting.into_iter().map(|sighted| sighted.holder(run_ids)).collect())
            .collect();
        let answer = |verdict| match verdict {
            Verdict::Started(index) => {
                Answer::Registered(Execution::started(&self.starting[index], run_ids[index], self.now))
            }
            Verdict::Refused { refusal, sighting } => {
                Answer::Refused(Refusal { blocking: Arc::clone(&seen[sighting]), ..refusal })
            }
            Verdict::Settled(answer) => answer,
        };
        self.verdicts.into_iter().map(answer).collect()
    }
}

#[derive(Debug)]
enum Verdict {
    /// Index into `starting`.
    Started(usize),
    /// Index into `sightings`, which refusals share while nothing changes between them.
    Refused {
        refusal: Refusal,
        sighting: usize,
    },
    Settled(Answer),
}

/// A holder that may have started in this very batch and has no number yet.
#[derive(Clone, Debug)]
struct Sighted {
    /// Index into `starting`.
    starting: Option<usize>,
    /// Its run_id holds nothing while `starting` is set.
    holder: Holder,
}

impl Sighted {
    fn holder(self, run_ids: &[RunId]) -> Holder {
        let run_id = self.starting.map_or(self.holder.run_id, |index| run_ids[index]);
        Holder { run_id, ..self.holder }
    }
}

/// The location as the commands decided so far have left it.
struct Batch {
    location: Location,
    holders: Vec<Sighted>,
    named: HashMap<RunId, Execution>,
    /// Registrations that an earlier attempt at this batch saved.
    saved: HashMap<Uuid, RunId>,
    now: Timestamp,
    starting: Vec<Registration>,
    ended: Vec<Execution>,
    changed: bool,
    sightings: Vec<Vec<Sighted>>,
    /// Whether the last sighting still shows what runs.
    sighting_is_current: bool,
}

impl Batch {
    fn new(snapshot: &Snapshot, now: Timestamp) -> Self {
        let sighted = |holder: &Holder| Sighted { starting: None, holder: holder.clone() };
        Self {
            location: snapshot.location.clone(),
            holders: snapshot.holders.iter().map(sighted).collect(),
            named: snapshot.named.iter().map(|run| (run.run_id, run.clone())).collect(),
            saved: snapshot.named.iter().map(|run| (run.id, run.run_id)).collect(),
            now,
            starting: Vec::new(),
            ended: Vec::new(),
            changed: false,
            sightings: Vec::new(),
            sighting_is_current: false,
        }
    }

    fn decide(&mut self, command: &Command) -> Verdict {
        match command {
            Command::Register(registration) => self.register(registration),
            Command::End { run_id, outcome } => Verdict::Settled(self.end(*run_id, *outcome)),
            Command::SetCapacity(capacity) => Verdict::Settled(self.set_capacity(*capacity)),
        }
    }

    fn register(&mut self, registration: &Registration) -> Verdict {
        if let Some(run_id) = self.saved.get(&registration.id) {
            return Verdict::Settled(Answer::Registered(self.named[run_id].clone()));
        }
        let factor = registration.factor();
        let largest = self.location.largest_factor();
        if factor > largest {
            return Verdict::Settled(Answer::FactorTooLarge { largest });
        }
        if !self.location.fits(factor) {
            return self.refuse(factor);
        }
        self.start(registration)
    }

    fn start(&mut self, registration: &Registration) -> Verdict {
        let index = self.starting.len();
        self.location.used = self.location.used + registration.factor();
        self.location.running += 1;
        self.location.fence += 1;
        self.holders.push(Sighted {
            starting: Some(index),
            holder: Holder {
                run_id: RunId(i64::MAX),
                test: registration.details.test.clone(),
                triggered_by: registration.details.triggered_by.clone(),
                factor: registration.factor(),
                start_time: self.now,
            },
        });
        self.starting.push(registration.clone());
        self.note_change();
        Verdict::Started(index)
    }

    fn refuse(&mut self, factor: Factor) -> Verdict {
        let name = self.location.name.clone().expect("only a named location is bound");
        if !self.sighting_is_current {
            self.holders.sort_by_key(|sighted| holder_order(&sighted.holder));
            self.sightings.push(self.holders.iter().take(MOST_HOLDERS_NAMED).cloned().collect());
            self.sighting_is_current = true;
        }
        let refusal = Refusal {
            location: name,
            capacity: self.location.capacity,
            running_factor: self.location.used,
            requested_factor: factor,
            running: self.location.running,
            blocking: Arc::new([]),
        };
        Verdict::Refused { refusal, sighting: self.sightings.len() - 1 }
    }

    fn end(&mut self, run_id: RunId, outcome: Outcome) -> Answer {
        let Some(execution) = self.named.get_mut(&run_id) else {
            return Answer::NotFound;
        };
        match execution.end(outcome, self.now) {
            Ok(ended) => {
                *execution = ended.clone();
                self.location.used = self.location.used - ended.factor();
                self.location.running -= 1;
                self.holders.retain(|sighted| sighted.starting.is_some() || sighted.holder.run_id != run_id);
                self.ended.push(ended.clone());
                self.note_change();
                Answer::Ended(ended)
            }
            Err(earlier) if earlier == outcome => Answer::Ended(execution.clone()),
            Err(_) => Answer::EndedOtherwise(execution.clone()),
        }
    }

    fn set_capacity(&mut self, capacity: Factor) -> Answer {
        self.location.capacity = capacity;
        self.note_change();
        Answer::Location(self.location.clone())
    }

    fn note_change(&mut self) {
        self.changed = true;
        self.sighting_is_current = false;
    }
}
