//! Programs that run another one and pass on the signals that they hear.
//!
//! A child of such a program would hear a signal twice, once from it, and k6 gives up its summary at the second.

use super::descendants::Process;

/// What a program does with a signal that is meant for the command which it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Habit {
    /// Sends it to its child, and some to their whole group besides.
    Forwards,
    /// Ends by it, and so loses the exit code of its child.
    OnlyWaits,
}

const HABITS: [(&str, Habit); 19] = [
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
    ("setsid", Habit::OnlyWaits),
    ("time", Habit::OnlyWaits),
    ("flock", Habit::OnlyWaits),
    ("unshare", Habit::OnlyWaits),
];

/// The habit of a process that need not hear a signal itself if its child does.
pub fn habit(process: &Process) -> Option<Habit> {
    // npm calls its process "npm run load".
    let name = process.name.split_whitespace().next()?;
    HABITS.iter().find(|(known, _)| *known == name).map(|(_, habit)| *habit)
}
