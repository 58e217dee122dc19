//! Taking runs back in that the database has forgotten, as a standby does that lagged behind.

use super::batch::Batch;
use crate::domain::answer::Answer;
use crate::domain::execution::lease::{Lease, TokenHash};
use crate::domain::execution::{Execution, Status};

impl Batch {
    /// Counts a run again of which the database has forgotten everything, or that it has started.
    /// Its load is there whatever the capacity, so it is counted even above that, and nothing new
    /// starts until there is room.
    pub fn take_back(&mut self, receipt: &Execution, token: &TokenHash) -> Answer {
        if !receipt.knows(Some(token)) {
            return Answer::WrongToken;
        }
        if self.elsewhere.contains(&receipt.run_id) {
            return Answer::OtherRun;
        }
        let known = self.roster.get(receipt.run_id).cloned();
        let run = match known {
            Some(run) if run.id != receipt.id => return Answer::OtherRun,
            Some(run) if run.status != Status::Queued => return Answer::TakenBack(run),
            Some(waiter) => Execution {
                status: Status::Running,
                start_time: receipt.start_time,
                fence: receipt.fence,
                version: waiter.version + 1,
                ..waiter
            },
            None => {
                self.taken_back.insert(receipt.run_id);
                Execution { version: receipt.version + 1, ..receipt.clone() }
            }
        };
        let run = Execution { lease: run.lease.as_ref().map(|lease: &Lease| lease.renewed(self.now)), ..run };
        self.location.fence = self.location.fence.max(run.fence.unwrap_or_default());
        self.note_taken_back(&run);
        self.hold(run.clone());
        self.ask_to_stop();
        Answer::TakenBack(self.roster.get(run.run_id).cloned().unwrap_or(run))
    }
}
