//! What an ingester tells Prometheus. Names are Loki's where the meaning is.

use std::{fmt, sync::Arc};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric},
    metrics::{
        counter::{ConstCounter, Counter},
        family::Family,
        gauge::{ConstGauge, Gauge},
    },
    registry::Registry,
};

use crate::service::Shared;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct TenantLabel {
    tenant: String,
}

impl From<&str> for TenantLabel {
    fn from(tenant: &str) -> Self {
        Self { tenant: tenant.to_owned() }
    }
}

/// Counters that are raised where things happen.
#[derive(Default)]
pub(crate) struct Metrics {
    pub(crate) rows: Counter,
    pub(crate) bytes: Counter,
    pub(crate) repeated_pushes: Counter,
    pub(crate) streams: Family<TenantLabel, Gauge>,
    pub(crate) streams_created: Family<TenantLabel, Counter>,
    pub(crate) streams_removed: Family<TenantLabel, Counter>,
    pub(crate) flushes: Counter,
    pub(crate) flush_failures: Counter,
    pub(crate) flushed_bytes: Counter,
    pub(crate) flushed_rows: Counter,
    pub(crate) tail_dropped: Counter,
    pub(crate) corruptions: Counter,
    pub(crate) replay_active: Gauge,
    pub(crate) replay_millis: Gauge,
    pub(crate) replayed_records: Counter,
    pub(crate) disk_usage_percent: Gauge,
}

impl Metrics {
    pub(crate) fn register(registry: &mut Registry) -> Arc<Self> {
        let m = Arc::new(Self::default());
        let mut counter = |name: &str, help: &str, counter: &Counter| registry.register(name, help, counter.clone());
        counter("skald_ingester_rows_received", "Rows stored, copies included", &m.rows);
        counter("skald_ingester_bytes_received", "Encoded bytes of rows stored", &m.bytes);
        counter("skald_ingester_repeated_pushes", "Pushes that were stored already", &m.repeated_pushes);
        counter("skald_ingester_flushes", "Memtables committed to the bucket", &m.flushes);
        counter("skald_ingester_flush_failures", "Failed attempts to upload a memtable", &m.flush_failures);
        counter("skald_ingester_flushed_bytes", "Bytes of committed objects", &m.flushed_bytes);
        counter("skald_ingester_flushed_rows", "Rows in committed objects", &m.flushed_rows);
        counter("skald_ingester_tail_dropped_rows", "Rows that slow tails did not get", &m.tail_dropped);
        counter("skald_ingester_wal_replayed_records", "Records found at the start", &m.replayed_records);
        counter("loki_ingester_wal_corruptions", "Damaged places in the write-ahead log", &m.corruptions);
        registry.register("loki_ingester_memory_streams", "Active streams", m.streams.clone());
        registry.register("loki_ingester_streams_created", "Streams that became active", m.streams_created.clone());
        registry.register(
            "loki_ingester_streams_removed",
            "Streams that stopped being active",
            m.streams_removed.clone(),
        );
        registry.register("loki_ingester_wal_replay_active", "1 during replay", m.replay_active.clone());
        registry.register(
            "skald_ingester_wal_replay_milliseconds",
            "Length of the last replay",
            m.replay_millis.clone(),
        );
        registry.register("loki_ingester_wal_disk_usage_percent", "How full the disk is", m.disk_usage_percent.clone());
        m
    }
}

/// Sizes that are looked up when somebody asks.
pub(crate) struct Sizes(pub(crate) Arc<Shared>);

impl fmt::Debug for Sizes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sizes")
    }
}

impl Collector for Sizes {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        use std::sync::atomic::Ordering::Relaxed;
        let shared = &self.0;
        let active = shared.tables.active().stats();
        let frozen = shared.tables.frozen();
        let mut gauge = |name: &str, help: &str, value: u64| {
            let metric = ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX));
            metric.encode(encoder.encode_descriptor(name, help, None, metric.metric_type())?)
        };
        gauge("skald_ingester_memtable_bytes", "Bytes in the memtable being filled", active.bytes)?;
        gauge("skald_ingester_memtable_rows", "Rows in the memtable being filled", active.rows)?;
        gauge("skald_ingester_frozen_memtables", "Memtables that are not committed", frozen.len() as u64)?;
        gauge("skald_ingester_frozen_bytes", "Bytes of them in memory", frozen.iter().map(|f| f.memory_bytes()).sum())?;
        gauge("loki_ingester_flush_queue_length", "Memtables that wait for their flush", frozen.len() as u64)?;
        gauge("loki_ingester_wal_bytes_in_use", "Bytes of the write-ahead log", shared.dir.bytes())?;
        let Ok(wal) = shared.wal() else { return Ok(()) };
        let stats = wal.stats();
        let mut counter = |name: &str, help: &str, value: u64| {
            let metric = ConstCounter::new(value);
            metric.encode(encoder.encode_descriptor(name, help, None, metric.metric_type())?)
        };
        counter("loki_ingester_wal_records_logged", "Records written", stats.records.load(Relaxed))?;
        counter("skald_ingester_wal_bytes_written", "Bytes of records written", stats.bytes.load(Relaxed))?;
        counter("skald_ingester_wal_groups", "Groups of records that shared a sync", stats.groups.load(Relaxed))?;
        counter(
            "loki_ingester_wal_disk_full_failures",
            "Groups the disk had no room for",
            stats.disk_full.load(Relaxed),
        )?;
        counter("skald_ingester_wal_sync_failures", "Failed syncs of the log", stats.sync_failures.load(Relaxed))?;
        counter("skald_ingester_wal_write_failures", "Failed writes of the log", stats.write_failures.load(Relaxed))
    }
}
