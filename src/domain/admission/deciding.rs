//! What each command does to the location.

use jiff::{SignedDuration, Timestamp};

use super::batch::Batch;
use super::command::Command;
use super::plan::{Verdict, provisional};
use crate::domain::answer::{Answer, Cause, Refusal, Room};
use crate::domain::capacity::factor::Factor;
use crate::domain::event::EventKind;
use crate::domain::execution::lease::TokenHash;
use crate::domain::execution::{EndReason, Execution, Outcome, Registration, RunId, Status, Stop};
use crate::domain::gate::Gate;
use crate::domain::schedule::queue::{MOST_WAITING, Waiter};
use crate::seeded_bug::{self, Bug};

impl Batch {
    pub fn decide(&mut self, command: &Command) -> Verdict {
        match command {
            Command::Register(registration) => self.register_once(registration),
            Command::Plan(registration) => self.plan(registration),
            Command::Complete { run_id, outcome, token } => settled(self.complete(*run_id, *outcome, token.as_ref())),
            Command::Cancel { run_id, reason, by, force } => {
                settled(self.cancel(*run_id, &self.wish(reason.as_ref(), by.as_ref()), *force))
            }
            Command::CancelStartedBefore { run_id, before, reason, by } => {
                settled(self.cancel_started_before(*run_id, *before, &self.wish(reason.as_ref(), by.as_ref())))
            }
            Command::Beat { run_id, token, hold_seconds } => self.beat(*run_id, token, *hold_seconds),
            Command::Tell { run_id, token } => self.beat(*run_id, token, 0),
            Command::BreakOff { run_id, heard_at } => settled(self.call_broke_off(*run_id, *heard_at)),
            Command::TakeBack { receipt, token } => settled(self.take_back(receipt, token)),
            Command::SetLocation { capacity, gate, by } => {
                settled(self.set_location(*capacity, gate.as_ref(), by.as_ref()))
            }
            Command::DeleteLocation { by } => settled(self.delete_location(by.clone())),
            Command::TakeIn => {
                self.drop_those_who_cannot_fit();
                settled(Answer::Swept)
            }
            Command::Sweep => settled(Answer::Swept),
        }
    }

    /// Registers, unless a request with the same key was answered before.
    fn register_once(&mut self, registration: &Registration) -> Verdict {
        let Some(key) = &registration.key else { return self.register(registration) };
        match self.first_answers.get(&key.hash) {
            Some((first, _)) if first.request_hash != key.request_hash => {
                self.note_wrong_request(registration, "key_reused");
                settled(Answer::KeyReused)
            }
            Some((first, verdict)) => {
                let (first_answer, salt) = (Box::new(verdict.answer.clone()), first.salt.clone());
                let answer = Answer::Again { first: first_answer, salt };
                Verdict { answer, sighting: verdict.sighting }
            }
            None => {
                let verdict = self.register(registration);
                self.first_answers.insert(key.hash.clone(), (key.clone(), verdict.clone()));
                verdict
            }
        }
    }

    pub fn register(&mut self, registration: &Registration) -> Verdict {
        let saved = self.ids.get(&registration.id).filter(|_| !seeded_bug::is(Bug::RetryStartsAgain));
        // One that waited may have started since, and this answer is the first that tells it.
        if let Some(saved) = saved.copied().and_then(|run_id| self.told_by_answer(run_id)) {
            return self.answer_saved(saved);
        }
        if registration.only_where_known && self.is_unknown() {
            self.note_wrong_request(registration, "unknown_location");
            return settled(Answer::UnknownLocation);
        }
        let factor = registration.factor();
        if factor > self.location.largest_factor() {
            self.note_wrong_request(registration, "too_large");
            return settled(Answer::FactorTooLarge { largest: self.location.largest_that_ever_fits() });
        }
        match self.obstacle(factor) {
            None => self.start(registration),
            Some(cause) if cause == Cause::NeverFits || registration.wait_seconds == 0 => {
                self.refuse(cause, registration)
            }
            Some(_) if self.roster.queue().len() >= MOST_WAITING => self.refuse(Cause::QueueFull, registration),
            Some(cause) => self.enqueue(registration, cause),
        }
    }

    /// Whether the location is new. Tests that name none are at no location.
    pub fn is_unknown(&self) -> bool {
        self.location.name.is_some() && self.location.is_new
    }

    /// What keeps one from starting now who does not wait.
    pub fn obstacle(&self, factor: Factor) -> Option<Cause> {
        let is_overlooked = seeded_bug::is(Bug::BatchIgnoresItself) && self.inserted > 0;
        if !self.location.could_ever_fit(factor) {
            Some(Cause::NeverFits)
        } else if !self.gate().is_open() {
            Some(Cause::Gate)
        } else if !self.location.fits(factor) && !is_overlooked {
            Some(Cause::NoRoom)
        } else if self.roster.queue().present() > 0 {
            Some(Cause::Queue)
        } else {
            None
        }
    }

    fn start(&mut self, registration: &Registration) -> Verdict {
        let run_id = self.next_run_id();
        self.location.fence = self.next_fence();
        let run = Execution::started(registration, run_id, self.now, self.location.fence);
        self.run(run.clone());
        // Where everything is stopped nothing starts, so it cannot have been asked to stop yet.
        settled(Answer::Registered(run))
    }

    pub fn enqueue(&mut self, registration: &Registration, cause: Cause) -> Verdict {
        let run_id = self.next_run_id();
        let run = self.waiter(registration, run_id);
        self.location.is_new = false;
        self.put(run.clone());
        self.roster.forget_estimate();
        self.note_queued(&run, cause);
        // Its priority may have put it before everybody else, and it may fit where they do not.
        self.start_waiters();
        let run = self.told_by_answer(run_id).unwrap_or(run);
        self.answer_saved(run)
    }

    /// One who waits from now on. A clock that was set back lets nobody overtake those who came
    /// before.
    pub fn waiter(&self, registration: &Registration, run_id: RunId) -> Execution {
        let mut run = Execution::queued(registration, run_id, self.now);
        if let (Some(place), Some(latest)) = (&mut run.place, self.roster.queue().latest_arrival()) {
            place.queued_at = place.queued_at.max(latest);
        }
        run
    }

    fn answer_saved(&mut self, saved: Execution) -> Verdict {
        if saved.status != Status::Queued {
            return settled(Answer::Registered(saved));
        }
        let (room, sighting) = self.place_of(&saved);
        Verdict { answer: Answer::Queued(saved, room), sighting }
    }

    fn next_run_id(&mut self) -> RunId {
        self.inserted += 1;
        provisional(self.inserted - 1)
    }

    fn place_of(&mut self, run: &Execution) -> (Room, Option<usize>) {
        let ahead = self.roster.queue().ahead_of(run, self.now);
        self.room(run.factor(), ahead)
    }

    fn refuse(&mut self, cause: Cause, registration: &Registration) -> Verdict {
        let (room, sighting) = self.room(registration.factor(), self.roster.queue().present());
        self.note_refusal(registration, cause, &room, sighting);
        Verdict { answer: Answer::Refused(Refusal { cause, room }), sighting }
    }

    fn complete(&mut self, run_id: RunId, outcome: Outcome, token: Option<&TokenHash>) -> Answer {
        let Some(run) = self.roster.get(run_id).cloned() else {
            return Answer::NotFound;
        };
        match run.status {
            // Nothing changes by it, so that nobody has to prove anything.
            Status::Ended(earlier)
                if earlier == outcome
                    && run.end_reason != Some(EndReason::Lost)
                    && !seeded_bug::is(Bug::DoubleRelease) =>
            {
                Answer::Ended(run)
            }
            // How it ended is no secret, and tells more than that a token is missing.
            status if !(run.knows(token) || matches!(status, Status::Ended(_)) && token.is_none()) => {
                self.note_word_refused(run_id, "wrong_token", Status::Ended(outcome).as_str());
                Answer::WrongToken
            }
            Status::Ended(_) if seeded_bug::is(Bug::FenceUnchecked) && run.end_reason == Some(EndReason::Lost) => {
                Answer::Ended(run)
            }
            Status::Ended(earlier) if earlier == outcome && seeded_bug::is(Bug::DoubleRelease) => {
                self.location.used = self.location.used - run.factor();
                Answer::Ended(run)
            }
            Status::Ended(_) => {
                self.note_late_word(run_id, Status::Ended(outcome).as_str());
                Answer::EndedOtherwise(run)
            }
            Status::Queued if outcome != Outcome::Cancelled => {
                self.note_word_refused(run_id, "not_started", Status::Ended(outcome).as_str());
                Answer::NotStarted(run)
            }
            Status::Queued | Status::Running => self.end_and_go_on(run, outcome, None),
        }
    }

    fn wish(&self, reason: Option<&String>, by: Option<&String>) -> Stop {
        let reason = reason.cloned().unwrap_or_else(|| "cancelled".to_owned());
        Stop { reason, by: by.cloned(), at: self.now }
    }

    fn cancel_started_before(&mut self, run_id: RunId, before: Timestamp, stop: &Stop) -> Answer {
        match self.roster.get(run_id) {
            // Its start was withdrawn since, or is another one by now.
            Some(run) if run.is_queued() || run.start_time >= before => Answer::NotStarted(run.clone()),
            _ => self.cancel(run_id, stop, false),
        }
    }

    fn cancel(&mut self, run_id: RunId, stop: &Stop, force: bool) -> Answer {
        let Some(run) = self.roster.get(run_id).cloned() else {
            return Answer::NotFound;
        };
        match run.status {
            Status::Ended(Outcome::Cancelled) => Answer::Ended(run),
            Status::Ended(_) => Answer::EndedOtherwise(run),
            // Nothing of an untold start runs yet, so that nobody has to stop anything.
            Status::Running if run.has_to_stop_first() && !force => {
                self.ask_one_to_stop(run_id, stop);
                Answer::Stopping(self.roster.get(run_id).cloned().unwrap_or(run))
            }
            Status::Queued | Status::Running => self.end_and_go_on(run, Outcome::Cancelled, Some(stop)),
        }
    }

    fn end_and_go_on(&mut self, run: Execution, outcome: Outcome, wish: Option<&Stop>) -> Answer {
        self.end(run.run_id, outcome, None, wish);
        let ended = self.roster.get(run.run_id).cloned().unwrap_or(run);
        self.start_waiters();
        Answer::Ended(ended)
    }

    fn beat(&mut self, run_id: RunId, token: &TokenHash, hold_seconds: u32) -> Verdict {
        let Some(run) = self.roster.get(run_id).cloned() else {
            return settled(Answer::NotFound);
        };
        if !run.knows(Some(token)) {
            self.note_word_refused(run_id, "wrong_token", "alive");
            return settled(Answer::WrongToken);
        }
        match run.status {
            Status::Ended(_) => {
                // One that has ended itself may beat once more, which is nothing to note.
                if run.end_reason.is_some() {
                    self.note_late_word(run_id, "alive");
                }
                settled(Answer::EndedOtherwise(run))
            }
            Status::Running if run.is_untold() => {
                settled(Answer::Alive(self.told_by_answer(run_id).unwrap_or(run), None))
            }
            Status::Running => {
                let healed = self.note_recovery(&run);
                let lease = run.lease.as_ref().map(|lease| lease.renewed(self.now));
                let beating = Execution { lease, version: run.version + i64::from(healed), ..run };
                self.put(beating.clone());
                settled(Answer::Alive(beating, None))
            }
            Status::Queued => self.beat_of_waiter(run, SignedDuration::from_secs(hold_seconds.into())),
        }
    }

    fn note_recovery(&mut self, run: &Execution) -> bool {
        let healed = run.is_suspect();
        if healed {
            self.note(EventKind::Recovered, Some(run.run_id), None, Vec::new());
        }
        healed
    }

    /// One that was passed over is back in its place, and starts if it is the first and fits.
    fn beat_of_waiter(&mut self, run: Execution, hold: SignedDuration) -> Verdict {
        let run_id = run.run_id;
        let healed = self.note_recovery(&run);
        let waiter = Execution { version: run.version + i64::from(healed), ..run.heard_waiting(hold, self.now) };
        self.put(waiter.clone());
        if healed {
            self.start_waiters();
        }
        match self.told_by_answer(run_id).unwrap_or(waiter) {
            waiter if waiter.is_queued() => {
                let (room, sighting) = self.place_of(&waiter);
                Verdict { answer: Answer::Alive(waiter, Some(room)), sighting }
            }
            run => settled(Answer::Alive(run, None)),
        }
    }

    fn set_location(&mut self, capacity: Option<Factor>, gate: Option<&Gate>, by: Option<&String>) -> Answer {
        self.note_location_set(capacity, gate, by);
        self.location.is_new = false;
        self.location.capacity = capacity.unwrap_or(self.location.capacity);
        if let Some(gate) = gate {
            self.location.gate = gate.at(self.now);
        }
        self.roster.forget_estimate();
        self.drop_those_who_cannot_fit();
        self.ask_to_stop();
        self.start_waiters();
        self.count();
        Answer::Location(self.location.clone())
    }

    fn delete_location(&mut self, by: Option<String>) -> Answer {
        self.count();
        if self.location.is_new {
            return Answer::NotFound;
        }
        if self.location.running > 0 || self.location.waiting > 0 {
            return Answer::LocationInUse(self.location.clone());
        }
        self.note_location_deleted(by);
        self.location = self.location.deleted();
        self.roster.forget_estimate();
        Answer::Location(self.location.clone())
    }

    /// A first in line who can never start would keep everybody else waiting for nothing.
    fn drop_those_who_cannot_fit(&mut self) {
        let cannot = |waiter: &&Waiter| !self.location.could_ever_fit(waiter.factor);
        let mut dropped: Vec<RunId> =
            self.roster.queue().waiters().filter(cannot).map(|waiter| waiter.run_id).collect();
        dropped.sort_unstable();
        for run_id in dropped {
            self.end(run_id, Outcome::Cancelled, Some(EndReason::CannotFit), None);
        }
    }
}

fn settled(answer: Answer) -> Verdict {
    Verdict { answer, sighting: None }
}
