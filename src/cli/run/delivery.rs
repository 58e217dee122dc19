//! Sending a signal to every process of the load, once each, whatever group or session it is in.

use std::collections::{HashMap, HashSet};

use rustix::io::Errno;
use rustix::process::{Signal, getpgrp, getpid};

use super::descendants::{self, Process};
use super::forwarders::{Habit, habit};
use super::hearing::Reach;

/// How often to look for processes that were started while others were signalled.
const LOOKS: usize = 4;

/// The processes that have heard a signal by now, and when by the time of /proc.
#[derive(Clone, Debug, Default)]
pub struct Reached(HashMap<i32, Mark>);

#[derive(Clone, Copy, Debug)]
struct Mark {
    started: u64,
    heard_at: u64,
}

impl Reached {
    fn has(&self, process: &Process) -> bool {
        self.0.get(&process.pid).is_some_and(|mark| mark.started == process.started)
    }

    fn note(&mut self, process: &Process, heard_at: u64) {
        self.0.insert(process.pid, Mark { started: process.started, heard_at });
    }

    /// What was reached by an earlier signal counts as well.
    pub fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// Whether a process was there before its parent heard the signal. Later ones clean up: they must be left alone.
    fn is_older_than_the_signal(&self, process: &Process, orphans_until: u64) -> bool {
        let orphans_until = if process.parent == own() { orphans_until } else { u64::MAX };
        process.started < self.0.get(&process.parent).map_or(orphans_until, |mark| mark.heard_at)
    }
}

/// What came of a signal.
#[derive(Debug, Default)]
pub struct Delivered {
    pub reached: Reached,
    /// Other users' processes, which may not be signalled.
    pub refused: Vec<Process>,
    /// By number and start.
    tried: HashSet<(i32, u64)>,
    /// The ancestors of what has heard the signal.
    served: HashSet<i32>,
}

/// Sends the signal to each process that has not heard it, parents first.
pub fn deliver(signal: Signal, reach: Reach) -> Delivered {
    deliver_beyond(signal, reach, Reached::default())
}

/// As [`deliver`], leaving those alone that were asked to end before.
pub fn deliver_beyond(signal: Signal, reach: Reach, reached: Reached) -> Delivered {
    let began = descendants::now();
    let mut tree = descendants::all();
    let mut delivered = Delivered { reached, ..Delivered::default() };
    let mut orphans_until = u64::MAX;
    match reach {
        Reach::Everything => {}
        Reach::OutsideGroup { heard_at } => {
            orphans_until = heard_at;
            delivered.note_group(signal, &tree, getpgrp().as_raw_nonzero().get(), heard_at);
        }
        Reach::Nothing { heard_at } => {
            for process in tree.iter().filter(|process| process.started <= heard_at && !process.ignores(signal)) {
                delivered.reached.note(process, heard_at);
            }
            wake(&tree, &delivered.reached);
            return delivered;
        }
    }
    for _ in 0..LOOKS {
        if !delivered.send(signal, &tree, orphans_until) {
            break;
        }
        orphans_until = orphans_until.min(began);
        tree = descendants::all();
    }
    delivered.send_to_forwarders(signal, &tree);
    wake(&tree, &delivered.reached);
    delivered
}

impl Delivered {
    /// The group has heard the signal, and what its forwarders run hears it from them.
    fn note_group(&mut self, signal: Signal, tree: &[Process], group: i32, heard_at: u64) {
        let mut forwarding = HashSet::new();
        for process in tree.iter().filter(|process| process.started <= heard_at) {
            let has_heard = process.group == group || forwarding.contains(&process.parent);
            if has_heard && !process.ignores(signal) {
                self.reached.note(process, heard_at);
                if habit(process) == Some(Habit::Forwards) {
                    forwarding.insert(process.pid);
                }
            }
        }
    }

    /// Whether anything was new.
    fn send(&mut self, signal: Signal, tree: &[Process], orphans_until: u64) -> bool {
        let parents: HashMap<i32, i32> = tree.iter().map(|process| (process.pid, process.parent)).collect();
        let mut is_new = false;
        for process in tree.iter().filter(|process| !process.is_dead()) {
            if self.reached.has(process) {
                self.serve(process, &parents);
            } else if habit(process).is_none()
                && self.reached.is_older_than_the_signal(process, orphans_until)
                && self.tried.insert((process.pid, process.started))
            {
                is_new = true;
                self.send_to(signal, process, &parents);
            }
        }
        is_new
    }

    fn send_to(&mut self, signal: Signal, process: &Process, parents: &HashMap<i32, i32>) {
        // A process that ignores the signal has not been asked to end.
        let is_deaf = process.ignores(signal);
        // Read before, since what the process starts in answer must not seem older than the signal.
        let heard_at = descendants::now();
        match process.signal(signal) {
            Ok(()) => {
                if !is_deaf {
                    self.reached.note(process, heard_at);
                }
                self.serve(process, parents);
            }
            Err(Errno::PERM) => self.refused.push(process.clone()),
            Err(_) => {}
        }
    }

    fn serve(&mut self, process: &Process, parents: &HashMap<i32, i32>) {
        self.served.extend(ancestors(process.pid, parents));
    }

    /// A forwarder is signalled only if nothing that it runs could be, and a filter if nothing beside it could.
    fn send_to_forwarders(&mut self, signal: Signal, tree: &[Process]) {
        let parents: HashMap<i32, i32> = tree.iter().map(|process| (process.pid, process.parent)).collect();
        for process in tree.iter().rev().filter(|process| !process.is_dead()) {
            let Some(habit) = habit(process) else { continue };
            if habit.is_served(process, &self.served) {
                self.reached.note(process, descendants::now());
            } else if !self.reached.has(process) {
                self.send_to(signal, process, &parents);
                // sudo may signal what its caller may not.
                if self.reached.has(process) {
                    self.refused.retain(|other| ancestors(other.pid, &parents).all(|ancestor| ancestor != process.pid));
                }
            }
        }
    }
}

fn ancestors(pid: i32, parents: &HashMap<i32, i32>) -> impl Iterator<Item = i32> {
    std::iter::successors(parents.get(&pid), |parent| parents.get(parent)).copied()
}

/// Lets stopped processes hear what they were sent.
fn wake(tree: &[Process], reached: &Reached) {
    for process in tree.iter().filter(|process| process.is_stopped() && reached.has(process)) {
        let _ = process.signal(Signal::CONT);
    }
}

fn own() -> i32 {
    getpid().as_raw_nonzero().get()
}
