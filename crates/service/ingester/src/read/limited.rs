//! The first rows in one direction of time, without sorting all of them.
//!
//! Batches are taken by how early their best row can be; a heap of the best timestamps says when no
//! further batch can add one. Of rows with equal timestamps the order (stream, arrival) decides, so
//! that every ingester cuts at the same place.

use std::collections::{BinaryHeap, HashSet};

use skald_logql::Pipeline;
use skald_model::{Direction, Rows, StreamBatch};
use skald_segment::{RowSource, sort_rows};
use skald_wire::RpcError;

use super::{Wanted, query::select_rows, select};
use crate::tables::Snapshot;

/// Rows kept beside the limit before those that fell behind are dropped.
const SLACK_ROWS: usize = 1 << 16;

/// At most `limit` wanted rows that pass `filter`: the first ones in `direction`. Sorted as all rows are.
pub(crate) fn limited(
    snapshot: &Snapshot,
    wanted: &Wanted,
    mut filter: Option<&mut Pipeline>,
    limit: usize,
    direction: Direction,
) -> Result<Rows, RpcError> {
    let failed = |e: crate::flush::FileError| RpcError::Internal(e.to_string());
    let (streams, files) = select(snapshot, wanted).map_err(failed)?;
    let mut best = Best { limit, direction, ranks: BinaryHeap::new(), seen: HashSet::new(), kept: Vec::new(), rows: 0 };
    let mut scratch = Vec::new();
    for mut pages in files {
        while let Some(rows) = pages.next().map_err(failed)? {
            best.offer(&select_rows(rows, filter.as_deref_mut(), &mut scratch)?);
        }
    }
    let mut batches: Vec<StreamBatch> = streams.into_iter().flat_map(|s| s.batches).collect();
    let rank = |batch: &StreamBatch| {
        let (min, max) = batch.time_range();
        rank(direction, if direction == Direction::Forward { min.0 } else { max.0 })
    };
    batches.sort_by_key(rank);
    for batch in batches {
        if best.worst().is_some_and(|worst| rank(&batch) > worst) {
            break;
        }
        let rows = batch.rows();
        let inside = |&i: &u32| {
            let t = rows.timestamps[i as usize];
            t >= wanted.from.0 && (t < wanted.to.0 || wanted.to.0 == i64::MAX) && best.may_enter(t)
        };
        let selection: Vec<u32> = (0..rows.len() as u32).filter(inside).collect();
        let rows = if selection.len() == rows.len() { rows } else { rows.gather(&selection) };
        best.offer(&select_rows(rows, filter.as_deref_mut(), &mut scratch)?);
    }
    Ok(best.finish())
}

/// Smaller is better.
fn rank(direction: Direction, timestamp: i64) -> i64 {
    match direction {
        Direction::Forward => timestamp,
        Direction::Backward => !timestamp,
    }
}

struct Best {
    limit: usize,
    direction: Direction,
    /// Ranks of the best distinct rows so far, the worst of them on top.
    ranks: BinaryHeap<i64>,
    /// Stream, timestamp and content of the rows counted there.
    seen: HashSet<(u64, i64, u64)>,
    kept: Vec<Rows>,
    rows: usize,
}

impl Best {
    /// The rank beyond which no row enters; `None` while there is room.
    fn worst(&self) -> Option<i64> {
        (self.ranks.len() >= self.limit).then(|| self.ranks.peek().copied()).flatten()
    }

    fn may_enter(&self, timestamp: i64) -> bool {
        self.worst().is_none_or(|worst| rank(self.direction, timestamp) <= worst)
    }

    fn offer(&mut self, rows: &Rows) {
        let mut selection = Vec::new();
        for (labels, range) in rows.streams() {
            for i in range {
                let timestamp = rows.timestamps[i];
                if !self.may_enter(timestamp) {
                    continue;
                }
                // A copy is kept too: of two copies the one that arrived first stays in the end.
                selection.push(i as u32);
                if self.seen.insert((labels.hash64(), timestamp, rows.row_hash(i))) {
                    self.ranks.push(rank(self.direction, timestamp));
                    if self.ranks.len() > self.limit {
                        self.ranks.pop();
                    }
                }
            }
        }
        if selection.is_empty() {
            return;
        }
        self.rows += selection.len();
        self.kept.push(rows.gather(&selection));
        if self.rows > self.limit.saturating_mul(2).saturating_add(SLACK_ROWS) {
            self.compact();
        }
    }

    /// Drops rows that have fallen behind.
    fn compact(&mut self) {
        let kept = std::mem::take(&mut self.kept);
        self.rows = 0;
        for rows in kept {
            let selection: Vec<u32> =
                (0..rows.len() as u32).filter(|&i| self.may_enter(rows.timestamps[i as usize])).collect();
            if !selection.is_empty() {
                self.rows += selection.len();
                self.kept.push(if selection.len() == rows.len() { rows } else { rows.gather(&selection) });
            }
        }
        let worst = self.worst();
        let direction = self.direction;
        self.seen.retain(|&(_, timestamp, _)| worst.is_none_or(|worst| rank(direction, timestamp) <= worst));
    }

    fn finish(self) -> Rows {
        let rows = sort_rows(self.kept).into_rows();
        if rows.len() <= self.limit {
            return rows;
        }
        let mut order: Vec<u32> = (0..rows.len() as u32).collect();
        // Places in sorted rows are the order of (stream, timestamp, arrival).
        order.sort_unstable_by_key(|&i| (rows.timestamps[i as usize], i));
        if self.direction == Direction::Backward {
            order.reverse();
        }
        order.truncate(self.limit);
        order.sort_unstable();
        rows.gather(&order)
    }
}
