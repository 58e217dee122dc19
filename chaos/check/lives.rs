//! What the clients know of each run, put together from all calls about it.

use std::collections::HashMap;

use super::{Answer, Ask, Call, Event, Evidence, Execution, Moment};

/// One run: what is saved of it, and what its clients saw.
#[derive(Debug)]
pub struct Life<'evidence> {
    pub run: &'evidence Execution,
    pub register: Option<&'evidence Call>,
    /// When somebody first saw it run, for good: a start that is withdrawn may be seen as well.
    pub seen_running: Option<Moment>,
    /// When its own client was first told so, by a register or a heartbeat.
    pub told: Option<Moment>,
    /// When somebody was first told that it has ended.
    pub seen_ended: Option<Moment>,
    /// When the first call was sent that could end it.
    pub end_sent: Option<Moment>,
    /// When the last call was sent that was acknowledged as a sign of life of the run.
    pub heard: Option<Moment>,
    /// When the last sign of life was sent, acknowledged or not.
    pub last_sign: Option<Moment>,
    /// Its starts that reached nobody, in their order.
    pub withdrawn: Vec<Start>,
    /// From when until when it was passed over while it waited.
    pub absent: Vec<(Moment, Moment)>,
}

/// A start, and until when the run ran by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Start {
    pub at: Moment,
    pub until: Moment,
    pub fence: i64,
}

impl Life<'_> {
    /// When it was asked for; nobody knows it of a run that no client registered.
    pub fn asked(&self) -> Moment {
        self.register.map_or(Moment::MIN, |call| call.sent)
    }

    /// All its starts, in their order; only the last of them may be one that was not withdrawn.
    pub fn starts(&self) -> impl Iterator<Item = Start> + use<'_> {
        let until = self.run.end.unwrap_or(Moment::MAX);
        let last = self.run.fence.map(|fence| Start { at: self.run.start, until, fence });
        self.withdrawn.iter().copied().chain(last)
    }

    /// When it was passed over while it stood in the queue, and not because a start was withdrawn.
    pub fn passed_over(&self) -> impl Iterator<Item = Moment> + use<'_> {
        let is_withdrawn = |at: Moment| self.withdrawn.iter().any(|start| start.until == at);
        self.absent.iter().map(|(from, _)| *from).filter(move |from| !is_withdrawn(*from))
    }

    /// Whether it was passed over then, the first and the last moment included.
    pub fn is_absent(&self, moment: Moment) -> bool {
        self.absent.iter().any(|(from, until)| (*from..=*until).contains(&moment))
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
            told: None,
            seen_ended: None,
            end_sent: None,
            heard: None,
            last_sign: None,
            withdrawn: Vec::new(),
            absent: Vec::new(),
        };
        let mut lives = Self {
            all: evidence.runs.iter().map(life).collect(),
            by_run_id: evidence.runs.iter().enumerate().map(|(index, run)| (run.run_id, index)).collect(),
            by_op: evidence.runs.iter().enumerate().map(|(index, run)| (run.op, index)).collect(),
        };
        for call in &evidence.calls {
            lives.note(call);
        }
        lives.note_events(&evidence.events);
        lives
    }

    /// Events are in the order in which they happened to each run.
    fn note_events(&mut self, events: &[Event]) {
        // The starts that are not withdrawn, as far as one has read.
        let mut running: HashMap<usize, Moment> = HashMap::new();
        for event in events {
            let Some(index) = event.run_id.and_then(|run_id| self.by_run_id.get(&run_id).copied()) else { continue };
            let life = &mut self.all[index];
            match event.what.as_str() {
                "started" => drop(running.insert(index, event.at)),
                "start_withdrawn" => {
                    let (at, fence) = (running.remove(&index).unwrap_or(event.at), event.fence.unwrap_or_default());
                    life.withdrawn.push(Start { at, until: event.at, fence });
                    life.absent.push((event.at, Moment::MAX));
                }
                // A run that missed a heartbeat is suspect as well, and runs on.
                "suspect" if life.run.queued.is_some() && !running.contains_key(&index) => {
                    life.absent.push((event.at, Moment::MAX));
                }
                _ => {}
            }
            let is_back = matches!(event.what.as_str(), "started" | "recovered" | "ended");
            if let Some((_, until)) = life.absent.last_mut().filter(|(_, until)| is_back && *until == Moment::MAX) {
                *until = event.at;
            }
        }
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
            // A start that is withdrawn may be seen by those who only look.
            Answer::Running { fence, .. } if life.run.fence.is_some_and(|last| last != *fence) => {}
            Answer::Running { .. } => {
                earlier(&mut life.seen_running, call.answered);
                if is_sign {
                    earlier(&mut life.told, call.answered);
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
