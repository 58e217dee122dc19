//! Programs beside a load that need not, or must not, hear a signal which is meant for it.
//!
//! A child of a program that passes signals on would hear one twice, and k6 gives up its summary at the second. And a
//! summary that goes through tee is lost if tee has ended.

use std::collections::HashSet;

use super::descendants::Process;

/// What a program does with a signal that is meant for the command which it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Habit {
    /// Sends it to its child, and some to their whole group besides.
    Forwards,
    /// Ends by it, and so loses the exit code of its child, or what that prints.
    OnlyWaits,
    /// Ends when its input does; before that, what others print at their end is lost with it.
    Filters,
}

const HABITS: [(&str, Habit); 36] = [
    ("timeout", Habit::Forwards),
    ("sudo", Habit::Forwards),
    ("doas", Habit::Forwards),
    ("su", Habit::Forwards),
    ("runuser", Habit::Forwards),
    ("tini", Habit::Forwards),
    ("tini-static", Habit::Forwards),
    ("docker-init", Habit::Forwards),
    ("dumb-init", Habit::Forwards),
    ("catatonit", Habit::Forwards),
    ("strace", Habit::Forwards),
    ("npm", Habit::Forwards),
    ("npx", Habit::Forwards),
    ("yarn", Habit::Forwards),
    ("pnpm", Habit::Forwards),
    // It passes SIGTERM on to what it has started, and no other.
    ("make", Habit::Forwards),
    ("gmake", Habit::Forwards),
    ("uv", Habit::Forwards),
    ("doppler", Habit::Forwards),
    ("op", Habit::Forwards),
    ("infisical", Habit::Forwards),
    ("setsid", Habit::OnlyWaits),
    ("time", Habit::OnlyWaits),
    ("flock", Habit::OnlyWaits),
    ("unshare", Habit::OnlyWaits),
    ("script", Habit::OnlyWaits),
    ("unbuffer", Habit::OnlyWaits),
    ("tee", Habit::Filters),
    ("cat", Habit::Filters),
    ("ts", Habit::Filters),
    ("sed", Habit::Filters),
    ("grep", Habit::Filters),
    ("awk", Habit::Filters),
    ("mawk", Habit::Filters),
    ("gawk", Habit::Filters),
    ("jq", Habit::Filters),
];

impl Habit {
    /// Whether the process need not hear a signal that some descendant of each of `served` has heard.
    pub fn is_served(self, process: &Process, served: &HashSet<i32>) -> bool {
        match self {
            Self::Forwards | Self::OnlyWaits => served.contains(&process.pid),
            Self::Filters => served.contains(&process.parent),
        }
    }
}

/// The habit of a process that need not hear a signal itself if its child, or what it reads from, does.
pub fn habit(process: &Process) -> Option<Habit> {
    // npm calls its process "npm run load".
    let name = process.name.split_whitespace().next()?;
    HABITS.iter().find(|(known, _)| *known == name).map(|(_, habit)| *habit)
}
