//! The way of a push: decode, check, log, and with the log's word for it, memtable and tails.

use std::sync::Arc;

use bytes::Bytes;
use skald_model::{BatchId, StreamBatch, TenantId};
use skald_wal::{
    AppendError,
    record::{EncodedRecord, Record},
};
use skald_wire::{RpcError, pb};

use crate::{flush::blocking, service::Shared, streams::local_limit};

/// Pushes larger than this are decoded on a thread that may work; the detour costs some 20 µs, which
/// decoding 64 KiB takes as well.
const INLINE_BYTES_MAX: usize = 64 << 10;

/// A push that has passed all checks.
struct Prepared {
    tenant: TenantId,
    id: BatchId,
    batches: Vec<StreamBatch>,
    record: EncodedRecord,
    refused: Vec<pb::RefusedStream>,
}

/// Stores a push; what it answers is durable.
pub(crate) async fn push(shared: &Arc<Shared>, request: pb::PushBatches) -> Result<pb::PushOutcome, RpcError> {
    // Held to the end: a stop waits for pushes under way.
    let gate = shared.gate.read().await;
    if !*gate {
        return Err(RpcError::Unavailable("ingester is shutting down".into()));
    }
    shared.check_disk()?;
    let tenant = TenantId::new(&request.tenant).map_err(|e| RpcError::Invalid(e.to_string()))?;
    let id = BatchId { distributor: request.distributor, number: request.number };
    if shared.pushes.contains(&tenant, &id) {
        shared.metrics.repeated_pushes.inc();
        return Ok(pb::PushOutcome::default());
    }
    let bytes: usize = request.batches.iter().map(Bytes::len).sum();
    let _room = shared.room_for(bytes).await?;
    let prepared = if bytes <= INLINE_BYTES_MAX {
        prepare(shared, tenant, id, request.batches)
    } else {
        let shared = shared.clone();
        blocking(move || prepare(&shared, tenant, id, request.batches)).await
    }?;
    let Prepared { tenant, id, batches, record, refused } = prepared;
    if batches.is_empty() {
        return Ok(pb::PushOutcome { refused });
    }
    let rows: usize = batches.iter().map(StreamBatch::len).sum();
    let whole = refused.is_empty();
    let applied = shared.clone();
    let apply = move || {
        let now_ns = (applied.clock)();
        applied.tails.publish(&tenant, &batches);
        applied.tables.active().insert(&tenant, &id, batches, now_ns);
        if whole {
            applied.pushes.add(&tenant, &id);
        }
    };
    shared.wal()?.append(record, apply).await.map_err(|error| match error {
        AppendError::DiskFull | AppendError::Failed(_) | AppendError::Closed => {
            RpcError::Unavailable(error.to_string())
        }
    })?;
    shared.metrics.rows.inc_by(rows as u64);
    shared.metrics.bytes.inc_by(bytes as u64);
    Ok(pb::PushOutcome { refused })
}

fn prepare(shared: &Shared, tenant: TenantId, id: BatchId, encoded: Vec<Bytes>) -> Result<Prepared, RpcError> {
    let decoded = encoded.into_iter().map(StreamBatch::decode).collect::<Result<Vec<_>, _>>();
    let decoded = decoded.map_err(|e| RpcError::Invalid(e.to_string()))?;
    let limit = stream_limit(shared, &tenant);
    let labels = decoded.iter().map(StreamBatch::labels);
    let (admitted, created) = shared.streams.admit(&tenant, labels, limit, (shared.clock)());
    if created > 0 {
        shared.metrics.streams_created.get_or_create(&tenant.as_str().into()).inc_by(created);
    }
    let mut batches = Vec::with_capacity(decoded.len());
    let mut refused = Vec::new();
    for (i, (batch, labels)) in decoded.into_iter().zip(admitted).enumerate() {
        match labels {
            Some(labels) => batches.push(batch.with_interned_labels(labels)),
            None => refused.push(pb::RefusedStream {
                batch: i as u32,
                reason: "stream_limit".to_owned(),
                message: format!(
                    "maximum active stream limit exceeded when trying to create stream {}, reduce the number of active \
                     streams (reduce labels or reduce label values), or contact your Skald administrator to see if the \
                     limit can be increased, user: '{tenant}'",
                    batch.labels()
                ),
                status: 429,
            }),
        }
    }
    let bytes = batches.iter().map(|b| b.bytes().clone()).collect();
    let record = Record { tenant, id, batches: bytes };
    let encoded = record.encode().map_err(|e| RpcError::Invalid(e.to_string()))?;
    let Record { tenant, id, .. } = record;
    Ok(Prepared { tenant, id, batches, record: encoded, refused })
}

fn stream_limit(shared: &Shared, tenant: &TenantId) -> usize {
    let limits = shared.limits.for_tenant(tenant);
    let (healthy, replicas) = (shared.healthy_ingesters(), shared.ring.replication_factor);
    let shard = match limits.ingestion_tenant_shard_size as usize {
        0 => healthy,
        size => size.max(replicas).min(healthy),
    };
    local_limit(limits.max_global_streams_per_user, replicas, shard)
}
