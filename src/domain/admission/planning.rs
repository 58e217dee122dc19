//! What would come of a registration, without anything coming of it.

use std::sync::Arc;

use super::batch::Batch;
use super::plan::{Verdict, provisional};
use crate::domain::answer::{Answer, Cause, Planned, Room};
use crate::domain::capacity::factor::Factor;
use crate::domain::execution::{Details, Execution, Registration};
use crate::domain::schedule::estimate::estimate_starts;
use crate::domain::schedule::queue::{MOST_WAITING, Queue};

impl Batch {
    pub fn plan(&mut self, registration: &Registration) -> Verdict {
        if registration.only_where_known && self.is_unknown() {
            return Verdict { answer: Answer::UnknownLocation, sighting: None };
        }
        let factor = registration.factor();
        if factor > self.location.largest_factor() {
            return Verdict {
                answer: Answer::FactorTooLarge { largest: self.location.largest_that_ever_fits() },
                sighting: None,
            };
        }
        let cause = self.cause(registration);
        let (mut room, sighting) = self.room(factor, self.roster.queue().present());
        if cause.is_none() {
            (room.ahead, room.estimated_start) = (0, Some(self.now));
        } else if cause != Some(Cause::NeverFits) {
            self.look_ahead(registration, &mut room);
        }
        let planned = Planned { cause, largest_factor: self.largest_factor(registration), room };
        Verdict { answer: Answer::Planned(planned), sighting }
    }

    /// What would keep it from starting now, if anything would.
    fn cause(&self, registration: &Registration) -> Option<Cause> {
        match self.obstacle(registration.factor())? {
            cause if cause == Cause::NeverFits || registration.wait_seconds == 0 => Some(cause),
            _ if self.roster.queue().len() >= MOST_WAITING => Some(Cause::QueueFull),
            cause => {
                let (queue, run) = self.lined_up(registration);
                (!self.would_start(&queue, &run)).then_some(cause)
            }
        }
    }

    /// The queue if it waited as well.
    fn lined_up(&self, registration: &Registration) -> (Queue, Execution) {
        let run = self.waiter(registration, provisional(self.inserted));
        let mut queue = self.roster.queue().clone();
        queue.push(&run);
        (queue, run)
    }

    /// Its priority may put it before everybody else, and it may fit where they do not.
    fn would_start(&self, queue: &Queue, run: &Execution) -> bool {
        let is_first = queue.first(self.now).is_some_and(|first| first.run_id == run.run_id);
        is_first && self.gate().is_open() && self.location.fits(run.factor())
    }

    /// Fills in how many would go first and when it would start if it waited: for as long as it
    /// says, or, where it would not wait, for as long as anybody may.
    fn look_ahead(&self, registration: &Registration, room: &mut Room) {
        let wait_seconds = match registration.wait_seconds {
            0 => Registration::LONGEST_WAIT_SECONDS,
            seconds => seconds,
        };
        let (queue, run) = self.lined_up(&Registration { wait_seconds, ..registration.clone() });
        if self.would_start(&queue, &run) {
            // It only has to wait to go before those who do.
            room.estimated_start = Some(self.now);
        } else {
            room.ahead = queue.ahead_of(&run, self.now);
            let holders = self.roster.holders().map_or(&[][..], |holders| holders.first(usize::MAX));
            let starts = estimate_starts(&self.location, &self.registry, holders, queue, self.now);
            room.estimated_start = starts.get(&run.run_id).copied();
        }
    }

    /// The largest factor with which this registration would start now.
    fn largest_factor(&self, registration: &Registration) -> Option<Factor> {
        let largest = self.location.largest_fitting()?;
        let details = Details { factor: Some(largest), ..Details::clone(&registration.details) };
        let registration = Registration { details: Arc::new(details), ..registration.clone() };
        self.cause(&registration).is_none().then_some(largest)
    }
}
