//! Remembers which profiles the database has, so that they are not written again.
//!
//! A profile is all that executions can be searched by, together. What it is called, its id, is
//! made of its texts; the migration that introduced it does the same in SQL.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fmt::Write;
use std::sync::{Arc, Mutex, PoisonError};

use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::domain::execution::{Details, Execution};
use crate::domain::history::{SearchField, fold_case};

/// Past this many the memory is emptied: writing a profile again costs time, never correctness.
const MOST_REMEMBERED: usize = 50_000;

#[derive(Debug, Default)]
pub struct KnownProfiles(Mutex<HashSet<Uuid>>);

/// One row of `perfreg_terms`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Term {
    pub field: &'static str,
    pub text: String,
    pub folded: String,
}

impl Term {
    #[must_use]
    pub fn new(field: SearchField, text: &str) -> Self {
        Self { field: field.as_str(), text: text.to_owned(), folded: fold_case(text) }
    }
}

/// Rows that the database may not have yet, sorted, so that two replicas write them in the same
/// order and cannot wait for each other in a circle.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unknown {
    pub profiles: Vec<(Uuid, Arc<Details>)>,
    /// A new term only comes with a new profile.
    pub terms: Vec<Term>,
}

/// The profiles of some executions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Profiles {
    /// In the order of the executions.
    pub ids: Vec<Uuid>,
    pub unknown: Unknown,
}

impl KnownProfiles {
    pub fn of(&self, executions: &[&Execution]) -> Profiles {
        let ids: Vec<Uuid> =
            executions.iter().map(|run| profile_id(SearchField::ALL.map(|field| field.of(&run.details)))).collect();
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let unknown: BTreeMap<Uuid, Arc<Details>> = ids
            .iter()
            .zip(executions)
            .filter(|(id, _)| !known.contains(id))
            .map(|(id, run)| (*id, Arc::clone(&run.details)))
            .collect();
        drop(known);
        let terms: BTreeSet<Term> = unknown.values().flat_map(|details| terms(details)).collect();
        let unknown = Unknown { profiles: unknown.into_iter().collect(), terms: terms.into_iter().collect() };
        Profiles { ids, unknown }
    }

    /// After an error the database may be another than before, such as one that was restored.
    pub fn forget(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// To be called once the transaction that wrote them is committed.
    pub fn remember(&self, written: &Unknown) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (id, _) in &written.profiles {
            if known.len() >= MOST_REMEMBERED {
                known.clear();
            }
            known.insert(*id);
        }
    }
}

fn terms(details: &Details) -> impl Iterator<Item = Term> {
    SearchField::ALL.into_iter().filter_map(|field| Some(Term::new(field, field.of(details)?)))
}

/// Each text stands behind its length, so that no two lists of texts are written alike.
#[must_use]
pub fn profile_id(texts: [Option<&str>; 8]) -> Uuid {
    let mut spelled = String::new();
    for text in texts {
        // Writing into a String does not fail.
        let _ = match text {
            Some(text) => write!(spelled, "{}:{text}", text.len()),
            None => write!(spelled, "-"),
        };
    }
    let hash = Sha256::digest(spelled);
    Uuid::from_bytes(std::array::from_fn(|index| hash[index]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_texts_make_another_profile() {
        let all = |location| [Some("a"), Some("b"), Some(""), Some(""), Some(""), Some(""), Some(""), location];
        let mut moved = all(None);
        (moved[0], moved[1]) = (Some("ab"), Some(""));
        let ids = [profile_id(all(None)), profile_id(all(Some(""))), profile_id(all(Some("-"))), profile_id(moved)];
        assert_eq!(HashSet::from(ids).len(), ids.len());
    }

    #[test]
    fn the_id_of_a_profile_never_changes() {
        // printf 1:r1:l1:s1:t1:k1:e1:u- | sha256sum | cut -c 1-32
        let mut texts = ["r", "l", "s", "t", "k", "e", "u", ""].map(Some);
        texts[7] = None;
        assert_eq!(profile_id(texts).simple().to_string(), "68be6be91430bd9918b5ca1d324117b4");
    }
}
