//! NoAckedLoss and ExactlyOnceRead: every answered query returns each row that was acknowledged before it
//! began, no row twice, and no row that nobody wrote.

use std::collections::HashSet;

use super::Violation;

/// Answers seen so far.
#[derive(Default)]
pub(crate) struct Reads {
    answered: usize,
    first: Option<Violation>,
}

impl Reads {
    /// A query was answered with the rows `found`.
    pub(crate) fn answered(&mut self, must: &[u64], found: &[u64], may: impl Fn(u64) -> bool) {
        self.answered += 1;
        let distinct: HashSet<u64> = found.iter().copied().collect();
        let missing: Vec<u64> = must.iter().copied().filter(|id| !distinct.contains(id)).collect();
        if !missing.is_empty() {
            self.broken("NoAckedLoss", format!("query {} misses acknowledged rows {missing:?}", self.answered));
        }
        if distinct.len() < found.len() {
            let doubled = found.len() - distinct.len();
            self.broken("ExactlyOnceRead", format!("query {} returns {doubled} rows twice", self.answered));
        }
        if let Some(id) = distinct.into_iter().find(|&id| !may(id)) {
            self.broken("ExactlyOnceRead", format!("query {} returns row {id} of another tenant", self.answered));
        }
    }

    /// A query found no answer however often it tried.
    pub(crate) fn starved(&mut self) {
        self.broken("LiveIsPresent", format!("after {} queries, one finds no answer", self.answered));
    }

    pub(crate) fn count(&self) -> usize {
        self.answered
    }

    pub(crate) fn verdict(&self) -> Result<(), Violation> {
        self.first.clone().map_or(Ok(()), Err)
    }

    fn broken(&mut self, invariant: &'static str, detail: String) {
        self.first.get_or_insert(Violation { invariant, detail });
    }
}
