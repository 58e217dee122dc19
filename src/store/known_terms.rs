//! Remembers which search terms the database has, so that they are not written again.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use crate::domain::execution::{Execution, Registration, RunId};
use crate::domain::history::{SearchField, fold_case};

/// Past this many the memory is emptied: writing a term again costs time, never correctness.
const MOST_REMEMBERED: usize = 50_000;

#[derive(Debug, Default)]
pub struct KnownTerms(Mutex<HashSet<(SearchField, String)>>);

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

impl KnownTerms {
    /// The terms of these registrations that the database may not have yet, sorted, so that two
    /// replicas write them in the same order and cannot wait for each other in a circle.
    pub fn unknown(&self, registrations: &[Registration]) -> Vec<Term> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut unknown: Vec<Term> = terms(registrations)
            .filter(|(field, term)| !known.contains(&(*field, term.clone())))
            .map(|(field, text)| Term::new(field, &text))
            .collect();
        unknown.sort();
        unknown.dedup();
        unknown
    }

    /// To be called once the transaction that wrote them is committed.
    pub fn remember(&self, registrations: &[Registration]) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for term in terms(registrations) {
            if known.len() >= MOST_REMEMBERED {
                known.clear();
            }
            known.insert(term);
        }
    }
}

fn terms(registrations: &[Registration]) -> impl Iterator<Item = (SearchField, String)> {
    registrations.iter().flat_map(|registration| {
        // The run_id and the time do not matter here; the fields are read as a list reads them.
        let execution = Execution::started(registration, RunId(0), jiff::Timestamp::UNIX_EPOCH);
        SearchField::ALL.into_iter().filter_map(move |field| Some((field, field.of(&execution)?.to_owned())))
    })
}
