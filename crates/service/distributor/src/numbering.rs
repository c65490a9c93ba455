//! Numbers of pushes: see `skald_model::BatchId`.

use std::sync::atomic::{AtomicU64, Ordering};

use skald_model::Timestamp;

/// Hands out numbers that grow, leave room for one arrival per row, and follow the clock where it
/// runs forward, so that rows of different distributors sort about as they arrived.
#[derive(Debug, Default)]
pub(crate) struct Numbering {
    next: AtomicU64,
}

impl Numbering {
    /// A number for a push of `rows` rows; rows `0..rows` arrive as `number + row`.
    pub(crate) fn number(&self, now: Timestamp, rows: u64) -> u64 {
        let clock = u64::try_from(now.as_nanos()).unwrap_or(0).max(1);
        let update = |next: u64| Some(next.max(clock) + rows);
        let before = self.next.fetch_update(Ordering::Relaxed, Ordering::Relaxed, update);
        before.expect("the update never declines").max(clock)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_never_share_a_number() {
        let numbering = Numbering::default();
        let cases = [(100, 5, 100), (100, 1, 105), (90, 2, 106), (200, 1, 200), (-5, 1, 201)];
        for (now, rows, expect) in cases {
            assert_eq!(numbering.number(Timestamp(now), rows), expect);
        }
    }
}
