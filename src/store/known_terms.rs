//! Remembers which search terms the database has, so that they are not written again.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use crate::domain::execution::Execution;
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
    /// The terms of these executions that the database may not have yet, sorted, so that two
    /// replicas write them in the same order and cannot wait for each other in a circle.
    pub fn unknown<'run>(&self, executions: impl Iterator<Item = &'run Execution>) -> Vec<Term> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut unknown: Vec<Term> = terms(executions)
            .filter(|(field, term)| !known.contains(&(*field, term.clone())))
            .map(|(field, text)| Term::new(field, &text))
            .collect();
        unknown.sort();
        unknown.dedup();
        unknown
    }

    /// After an error the database may be another than before, such as one that was restored.
    pub fn forget(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// To be called once the transaction that wrote them is committed.
    pub fn remember<'run>(&self, executions: impl Iterator<Item = &'run Execution>) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for term in terms(executions) {
            if known.len() >= MOST_REMEMBERED {
                known.clear();
            }
            known.insert(term);
        }
    }
}

fn terms<'run>(executions: impl Iterator<Item = &'run Execution>) -> impl Iterator<Item = (SearchField, String)> {
    executions.flat_map(|execution| {
        SearchField::ALL.into_iter().filter_map(|field| Some((field, field.of(execution)?.to_owned())))
    })
}
