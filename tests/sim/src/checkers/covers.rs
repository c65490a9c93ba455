//! VectorCovers, and views that never go backwards: each answer of a gateway covers what was asked for,
//! and stands on no older root and covers no less than its answer before.

use std::{collections::HashMap, sync::Arc};

use skald_index_gateway::IndexGateway;
use skald_model::CommitVector;

use super::Violation;

/// The last answer of each gateway.
#[derive(Default)]
pub(crate) struct Covers {
    /// By number: which instance answered, its generation and what it covered.
    last: HashMap<usize, (Arc<IndexGateway>, u64, CommitVector)>,
    first: Option<Violation>,
}

impl Covers {
    /// Gateway `i` begins with nothing in memory.
    pub(crate) fn restarted(&mut self, i: usize) {
        self.last.remove(&i);
    }

    /// Gateway `i` answered. Answers of one gateway arrive here in the order in which they were made.
    pub(crate) fn answered(
        &mut self,
        i: usize,
        gateway: &Arc<IndexGateway>,
        need: &CommitVector,
        generation: u64,
        covers: &CommitVector,
    ) {
        if !covers.covers(need) {
            self.broken("VectorCovers", format!("gateway {i} covers {covers:?} where {need:?} was needed"));
        }
        if let Some((instance, before, covered)) = self.last.get(&i)
            && Arc::ptr_eq(instance, gateway)
            && (generation < *before || !covers.covers(covered))
        {
            let detail = format!("gateway {i} went from root {before} and {covered:?} to {generation} and {covers:?}");
            self.broken("ViewIsMonotone", detail);
        }
        self.last.insert(i, (gateway.clone(), generation, covers.clone()));
    }

    pub(crate) fn verdict(&self) -> Result<(), Violation> {
        self.first.clone().map_or(Ok(()), Err)
    }

    fn broken(&mut self, invariant: &'static str, detail: String) {
        self.first.get_or_insert(Violation { invariant, detail });
    }
}
