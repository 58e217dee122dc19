//! Takes up who waits, batch after batch.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use crate::registry::dispatch::Location;
use crate::registry::dispatch::lanes::{Fate, Lanes};
use crate::registry::dispatch::line::{Caller, Waiting};
use crate::store::Lane;

/// For so long at the most others wait for a batch of many to end, and then begin another beside it.
const BRIEFLY: Duration = Duration::from_millis(20);
/// After this a batch takes long, and another worker goes on with the other locations.
const PATIENCE: Duration = Duration::from_millis(100);

/// Decides batch after batch, and ends when nobody waits, or when another worker is better left alone.
pub struct Worker {
    lanes: Arc<Lanes>,
    /// The locations of the batch, and whether they were decided.
    deciding: Vec<(Location, bool)>,
    /// The first location of the last batch, if others hold it. It is waited for alone.
    held: Option<Location>,
    is_aside: bool,
    /// Commands that the line counts as in hand here.
    in_hand: usize,
}

impl Worker {
    pub const fn new(lanes: Arc<Lanes>) -> Self {
        Self { lanes, deciding: Vec::new(), held: None, is_aside: false, in_hand: 0 }
    }

    pub async fn run(mut self) {
        while let Some(batch) = self.next_batch() {
            let (lanes, callers) = batch.into_iter().map(split).unzip();
            let fates = self.decide(lanes).await;
            self.tell(fates, callers);
        }
    }

    /// Takes what has queued up; with nothing to take, the worker is done in the same breath.
    fn next_batch(&mut self) -> Option<Vec<(Location, Vec<Waiting>)>> {
        let mut line = self.lanes.line();
        line.put_down(std::mem::take(&mut self.in_hand));
        let held = self.held.take();
        let done = std::mem::take(&mut self.deciding);
        let done = done.into_iter().filter(|(location, _)| Some(location) != held.as_ref());
        line.give_back(done.collect(), Instant::now());
        if self.is_aside && held.is_none() {
            self.is_aside = !line.come_back();
        }
        let batch = match held {
            Some(location) => line.take_alone(location),
            None if self.is_aside => Vec::new(),
            None => {
                let batch = line.take();
                self.in_hand = batch.iter().map(|(_, waiting)| waiting.len()).sum();
                batch
            }
        };
        if batch.is_empty() {
            line.leave(self.is_aside);
            drop(line);
            // Somebody may have come to rest.
            self.lanes.start_worker();
            return None;
        }
        self.deciding = batch.iter().map(|(location, _)| (location.clone(), true)).collect();
        drop(line);
        // What is left may be for another.
        self.lanes.start_worker();
        Some(batch)
    }

    async fn decide(&mut self, lanes: Vec<Lane>) -> Vec<Fate> {
        let (all, begun) = (Arc::clone(&self.lanes), Instant::now());
        let mut deciding = pin!(all.decide(lanes));
        if let Ok(fates) = timeout_at(begun + BRIEFLY, &mut deciding).await {
            return fates;
        }
        self.lanes.line().put_down(std::mem::take(&mut self.in_hand));
        self.lanes.start_worker();
        if let Ok(fates) = timeout_at(begun + PATIENCE, &mut deciding).await {
            return fates;
        }
        if !self.is_aside {
            self.is_aside = self.lanes.line().step_aside();
            self.lanes.start_worker();
        }
        deciding.await
    }

    fn tell(&mut self, fates: Vec<Fate>, callers: Vec<Vec<Caller>>) {
        let is_alone = self.deciding.len() == 1;
        for (index, (fate, callers)) in fates.into_iter().zip(callers).enumerate() {
            match fate {
                Fate::Decided(answers) => {
                    for (caller, answer) in callers.into_iter().zip(answers) {
                        caller.tell(answer);
                    }
                }
                Fate::Held(commands) => {
                    let (location, was_decided) = &mut self.deciding[index];
                    *was_decided = false;
                    let waiting = commands.into_iter().zip(callers);
                    let waiting = waiting.map(|(command, caller)| Waiting { command, caller }).collect();
                    self.lanes.line().put_back(location, waiting);
                    if index == 0 && !is_alone {
                        self.held = Some(location.clone());
                    }
                }
            }
        }
    }
}

fn split((location, waiting): (Location, Vec<Waiting>)) -> (Lane, Vec<Caller>) {
    let (commands, callers) = waiting.into_iter().map(|Waiting { command, caller }| (command, caller)).unzip();
    (Lane { location, commands }, callers)
}

impl Drop for Worker {
    /// After a panic its locations must not look as if somebody still decided them. Those who
    /// wait there get an error, since their senders are dropped; the others are taken up.
    fn drop(&mut self) {
        if std::thread::panicking() {
            let mut line = self.lanes.line();
            line.leave(self.is_aside);
            line.put_down(self.in_hand);
            for (location, _) in &self.deciding {
                line.forget(location);
            }
            drop(line);
            self.lanes.start_worker();
        }
    }
}
