//! Whole ingesters over a simulated disk and a bucket in memory: what they acknowledge, serve and flush.

mod crash;
mod flush;
mod limits;
mod operate;
mod reads;

use std::{
    collections::BTreeSet,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use bytes::Bytes;
use futures::TryStreamExt;
use parking_lot::Mutex;
use prometheus_client::registry::Registry;
use skald_blob::{BlobStore, FaultStore, MemoryStore};
use skald_config::LimitsHandle;
use skald_disk::{RealDisk, SimDisk};
use skald_gossip::{Gossip, LifecyclerConfig};
use skald_limits::{Limits, LimitsTable};
use skald_model::{CommitVector, Labels, Rows, StreamBatchBuilder, Timestamp};
use skald_ring::{INGESTER_RING, RingConfig};
use skald_segment::{Columns, Directory, Located, SectionIndex, plan_read};
use skald_wal::SyncMode;
use skald_wire::{RpcError, api::IngesterApi, pb};
use tokio_util::sync::CancellationToken;

use crate::{Ingester, IngesterError, IngesterParts, Settings};

/// Stream, timestamp, line.
type Row = (String, i64, String);

/// What survives the lives of an ingester, and how the next one is made.
struct World {
    disk: SimDisk,
    temp: tempfile::TempDir,
    memory: Arc<MemoryStore>,
    store: Arc<FaultStore>,
    now_ns: Arc<AtomicI64>,
    disk_used: Arc<Mutex<f64>>,
    limits: Limits,
    memtable_bytes: u64,
    frozen_bytes_max: u64,
    unregister: bool,
    lives: AtomicU64,
    terminate: CancellationToken,
    registry: Mutex<Registry>,
    gossip: Mutex<Option<Gossip>>,
}

impl World {
    fn new(seed: u64) -> World {
        let memory = Arc::new(MemoryStore::new());
        World {
            disk: SimDisk::new(seed),
            temp: tempfile::tempdir().unwrap(),
            store: Arc::new(FaultStore::new(memory.clone(), seed)),
            memory,
            now_ns: Arc::new(AtomicI64::new(1_000_000_000_000)),
            disk_used: Arc::new(Mutex::new(0.1)),
            limits: Limits { max_global_streams_per_user: 0, ..Limits::default() },
            memtable_bytes: 64 << 20,
            frozen_bytes_max: 1 << 30,
            unregister: true,
            lives: AtomicU64::new(0),
            terminate: CancellationToken::new(),
            registry: Mutex::new(Registry::default()),
            gossip: Mutex::new(None),
        }
    }

    async fn start(&self) -> Arc<Ingester> {
        self.try_start().await.unwrap()
    }

    async fn try_start(&self) -> Result<Arc<Ingester>, IngesterError> {
        let life = self.lives.fetch_add(1, Relaxed);
        let settings = Settings {
            wal_dir: PathBuf::from("/data/wal"),
            // A life that a test cut short may still be writing into its own.
            flush_dir: self.temp.path().join(format!("flush-{life}")),
            marker: self.temp.path().join("marker"),
            sync: SyncMode::Always,
            memtable_bytes: self.memtable_bytes,
            memtable_age: Duration::from_secs(60),
            frozen_bytes_max: self.frozen_bytes_max,
            disk_full_threshold: 0.9,
            stream_idle: Duration::from_secs(60),
            tick: Duration::from_millis(5),
            unregister_on_shutdown: self.unregister,
            shutdown_wait: Duration::from_secs(30),
        };
        let (now, used, state) = (self.now_ns.clone(), self.disk_used.clone(), Arc::new(AtomicU64::new(life << 32)));
        let millis = now.clone();
        let gossip = Gossip::in_process(Arc::new(move || millis.load(Relaxed) as u64 / 1_000_000));
        *self.gossip.lock() = Some(gossip.clone());
        let mut registry = Registry::default();
        let started = Ingester::start(IngesterParts {
            settings,
            disk: Arc::new(self.disk.clone()),
            flush_disk: Arc::new(RealDisk),
            store: self.store.clone(),
            limits: LimitsHandle::new(LimitsTable::new(self.limits.clone())),
            gossip,
            lifecycler: LifecyclerConfig {
                join_wait: Duration::ZERO,
                unregister_on_shutdown: self.unregister,
                ..LifecyclerConfig::new(INGESTER_RING, "ing-0", "127.0.0.1:9095")
            },
            ring: RingConfig { replication_factor: 1, ..RingConfig::default() },
            gateways: Arc::new(Vec::new),
            clock: Arc::new(move || now.load(Relaxed)),
            entropy: Arc::new(move || state.fetch_add(1, Relaxed).wrapping_mul(0x9E37_79B9_7F4A_7C15)),
            disk_usage: Arc::new(move || Some(*used.lock())),
            terminate: self.terminate.clone(),
            registry: &mut registry,
        })
        .await;
        *self.registry.lock() = registry;
        started
    }

    fn metrics(&self) -> String {
        let mut out = String::new();
        prometheus_client::encoding::text::encode(&mut out, &self.registry.lock()).unwrap();
        out
    }

    /// All rows of tenant `t` in the bucket.
    async fn bucket_rows(&self) -> Vec<Row> {
        let mut found = Vec::new();
        for meta in self.memory.list("log/", None, 1000).await.unwrap() {
            let object = self.memory.get(&meta.key).await.unwrap();
            if !skald_catalog::is_seal(&object) {
                found.extend(rows_of_object(&object));
            }
        }
        found
    }

    async fn bucket_keys(&self) -> Vec<String> {
        self.memory.list("log/", None, 1000).await.unwrap().into_iter().map(|m| m.key).collect()
    }
}

fn rows_of_object(object: &Bytes) -> Vec<Row> {
    let Located::Directory(directory) = Directory::locate(object, object.len() as u64).unwrap() else {
        panic!("whole")
    };
    let mut found = Vec::new();
    for entry in &directory.sections {
        let index = SectionIndex::decode(entry, &slice(object, entry.index.start, entry.index.end)).unwrap();
        let plan = plan_read(&index, &|_| true, Timestamp::MIN, Timestamp::MAX, &Columns::ALL);
        for page in plan.pages {
            let fetched: Vec<Bytes> = page.ranges.iter().map(|r| slice(object, r.start, r.end)).collect();
            found.extend(flatten(&page.decode(&fetched).unwrap()));
        }
    }
    found
}

fn slice(bytes: &Bytes, start: u64, end: u64) -> Bytes {
    bytes.slice(start as usize..end as usize)
}

fn flatten(rows: &Rows) -> Vec<Row> {
    let row = |labels: &Labels, i: usize| {
        (labels.get("app").unwrap_or_default().to_owned(), rows.timestamps[i], text(rows.lines.get(i)))
    };
    rows.streams().flat_map(|(labels, range)| range.map(move |i| row(labels, i))).collect()
}

fn text(line: &[u8]) -> String {
    String::from_utf8(line.to_vec()).unwrap()
}

fn batch(app: &str, arrival: u64, rows: &[(i64, String)]) -> Bytes {
    let mut builder = StreamBatchBuilder::with_capacity(64);
    for (timestamp, line) in rows {
        builder.push(Timestamp(*timestamp), line.as_bytes(), []);
    }
    builder.finish(&Labels::from_pairs([("app", app)]), arrival).unwrap().bytes().clone()
}

fn push_of(number: u64, batches: Vec<Bytes>) -> pb::PushBatches {
    pb::PushBatches { tenant: "t".to_owned(), distributor: "d".to_owned(), number, batches }
}

/// Pushes one line to one stream; the line is the number.
async fn push(ingester: &Ingester, number: u64) -> Result<Row, RpcError> {
    let row = (format!("app{}", number % 3), number as i64, format!("line {number}"));
    let batch = batch(&row.0, number, &[(row.1, row.2.clone())]);
    let outcome = ingester.push(push_of(number, vec![batch])).await?;
    assert!(outcome.refused.is_empty());
    Ok(row)
}

fn selection(matchers: &str, from: i64, to: i64) -> pb::Selection {
    pb::Selection { tenant: "t".to_owned(), matchers: matchers.to_owned(), from_ns: from, to_ns: to }
}

fn all() -> pb::QueryRows {
    pb::QueryRows { selection: Some(selection("{}", i64::MIN, i64::MAX)), ..pb::QueryRows::default() }
}

/// The commit vector and the rows, in their order.
async fn query(ingester: &Ingester, request: pb::QueryRows) -> Result<(CommitVector, Vec<Row>), RpcError> {
    let parts: Vec<pb::QueryRowsPart> = ingester.query(request).await?.try_collect().await?;
    let need = parts[0].need.as_ref().expect("the first part carries it");
    assert!(parts[0].rows.is_empty());
    let rows = parts[1..].iter().flat_map(|p| flatten(&Rows::decode(&p.rows).unwrap())).collect();
    Ok((need.try_into()?, rows))
}

/// What a reader of bucket and memory gets, after dropping copies, which may be in both; fails when
/// memory or one object holds a row twice.
async fn read_everything(world: &World, ingester: &Ingester) -> BTreeSet<Row> {
    let (_, memory) = query(ingester, all()).await.unwrap();
    let distinct: BTreeSet<Row> = memory.iter().cloned().collect();
    assert_eq!(distinct.len(), memory.len(), "a row twice in memory");
    let mut everything = distinct;
    everything.extend(world.bucket_rows().await);
    everything
}
