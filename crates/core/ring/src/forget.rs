//! Who may be dropped from a ring without anybody asking for it.
//!
//! A service without a log is dropped once it has been silent for a few heartbeat timeouts: it holds
//! nothing. An ingester may hold acknowledged rows that nobody else flushes; a read that no longer asks
//! it must be sure that the others have them. That holds while no more than floor(rf/2) ingesters are
//! missing with a log that was never closed ("sealed"), the already forgotten ones counted.

use crate::{Record, Rings, State};
use skald_model::Writer;
use std::{collections::BTreeSet, time::Duration};

/// Default number of heartbeat timeouts after which a silent member is gone for good: Loki's auto-forget
/// waits as long.
pub const FORGET_AFTER_TIMEOUTS: u32 = 10;

/// The rule of one ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AutoForget {
    /// Forget a member silent for longer, e.g. [`FORGET_AFTER_TIMEOUTS`] heartbeat timeouts.
    pub silent_for: Duration,
    /// The copies kept of every stream; 1 forgets no ingester with an open log at all.
    pub replication_factor: usize,
}

/// The ids to forget in `ring` at `now_ms`. `sealed` says of a writer whether its log is closed.
pub fn auto_forget(
    state: &Rings,
    ring: &str,
    now_ms: u64,
    rule: &AutoForget,
    sealed: impl Fn(&Writer) -> bool,
) -> Vec<String> {
    let silent_ms = rule.silent_for.as_millis() as u64;
    let open_log = |r: &&Record| r.instance.writer.as_ref().is_some_and(|w| !sealed(w));
    let silent: Vec<&Record> = state
        .records(ring)
        .filter(|r| r.instance.state != State::Left && now_ms.saturating_sub(r.seen_ms) > silent_ms)
        .collect();
    // A log that a registered member goes on writing is not missing, whoever else was forgotten with it.
    let held: BTreeSet<&Writer> = (state.records(ring))
        .filter(|r| r.instance.state != State::Left)
        .filter_map(|r| r.instance.writer.as_ref())
        .collect();
    let forgotten = state.records(ring).filter(|r| {
        let instance = &r.instance;
        instance.state == State::Left && instance.forgotten && !instance.writer.iter().any(|w| held.contains(w))
    });
    let missing = forgotten.filter(open_log).count() + silent.iter().copied().filter(|r| open_log(r)).count();
    let may_forget_open = missing <= rule.replication_factor / 2;
    silent.into_iter().filter(|r| may_forget_open || !open_log(r)).map(|r| r.instance.id.clone()).collect()
}
