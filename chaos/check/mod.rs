//! What the clients sent and saw, what the database holds, and what both together prove.
//!
//! Every checker is a function over the evidence. The clients' clock is one monotonic clock, in
//! microseconds since the begin; the database's times have been put onto it.

pub mod acknowledged;
pub mod capacity;
pub mod gone;
pub mod leases;
pub mod linear;
pub mod lives;
pub mod model;
pub mod numbers;
pub mod queue;
pub mod refusals;
pub mod rows;
pub mod wakeups;

use std::fmt;

use lives::Lives;

/// Microseconds since the begin.
pub type Moment = i64;
pub const SECOND: Moment = 1_000_000;
/// How much later than due something happens by itself at the latest, where nothing is broken.
const SLACK: Moment = 8 * SECOND;
/// For so long after a fault things may still be slow: a connection that is half-open is given up after 10 s.
const RECOVERY: Moment = 12 * SECOND;

/// What a client asked for, one entry for all attempts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    Register(Registration),
    Beat {
        run_id: i64,
    },
    Complete {
        run_id: i64,
        status: Status,
    },
    /// With a token that is wrong, or is not given although there is a lease.
    CompleteAsStranger {
        run_id: i64,
    },
    Cancel {
        run_id: i64,
        force: bool,
    },
    /// Reads the execution.
    Look {
        run_id: i64,
    },
    /// Looks whether a registration without an answer has come to anything.
    Find {
        op: u64,
    },
    SetGate {
        op: u64,
        is_open: bool,
    },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registration {
    /// Sent along and kept with the run, so that the run can be told by it.
    pub op: u64,
    pub factor: i64,
    pub wait_seconds: u32,
    pub priority: u8,
    pub lease_seconds: Option<u32>,
    pub has_key: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    Queued,
    Running,
    Success,
    Failure,
    Cancelled,
}

impl Status {
    pub const fn has_ended(self) -> bool {
        !matches!(self, Self::Queued | Self::Running)
    }
}

/// What the registry answered in the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It may or may not have happened.
    Unknown,
    /// The client hung up before there was an answer.
    HungUp,
    /// It has not happened: 503, and the sentence that nothing was changed.
    Unavailable,
    /// It runs.
    Running {
        run_id: i64,
        fence: i64,
        lease_expires_at: Option<Moment>,
    },
    /// It waits. A look at it does not show the room.
    Queued {
        run_id: i64,
        room: Option<Room>,
    },
    Refused(Room),
    /// It has ended so. `reason` is why, if nobody asked for it.
    Ended {
        status: Status,
        reason: Option<String>,
    },
    /// It has ended in another way than the call wanted.
    EndedOtherwise {
        status: Status,
        reason: Option<String>,
    },
    Stopping,
    NotStarted,
    WrongToken,
    NotFound,
    GateSet,
    /// Anything that the registry should never have said.
    Unexpected(String),
}

/// How full a location is said to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Room {
    pub used: i64,
    pub ahead: usize,
    pub is_open: bool,
}

#[derive(Clone, Debug)]
pub struct Call {
    pub client: u32,
    pub location: u16,
    /// When the first attempt was sent.
    pub sent: Moment,
    /// When the last one was answered or given up.
    pub answered: Moment,
    pub attempts: u16,
    /// The server that answered, or should have.
    pub server: usize,
    /// Whether it asked to be held until something changes.
    pub is_held: bool,
    pub ask: Ask,
    pub answer: Answer,
}

/// An execution as the database has it.
#[derive(Clone, Debug)]
pub struct Execution {
    pub run_id: i64,
    pub location: u16,
    pub op: u64,
    pub status: Status,
    pub factor: i64,
    pub fence: Option<i64>,
    pub start: Moment,
    pub end: Option<Moment>,
    pub end_reason: Option<String>,
    pub queued: Option<Moment>,
    pub priority: u8,
    pub lease_seconds: Option<u32>,
}

/// A location's row as the database has it.
#[derive(Clone, Debug)]
pub struct Location {
    pub index: u16,
    pub capacity: i64,
    pub used: i64,
    pub running: i64,
    pub waiting: i64,
    pub leased: i64,
    pub is_open: bool,
}

#[derive(Clone, Debug)]
pub struct Event {
    pub at: Moment,
    pub what: String,
    pub run_id: Option<i64>,
    /// Of whoever set a gate.
    pub op: Option<u64>,
    /// Of a start that was withdrawn.
    pub fence: Option<i64>,
}

/// While something was broken on purpose.
#[derive(Clone, Debug)]
pub struct Fault {
    pub what: String,
    pub begin: Moment,
    pub end: Moment,
}

#[derive(Default)]
pub struct Evidence {
    pub calls: Vec<Call>,
    pub runs: Vec<Execution>,
    pub locations: Vec<Location>,
    pub events: Vec<Event>,
    pub faults: Vec<Fault>,
    /// Of each location, all the time.
    pub capacities: Vec<i64>,
}

impl Evidence {
    /// All locations.
    pub fn places(&self) -> impl Iterator<Item = u16> + use<> {
        0..u16::try_from(self.capacities.len()).unwrap_or(u16::MAX)
    }

    /// Whether nothing was broken from `begin` to `end`.
    pub fn is_calm(&self, begin: Moment, end: Moment) -> bool {
        self.faults.iter().all(|fault| fault.end.saturating_add(RECOVERY) < begin || end < fault.begin)
    }

    /// Whether calls were still made then, so that whatever was due had to happen.
    pub fn goes_on_after(&self, moment: Moment) -> bool {
        self.calls.last().is_some_and(|call| call.answered > moment)
    }
}

/// A promise that was broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    pub at: Moment,
    pub location: u16,
    pub what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { at, location, what } = self;
        write!(f, "{}.{:03} s, location {location}: {what}", at / SECOND, at % SECOND / 1_000)
    }
}

/// What one checker looked at and found.
pub struct Verdict {
    pub checker: &'static str,
    /// How many things it judged; one that judged nothing proves nothing.
    pub judged: usize,
    pub violations: Vec<Violation>,
}

impl Verdict {
    const fn new(checker: &'static str) -> Self {
        Self { checker, judged: 0, violations: Vec::new() }
    }

    fn judge(&mut self, is_right: bool, at: Moment, location: u16, what: impl FnOnce() -> String) {
        self.judged += 1;
        if !is_right {
            self.violations.push(Violation { at, location, what: what() });
        }
    }
}

/// All verdicts over the evidence.
pub fn judge(evidence: &Evidence) -> Vec<Verdict> {
    let lives = Lives::new(evidence);
    let mut verdicts = vec![
        capacity::as_clients_saw_it(evidence, &lives),
        capacity::as_recorded(evidence, &lives),
        refusals::check(evidence, &lives),
        acknowledged::check(evidence, &lives),
        numbers::check(evidence, &lives),
        queue::check(evidence, &lives),
        leases::check(evidence, &lives),
        wakeups::check(evidence, &lives),
        gone::check(evidence, &lives),
        rows::check(evidence, &lives),
    ];
    let is_hopeful = verdicts.iter().all(|verdict| verdict.violations.is_empty());
    verdicts.push(linear::check(evidence, &lives, is_hopeful));
    verdicts
}
