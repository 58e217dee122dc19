//! The rule as one location follows it, without a queue's worth of the real one's detail.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::sync::Arc;

use porcupine_rs::Model;

use super::{Moment, Room};

/// What does not change about a run.
#[derive(Clone, Debug)]
pub struct Runner {
    pub factor: i64,
    pub priority: u8,
    /// When it came to the queue, if it ever waited.
    pub queued: Option<Moment>,
    /// Of its starts, in their order.
    pub fences: Vec<i64>,
}

/// What does not change about a location.
pub struct Context {
    pub capacity: i64,
    pub runners: HashMap<i64, Runner>,
    /// The fences that were given here, in their order, each with the run that it was given to.
    pub starts: Vec<(i64, i64)>,
}

impl Context {
    /// Whose turn it is after this fence, and the fence of that start.
    fn next_start(&self, fence: i64) -> Option<(i64, i64)> {
        self.starts.get(self.starts.partition_point(|(earlier, _)| *earlier <= fence)).copied()
    }

    /// The fence of the run's last start up to this one.
    fn fence_of(&self, run_id: i64, latest: i64) -> Option<i64> {
        self.runners[&run_id].fences.iter().copied().rfind(|fence| *fence <= latest)
    }

    /// In the order of the arrivals.
    pub fn arrival(&self, run_id: i64) -> (Option<Moment>, i64) {
        (self.runners[&run_id].queued, run_id)
    }
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
    /// Those in the queue that are passed over.
    pub silent: BTreeSet<i64>,
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
        /// By the database's time.
        at: Moment,
    },
    /// A start that reached nobody is taken back.
    Withdraw {
        run_id: i64,
        fence: i64,
    },
    /// A waiter was silent for too long.
    PassOver {
        run_id: i64,
    },
    /// One that was passed over is heard of.
    Recover {
        run_id: i64,
    },
    SeeRunning {
        run_id: i64,
        /// As it was told, if it was.
        fence: Option<i64>,
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
            | Self::Withdraw { run_id, .. }
            | Self::PassOver { run_id }
            | Self::Recover { run_id }
            | Self::SeeRunning { run_id, .. }
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
        !self.is_closed && self.present().next().is_none() && self.fits(factor, context)
    }

    fn has(&self, run_id: i64) -> bool {
        self.running.contains(&run_id) || self.queue.contains(&run_id)
    }

    /// Where in the queue those stand who are not passed over.
    fn present(&self) -> impl Iterator<Item = usize> {
        (0..self.queue.len()).filter(|index| !self.silent.contains(&self.queue[*index]))
    }

    /// Who goes next: the highest priority, then the first who came.
    fn first(&self, context: &Context) -> Option<usize> {
        self.present().min_by_key(|index| (u8::MAX - context.runners[&self.queue[*index]].priority, *index))
    }

    /// Those who go before this one.
    fn ahead_of(&self, run_id: i64, context: &Context) -> Option<usize> {
        let place = self.queue.iter().position(|other| *other == run_id)?;
        let priority = |index: usize| context.runners[&self.queue[index]].priority;
        let goes_first = |index: &usize| {
            priority(*index) > priority(place) || (priority(*index) == priority(place) && *index < place)
        };
        Some(self.present().filter(goes_first).count())
    }

    /// The fences tell the order of all starts.
    fn start(&mut self, run_id: i64, context: &Context) -> bool {
        let Some((fence, _)) = context.next_start(self.fence).filter(|(_, next)| *next == run_id) else { return false };
        self.fence = fence;
        self.used += context.runners[&run_id].factor;
        self.running.insert(run_id)
    }

    /// It is back in its place, and passed over.
    fn withdraw(&mut self, run_id: i64, fence: i64, context: &Context) -> bool {
        if context.fence_of(run_id, self.fence) != Some(fence) || !self.running.remove(&run_id) {
            return false;
        }
        self.used -= context.runners[&run_id].factor;
        let place = self.queue.partition_point(|other| context.arrival(*other) < context.arrival(run_id));
        self.queue.insert(place, run_id);
        self.silent.insert(run_id) && self.start_waiters(context)
    }

    fn pass_over(&mut self, run_id: i64, context: &Context) -> bool {
        self.queue.contains(&run_id) && self.silent.insert(run_id) && self.start_waiters(context)
    }

    fn recover(&mut self, run_id: i64, context: &Context) -> bool {
        self.silent.remove(&run_id) && self.start_waiters(context)
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
        let queued = context.runners[&run_id].queued;
        let comes_last = self.queue.last().is_none_or(|last| context.runners[last].queued <= queued);
        if !comes_last || self.has(run_id) || self.may_start(context.runners[&run_id].factor, context) {
            return false;
        }
        self.queue.push(run_id);
        self.start_waiters(context) && room.is_none_or(|room| self.shows(run_id, room, context))
    }

    fn shows(&self, run_id: i64, room: &Room, context: &Context) -> bool {
        self.ahead_of(run_id, context) == Some(room.ahead) && self.used == room.used && room.is_open != self.is_closed
    }

    fn refuse(&self, factor: i64, room: &Room, context: &Context) -> bool {
        let ahead = self.present().count();
        let is_so = self.used == room.used && ahead == room.ahead && room.is_open != self.is_closed;
        is_so && !self.may_start(factor, context)
    }

    fn end(&mut self, run_id: i64, context: &Context) -> bool {
        if self.running.remove(&run_id) {
            self.used -= context.runners[&run_id].factor;
        }
        self.queue.retain(|other| *other != run_id);
        self.silent.remove(&run_id);
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
            Op::Gate { is_open, .. } => {
                self.is_closed = !is_open;
                self.start_waiters(context)
            }
            Op::Withdraw { run_id, fence } => self.withdraw(*run_id, *fence, context),
            Op::PassOver { run_id } => self.pass_over(*run_id, context),
            Op::Recover { run_id } => self.recover(*run_id, context),
            Op::SeeRunning { run_id, fence } => {
                let is_last = || context.fence_of(*run_id, self.fence) == *fence;
                self.running.contains(run_id) && (fence.is_none() || is_last())
            }
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
