//! The rule as one location follows it, without a queue's worth of the real one's detail.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::sync::Arc;

use porcupine_rs::Model;

use super::Room;

/// What does not change about a run.
#[derive(Clone, Debug)]
pub struct Runner {
    pub factor: i64,
    /// There is none if it never started.
    pub fence: Option<i64>,
    pub priority: u8,
}

/// What does not change about a location.
pub struct Context {
    pub capacity: i64,
    pub runners: HashMap<i64, Runner>,
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "capacity {}", self.capacity)
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct State {
    pub is_closed: bool,
    pub used: i64,
    /// The last that was given.
    pub fence: i64,
    pub running: BTreeSet<i64>,
    /// In the order of the arrivals.
    pub queue: Vec<i64>,
}

#[derive(Clone, Debug)]
pub enum Op {
    /// Where a piece of the history begins.
    Begin(State),
    Start {
        run_id: i64,
    },
    Wait {
        run_id: i64,
        room: Option<Room>,
    },
    Refuse {
        factor: i64,
        room: Room,
    },
    /// An end, or the same again.
    End {
        run_id: i64,
    },
    Gate {
        is_open: bool,
    },
    SeeRunning {
        run_id: i64,
    },
    SeeQueued {
        run_id: i64,
        room: Option<Room>,
    },
    SeeEnded {
        run_id: i64,
    },
}

impl Op {
    /// The run that it is about.
    pub const fn run_id(&self) -> Option<i64> {
        match self {
            Self::Begin(_) | Self::Refuse { .. } | Self::Gate { .. } => None,
            Self::Start { run_id }
            | Self::Wait { run_id, .. }
            | Self::End { run_id }
            | Self::SeeRunning { run_id }
            | Self::SeeQueued { run_id, .. }
            | Self::SeeEnded { run_id } => Some(*run_id),
        }
    }
}

impl State {
    fn fits(&self, factor: i64, context: &Context) -> bool {
        self.used + factor < context.capacity
    }

    fn may_start(&self, factor: i64, context: &Context) -> bool {
        !self.is_closed && self.queue.is_empty() && self.fits(factor, context)
    }

    fn has(&self, run_id: i64) -> bool {
        self.running.contains(&run_id) || self.queue.contains(&run_id)
    }

    /// Who goes next: the highest priority, then the first who came.
    fn first(&self, context: &Context) -> Option<usize> {
        (0..self.queue.len()).min_by_key(|index| (u8::MAX - context.runners[&self.queue[*index]].priority, *index))
    }

    /// Those who go before this one.
    fn ahead_of(&self, run_id: i64, context: &Context) -> Option<usize> {
        let place = self.queue.iter().position(|other| *other == run_id)?;
        let priority = |index: usize| context.runners[&self.queue[index]].priority;
        let goes_first = |index: &usize| {
            priority(*index) > priority(place) || (priority(*index) == priority(place) && *index < place)
        };
        Some((0..self.queue.len()).filter(goes_first).count())
    }

    fn start(&mut self, run_id: i64, context: &Context) -> bool {
        let runner = &context.runners[&run_id];
        let Some(fence) = runner.fence.filter(|fence| *fence > self.fence) else { return false };
        self.fence = fence;
        self.used += runner.factor;
        self.running.insert(run_id)
    }

    /// Starts those who are first, as long as the first fits.
    fn start_waiters(&mut self, context: &Context) -> bool {
        while !self.is_closed
            && let Some(index) = self.first(context)
            && self.fits(context.runners[&self.queue[index]].factor, context)
        {
            let run_id = self.queue.remove(index);
            if !self.start(run_id, context) {
                return false;
            }
        }
        true
    }

    fn wait(&mut self, run_id: i64, room: Option<&Room>, context: &Context) -> bool {
        if self.has(run_id) || self.may_start(context.runners[&run_id].factor, context) {
            return false;
        }
        self.queue.push(run_id);
        self.start_waiters(context) && room.is_none_or(|room| self.shows(run_id, room, context))
    }

    fn shows(&self, run_id: i64, room: &Room, context: &Context) -> bool {
        self.ahead_of(run_id, context) == Some(room.ahead) && self.used == room.used && room.is_open != self.is_closed
    }

    fn refuse(&self, factor: i64, room: &Room, context: &Context) -> bool {
        let is_so = self.used == room.used && self.queue.len() == room.ahead && room.is_open != self.is_closed;
        is_so && !self.may_start(factor, context)
    }

    fn end(&mut self, run_id: i64, context: &Context) -> bool {
        if self.running.remove(&run_id) {
            self.used -= context.runners[&run_id].factor;
        }
        self.queue.retain(|other| *other != run_id);
        self.start_waiters(context)
    }

    fn apply(&mut self, op: &Op, context: &Context) -> bool {
        match op {
            Op::Begin(state) => {
                *self = state.clone();
                true
            }
            Op::Start { run_id } => {
                self.may_start(context.runners[run_id].factor, context) && self.start(*run_id, context)
            }
            Op::Wait { run_id, room } => self.wait(*run_id, room.as_ref(), context),
            Op::Refuse { factor, room } => self.refuse(*factor, room, context),
            Op::End { run_id } => self.end(*run_id, context),
            Op::Gate { is_open } => {
                self.is_closed = !is_open;
                self.start_waiters(context)
            }
            Op::SeeRunning { run_id } => self.running.contains(run_id),
            Op::SeeQueued { run_id, room } => {
                self.queue.contains(run_id) && room.as_ref().is_none_or(|room| self.shows(*run_id, room, context))
            }
            Op::SeeEnded { run_id } => !self.has(*run_id),
        }
    }
}

#[derive(Clone, Debug)]
pub struct LocationModel;

impl Model for LocationModel {
    type State = State;
    type Op = (Arc<Context>, Op);
    type Metadata = ();

    fn init() -> State {
        State::default()
    }

    fn step(state: &State, (context, op): &Self::Op) -> (bool, State) {
        let mut next = state.clone();
        (next.apply(op, context), next)
    }
}
