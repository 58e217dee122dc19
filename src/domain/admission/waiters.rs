//! What becomes of waiters by themselves: some start, some are passed over, and some starts reach nobody.

use jiff::Timestamp;

use super::batch::Batch;
use crate::domain::answer::Answer;
use crate::domain::event::{EventKind, Fact};
use crate::domain::execution::lease::Lease;
use crate::domain::execution::{EndReason, Execution, Outcome, RunId};
use crate::domain::schedule::roster::due_end;
use crate::seeded_bug::{self, Bug};

impl Batch {
    /// Ends the waiting of those whose time is over.
    pub fn drop_waiters(&mut self, due: &[RunId]) {
        for run_id in due {
            self.drop_waiter(*run_id);
        }
    }

    fn drop_waiter(&mut self, run_id: RunId) {
        let reason = self.roster.get(run_id).and_then(|run| match due_end(run)? {
            (at, _) if at > self.now => None,
            // How long it wants to wait is its own word, even while nobody could be heard.
            (_, EndReason::NotHeard) if !self.is_unbroken() => {
                run.place.as_ref().filter(|place| place.until <= self.now).map(|_| EndReason::WaitTimeout)
            }
            (_, reason) => Some(reason),
        });
        if reason.is_some() {
            self.end(run_id, Outcome::Cancelled, reason, None);
        }
    }

    /// Passes over the waiters that have been silent for too long, and withdraws the starts that were not told in time.
    pub fn judge_waiters(&mut self, due: &[RunId]) {
        if !self.is_unbroken() {
            return;
        }
        for run_id in due.iter().copied() {
            let Some(run) = self.roster.get(run_id).cloned() else { continue };
            if run.is_untold() {
                if run.place.as_ref().and_then(|place| place.tell_by).is_some_and(|tell_by| tell_by <= self.now) {
                    self.withdraw_start(&run, "not_told");
                }
            } else if run.is_queued() && !run.is_suspect() && run.expected_by().is_some_and(|at| at <= self.now) {
                self.pass_over(run);
            }
        }
    }

    fn pass_over(&mut self, run: Execution) {
        let Some(lease) = run.lease.clone() else { return };
        let missed = run.expected_by().map(|at| ("lease_expires_at", Fact::Time(at)));
        self.note(EventKind::Suspect, Some(run.run_id), None, missed.into_iter().collect());
        let lease = Some(Lease { suspect: true, ..lease });
        self.put(Execution { lease, version: run.version + 1, ..run });
    }

    /// Gives back what a start took of the location, since it did not reach its waiter.
    pub fn withdraw_start(&mut self, run: &Execution, cause: &'static str) {
        self.let_go(run);
        self.roster.forget_estimate();
        let withdrawn = run.start_withdrawn();
        self.note_withdrawn(run, cause);
        self.put(withdrawn);
        self.drop_waiter(run.run_id);
    }

    /// Starts those who are first, as long as the first fits. Nobody overtakes. One that can never fit would hold up all
    /// others; it may have come from a larger location.
    pub fn start_waiters(&mut self) {
        while self.gate().is_open()
            && let Some(first) = self.roster.queue().first(self.now)
        {
            let (run_id, factor) = (first.run_id, first.factor);
            if !self.location.could_ever_fit(factor) {
                self.end(run_id, Outcome::Cancelled, Some(EndReason::CannotFit), None);
            } else if self.location.fits(factor)
                && let Some(first) = self.roster.get(run_id)
            {
                self.location.fence = self.next_fence();
                let started = first.start_untold(self.now, self.location.fence);
                self.run(started);
            } else {
                return;
            }
        }
    }

    /// The run as it is now. If it has just started, the answer to this very command tells it.
    pub fn told_by_answer(&mut self, run_id: RunId) -> Option<Execution> {
        let run = self.roster.get(run_id)?;
        if run.is_untold() && !seeded_bug::is(Bug::ToldStartWithdrawn) {
            let told = run.told(self.now);
            self.put(told);
        }
        self.roster.get(run_id).cloned()
    }

    /// A waiter's call has broken off, unless it was heard of since.
    pub fn call_broke_off(&mut self, run_id: RunId, heard_at: Timestamp) -> Answer {
        let Some(run) = self.roster.get(run_id) else { return Answer::NotFound };
        let is_last = run.place.as_ref().is_some_and(|place| place.heard_at == heard_at);
        if is_last && (run.is_queued() || run.is_untold()) {
            let broken_off = run.broken_off(self.now);
            self.put(broken_off);
        }
        Answer::Swept
    }
}
