//! What the clients know of each run, put together from all calls about it.

use std::collections::HashMap;

use super::{Answer, Ask, Call, Evidence, Execution, Moment};

/// One run: what is saved of it, and what its clients saw.
#[derive(Debug)]
pub struct Life<'evidence> {
    pub run: &'evidence Execution,
    pub register: Option<&'evidence Call>,
    /// When somebody was first told that it runs.
    pub seen_running: Option<Moment>,
    /// When somebody was first told that it has ended.
    pub seen_ended: Option<Moment>,
    /// When the first call was sent that could end it.
    pub end_sent: Option<Moment>,
    /// When the last call was sent that was acknowledged as a sign of life of the run.
    pub heard: Option<Moment>,
    /// When the last sign of life was sent, acknowledged or not.
    pub last_sign: Option<Moment>,
}

impl Life<'_> {
    /// When it was asked for; nobody knows it of a run that no client registered.
    pub fn asked(&self) -> Moment {
        self.register.map_or(Moment::MIN, |call| call.sent)
    }

    pub fn is_lost(&self) -> bool {
        self.run.end_reason.as_deref() == Some("lost")
    }
}

pub struct Lives<'evidence> {
    all: Vec<Life<'evidence>>,
    by_run_id: HashMap<i64, usize>,
    by_op: HashMap<u64, usize>,
}

impl<'evidence> Lives<'evidence> {
    pub fn new(evidence: &'evidence Evidence) -> Self {
        let life = |run| Life {
            run,
            register: None,
            seen_running: None,
            seen_ended: None,
            end_sent: None,
            heard: None,
            last_sign: None,
        };
        let mut lives = Self {
            all: evidence.runs.iter().map(life).collect(),
            by_run_id: evidence.runs.iter().enumerate().map(|(index, run)| (run.run_id, index)).collect(),
            by_op: evidence.runs.iter().enumerate().map(|(index, run)| (run.op, index)).collect(),
        };
        for call in &evidence.calls {
            lives.note(call);
        }
        lives
    }

    pub fn all(&self) -> &[Life<'evidence>] {
        &self.all
    }

    pub fn of_run(&self, run_id: i64) -> Option<&Life<'evidence>> {
        self.by_run_id.get(&run_id).map(|index| &self.all[*index])
    }

    pub fn of_op(&self, op: u64) -> Option<&Life<'evidence>> {
        self.by_op.get(&op).map(|index| &self.all[*index])
    }

    fn note(&mut self, call: &'evidence Call) {
        let named = match &call.ask {
            Ask::Register(registration) => self.by_op.get(&registration.op),
            Ask::Find { op } => self.by_op.get(op),
            Ask::Beat { run_id }
            | Ask::Complete { run_id, .. }
            | Ask::CompleteAsStranger { run_id }
            | Ask::Cancel { run_id, .. }
            | Ask::Look { run_id } => self.by_run_id.get(run_id),
            Ask::SetGate { .. } => None,
        };
        let Some(life) = named.map(|index| &mut self.all[*index]) else { return };
        match &call.ask {
            Ask::Register(_) => life.register = Some(call),
            Ask::Complete { .. } | Ask::Cancel { force: true, .. } => earlier(&mut life.end_sent, call.sent),
            Ask::Cancel { .. } if life.run.lease_seconds.is_none() || life.run.queued.is_some() => {
                earlier(&mut life.end_sent, call.sent);
            }
            _ => {}
        }
        let is_sign = matches!(call.ask, Ask::Register(_) | Ask::Beat { .. });
        if is_sign {
            later(&mut life.last_sign, call.answered);
        }
        match &call.answer {
            Answer::Running { .. } => {
                earlier(&mut life.seen_running, call.answered);
                if is_sign {
                    later(&mut life.heard, call.sent);
                }
            }
            Answer::Stopping => earlier(&mut life.seen_running, call.answered),
            Answer::Ended { .. } | Answer::EndedOtherwise { .. } => earlier(&mut life.seen_ended, call.answered),
            _ => {}
        }
    }
}

fn earlier(known: &mut Option<Moment>, new: Moment) {
    *known = Some(known.map_or(new, |known| known.min(new)));
}

fn later(known: &mut Option<Moment>, new: Moment) {
    *known = Some(known.map_or(new, |known| known.max(new)));
}
