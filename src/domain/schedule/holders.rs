//! Who holds a location: those who run there, what takes most first.

use std::cmp::Reverse;

use crate::domain::answer::Holder;
use crate::domain::execution::RunId;

/// Past this many only the first are kept.
const MOST_KEPT: usize = 1_000;

/// The first of those who run at a location, in the order of [`holder_order`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holders {
    first: Vec<Holder>,
    /// Whether nobody else runs there.
    are_all: bool,
}

/// The order in which a room names those who hold it: what takes most comes first.
#[must_use]
pub fn holder_order(holder: &Holder) -> impl Ord + use<> {
    (Reverse(holder.factor), holder.start_time, holder.run_id)
}

impl Holders {
    /// `first` are the first of those who run there, in any order; `running` is how many run.
    #[must_use]
    pub fn new(mut first: Vec<Holder>, running: i64) -> Self {
        first.sort_by_key(holder_order);
        let are_all = first.len() as i64 >= running;
        let mut holders = Self { first, are_all };
        holders.keep_first();
        holders
    }

    /// Whether these are enough to name so many, or all there are.
    #[must_use]
    pub fn are_enough_for(&self, count: usize) -> bool {
        self.are_all || self.first.len() >= count
    }

    /// The first of them, at most so many.
    #[must_use]
    pub fn first(&self, most: usize) -> &[Holder] {
        &self.first[..self.first.len().min(most)]
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.first.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.first.is_empty()
    }

    pub fn add(&mut self, holder: Holder) {
        let index = self.first.partition_point(|other| holder_order(other) < holder_order(&holder));
        // Behind the last of those that are known there may be others that are not.
        if index < self.first.len() || self.are_all {
            self.first.insert(index, holder);
            self.keep_first();
        }
    }

    pub fn remove(&mut self, run_id: RunId) {
        self.first.retain(|holder| holder.run_id != run_id);
    }

    /// Gives the one with this run_id the number that the database drew.
    pub fn number(&mut self, provisional: RunId, run_id: RunId) {
        if let Some(holder) = self.first.iter_mut().rev().find(|holder| holder.run_id == provisional) {
            holder.run_id = run_id;
        }
    }

    fn keep_first(&mut self) {
        if self.first.len() > MOST_KEPT {
            self.first.truncate(MOST_KEPT);
            self.are_all = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::domain::capacity::factor::Factor;

    fn holder(run_id: i64, millionths: i64) -> Holder {
        Holder {
            run_id: RunId(run_id),
            test: "test".to_owned(),
            triggered_by: "somebody".to_owned(),
            factor: Factor::from_millionths(millionths),
            start_time: Timestamp::UNIX_EPOCH,
            expected_seconds: None,
        }
    }

    proptest! {
        /// Whoever is named is named in the order in which all would be.
        #[test]
        fn what_is_known_is_always_the_beginning_of_all(
            sizes in vec(1i64..9, 0..12), known in 0usize..12, changes in vec((any::<bool>(), 1i64..9, 0usize..20), 0..30),
        ) {
            let mut all: Vec<Holder> = sizes.iter().zip(1..).map(|(size, run_id)| holder(run_id, *size)).collect();
            all.sort_by_key(holder_order);
            let mut holders = Holders::new(all.iter().take(known).cloned().collect(), all.len() as i64);
            for (number, (starts, size, index)) in changes.into_iter().enumerate() {
                if starts {
                    let new = holder(100 + number as i64, size);
                    all.push(new.clone());
                    all.sort_by_key(holder_order);
                    holders.add(new);
                } else if !all.is_empty() {
                    holders.remove(all.remove(index % all.len()).run_id);
                }
                prop_assert_eq!(holders.first(usize::MAX), &all[..holders.len()]);
                prop_assert!(!holders.are_all || holders.len() == all.len());
            }
        }
    }
}
