//! What must be true whatever happens: one file per invariant or family of them.
//!
//! `reads` and `covers` watch while the history runs; `roots`, `logs`, `live` and `listing` read the
//! bucket after it.

mod covers;
mod listing;
mod live;
mod logs;
mod reads;
mod roots;

use std::fmt;

use skald_compactor::FoldSummary;

pub(crate) use covers::Covers;
pub(crate) use reads::Reads;

use crate::world::World;

/// An invariant that a history broke.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Its name, as in `docs/format/catalog.md`.
    pub invariant: &'static str,
    /// What was seen.
    pub detail: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.invariant, self.detail)
    }
}

/// What has been watched so far.
#[derive(Default)]
pub(crate) struct Checks {
    pub(crate) reads: Reads,
    pub(crate) covers: Covers,
    pub(crate) fenced: usize,
    pub(crate) unflushed: usize,
    pub(crate) generations: u64,
    pub(crate) last_fold: Option<Result<FoldSummary, String>>,
}

/// The verdict: the first violation seen while the history ran, or found in the bucket after it.
pub(crate) async fn at_the_end(world: &World, lists: u64) -> Result<(), Violation> {
    {
        let checks = world.checks.borrow();
        checks.reads.verdict()?;
        checks.covers.verdict()?;
        if checks.unflushed > 0 {
            let detail = format!("{} ingesters could not flush though nothing is wrong any more", checks.unflushed);
            return Err(Violation { invariant: "FlushTerminates", detail });
        }
        if let Some(Err(error)) = &checks.last_fold {
            return Err(Violation { invariant: "FoldTerminates", detail: error.clone() });
        }
    }
    listing::check(lists, world.starts.get())?;
    let roots = roots::check(&world.truth).await?;
    logs::check(&world.truth, roots.last()).await?;
    live::check(&world.truth, &roots).await?;
    world.checks.borrow_mut().generations = roots.len() as u64;
    Ok(())
}
