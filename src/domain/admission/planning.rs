//! What would come of a registration, tried out on copies of the location.

use std::sync::Arc;

use super::batch::Batch;
use super::{Verdict, provisional};
use crate::domain::answer::{Answer, Cause, Planned};
use crate::domain::execution::{Details, Registration};
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
        let (mut room, sighting) = self.room(factor, self.queue.len());
        if cause != Some(Cause::NeverFits) {
            // As if it waited for as long as anybody may.
            let mut later = self.clone();
            let patient = Registration { wait_seconds: Registration::LONGEST_WAIT_SECONDS, ..registration.clone() };
            later.enqueue(&patient, cause.unwrap_or(Cause::Queue));
            let run_id = provisional(later.inserted - 1);
            room.ahead = later.queue.ahead_of(&later.runs[&run_id], self.now);
            room.estimated_start =
                if cause.is_none() { Some(self.now) } else { later.estimate_starts().get(&run_id).copied() };
        }
        let planned = Planned { cause, largest_factor: self.largest_factor(registration), room };
        Verdict { answer: Answer::Planned(planned), sighting }
    }

    /// The largest factor with which this registration would start now.
    fn largest_factor(&self, registration: &Registration) -> Option<Factor> {
        let largest = self.location.largest_fitting()?;
        let details = Details { factor: Some(largest), ..Details::clone(&registration.details) };
        let registration = Registration { details: Arc::new(details), ..registration.clone() };
        matches!(self.clone().register(&registration).answer, Answer::Registered(_)).then_some(largest)
    }
}
