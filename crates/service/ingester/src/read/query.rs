//! Rows for a querier, in parts.

use std::sync::Arc;

use futures::StreamExt;
use skald_logql::{Pipeline, parse_log_selector};
use skald_model::{Direction, Rows};
use skald_segment::RowSource;
use skald_wire::{RpcError, api::RpcStream, pb};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use super::{Wanted, limited::limited, sorted};
use crate::{service::Shared, tables::Snapshot};

/// Bytes of lines and metadata in one part, as far as rows allow: parts are decoded whole.
const PART_BYTES: usize = 1 << 20;
/// Rows in one part.
const PART_ROWS: usize = 1 << 16;
/// Parts made ahead of a slow caller.
const PARTS_AHEAD: usize = 4;

type Part = Result<pb::QueryRowsPart, RpcError>;

/// Answers a query; the first part carries the commit vector and no rows.
pub(crate) async fn query(
    shared: &Arc<Shared>,
    request: pb::QueryRows,
) -> Result<RpcStream<pb::QueryRowsPart>, RpcError> {
    let selection =
        request.selection.as_ref().ok_or_else(|| RpcError::Invalid("a query without a selection".into()))?;
    let wanted = Wanted::parse(selection)?;
    let mut filter = filter_of(&request.query)?;
    let room = shared.query_room().await?;
    let snapshot = shared.tables.snapshot();
    let (parts, receiver) = mpsc::channel::<Part>(PARTS_AHEAD);
    let need = pb::QueryRowsPart { need: Some((&snapshot.need).into()), rows: bytes::Bytes::new() };
    tokio::task::spawn_blocking(move || {
        let _room = room;
        // A failed send means that the caller has gone away: nothing is left to do.
        if parts.blocking_send(Ok(need)).is_err() {
            return;
        }
        if let Err(error) = produce(&snapshot, &wanted, filter.as_mut(), &request, &parts) {
            let _ = parts.blocking_send(Err(error));
        }
    });
    Ok(ReceiverStream::new(receiver).boxed())
}

/// The stages that rows must pass; `None` when all do.
fn filter_of(query: &str) -> Result<Option<Pipeline>, RpcError> {
    if query.is_empty() {
        return Ok(None);
    }
    let log = parse_log_selector(query).map_err(|e| RpcError::Invalid(e.to_string()))?;
    Pipeline::compile(&log).map(Some).map_err(|e| RpcError::Invalid(e.to_string()))
}

/// Those of `rows` that pass the filter.
pub(crate) fn select_rows(rows: Rows, filter: Option<&mut Pipeline>, scratch: &mut Vec<u32>) -> Result<Rows, RpcError> {
    let Some(filter) = filter else { return Ok(rows) };
    filter.select(&rows, scratch).map_err(|e| RpcError::Invalid(e.to_string()))?;
    Ok(if scratch.len() == rows.len() { rows } else { rows.gather(scratch) })
}

fn produce(
    snapshot: &Snapshot,
    wanted: &Wanted,
    mut filter: Option<&mut Pipeline>,
    request: &pb::QueryRows,
    parts: &mpsc::Sender<Part>,
) -> Result<(), RpcError> {
    let failed = |e: crate::flush::FileError| RpcError::Internal(e.to_string());
    if request.limit > 0 {
        let direction = if request.backward { Direction::Backward } else { Direction::Forward };
        let limit = usize::try_from(request.limit).unwrap_or(usize::MAX);
        let rows = limited(snapshot, wanted, filter, limit, direction)?;
        send(&rows, parts);
        return Ok(());
    }
    let mut scratch = Vec::new();
    let mut source = sorted(snapshot, wanted).map_err(failed)?;
    while let Some(rows) = source.next().map_err(failed)? {
        let rows = select_rows(rows, filter.as_deref_mut(), &mut scratch)?;
        if !send(&rows, parts) {
            break;
        }
    }
    Ok(())
}

/// Sends rows in parts; false when the caller has gone away.
fn send(rows: &Rows, parts: &mpsc::Sender<Part>) -> bool {
    let mut start = 0;
    while start < rows.len() {
        let room = rows.lines.start(start).saturating_add(PART_BYTES);
        let fitting = rows.lines.ends()[start..].partition_point(|&end| end as usize <= room);
        let end = start + fitting.clamp(1, PART_ROWS);
        let encoded = if (start, end) == (0, rows.len()) { rows.encode() } else { rows.slice(start..end).encode() };
        if parts.blocking_send(Ok(pb::QueryRowsPart { need: None, rows: encoded })).is_err() {
            return false;
        }
        start = end;
    }
    true
}
