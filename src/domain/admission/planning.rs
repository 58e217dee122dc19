//! What would come of a registration, tried out on copies of the location.

use std::sync::Arc;

use super::batch::Batch;
use super::{Verdict, provisional};
use crate::domain::answer::{Answer, Cause, Planned, Room};
use crate::domain::execution::{Details, Registration, Status};
use crate::domain::factor::Factor;

impl Batch {
    pub fn plan(&mut self, registration: &Registration) -> Verdict {
        let factor = registration.factor();
        let cause = match self.clone().register(registration).answer {
            Answer::Registered(_) => None,
            Answer::Refused(refusal) => Some(refusal.cause),
            Answer::Queued(..) => self.obstacle(factor),
            answer => return Verdict { answer, sighting: None },
        };
        let (mut room, sighting) = self.room(factor, self.roster.queue().len());
        if cause.is_none() {
            (room.ahead, room.estimated_start) = (0, Some(self.now));
        } else if cause != Some(Cause::NeverFits) {
            self.look_ahead(registration, &mut room);
        }
        let planned = Planned { cause, largest_factor: self.largest_factor(registration), room };
        Verdict { answer: Answer::Planned(planned), sighting }
    }

    /// Fills in how many would go first and when it would start if it waited: for as long as it
    /// says, or, where it would not wait, for as long as anybody may.
    fn look_ahead(&self, registration: &Registration, room: &mut Room) {
        let wait_seconds = match registration.wait_seconds {
            0 => Registration::LONGEST_WAIT_SECONDS,
            seconds => seconds,
        };
        let mut later = self.clone();
        later.enqueue(&Registration { wait_seconds, ..registration.clone() }, Cause::Queue);
        let run_id = provisional(later.inserted - 1);
        let Some(run) = later.roster.get(run_id) else { return };
        if run.status == Status::Queued {
            room.ahead = later.roster.queue().ahead_of(run, self.now);
            room.estimated_start = later.estimate_starts().get(&run_id).copied();
        } else {
            // It only has to wait to go before those who do.
            room.estimated_start = Some(self.now);
        }
    }

    /// The largest factor with which this registration would start now.
    fn largest_factor(&self, registration: &Registration) -> Option<Factor> {
        let largest = self.location.largest_fitting()?;
        let details = Details { factor: Some(largest), ..Details::clone(&registration.details) };
        let registration = Registration { details: Arc::new(details), ..registration.clone() };
        matches!(self.clone().register(&registration).answer, Answer::Registered(_)).then_some(largest)
    }
}
