//! Ingesters and a gateway that hold what a test gives them.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt;
use parking_lot::Mutex;
use prometheus_client::registry::Registry;
use skald_blob::{BlobStore, MemoryStore};
use skald_cache::{MemoryCache, MemoryConfig};
use skald_config::LimitsHandle;
use skald_model::{CommitVector, Labels, Rows, RowsBuilder, TenantId, Timestamp, Writer};
use skald_ring::{INDEX_GATEWAY_RING, INGESTER_RING, Instance, RingConfig, Rings, State};
use skald_segment::{Arrivals, Level, ObjectWriter, SectionEntry, SectionKey, WriterOptions, sort_rows};
use skald_wire::{
    RpcError,
    api::{GatewayApi, IngesterApi, RpcStream},
    labels_from_bytes, labels_to_bytes,
    pb::{self, query_task::Task, task_outcome::Outcome},
};
use tokio::sync::{mpsc, watch};
use tokio_stream::wrappers::ReceiverStream;

use crate::{cluster::Cluster, fetch::Fetcher, metrics::Metrics, querier::Querier};

pub(super) const SECOND: i64 = 1_000_000_000;
/// The beginning of a window of two hours.
pub(super) const WINDOW: i64 = 1_699_992_000 * SECOND;
const WINDOW_LEN: i64 = 7_200 * SECOND;
const TENANT: &str = "t";
const INGESTERS: usize = 3;

/// Where a copy of a row is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Place {
    /// In the memory of an ingester.
    Memory(usize),
    /// In the flushed object of an ingester.
    Flushed(usize),
    /// In the folded segment.
    Folded,
}

#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) app: String,
    pub(super) time: i64,
    pub(super) arrival: u64,
    pub(super) line: String,
}

pub(super) fn row(app: &str, time: i64, arrival: u64, line: &str) -> Row {
    Row { app: app.into(), time, arrival, line: line.into() }
}

fn to_rows<'a>(rows: impl IntoIterator<Item = &'a Row>) -> Rows {
    let mut builder = RowsBuilder::new();
    for row in rows {
        let labels = Labels::from_pairs([("app", row.app.as_str())]);
        // Some rows have metadata, by their arrival.
        let metadata = (row.arrival % 4 == 1).then_some(("trace", &b"1"[..]));
        builder.push(&labels, Timestamp(row.time), row.arrival, row.line.as_bytes(), metadata);
    }
    sort_rows(vec![builder.finish()]).into_rows()
}

fn writer(i: usize) -> Writer {
    Writer::new(&format!("w{i}")).unwrap()
}

const ALIVE: u8 = 0;
const DEAD: u8 = 1;
const BREAKS: u8 = 2;

struct FakeIngester {
    rows: Rows,
    need: CommitVector,
    mode: AtomicU8,
    /// Where live rows go once somebody tails.
    tails: Mutex<Vec<mpsc::Sender<Result<pb::TailPart, RpcError>>>>,
}

impl FakeIngester {
    fn check(&self) -> Result<(), RpcError> {
        if self.mode.load(Ordering::Relaxed) == DEAD { Err(RpcError::Unavailable("dead".into())) } else { Ok(()) }
    }

    /// Rows of the selection, sorted.
    fn select(&self, selection: &pb::Selection) -> Rows {
        if selection.tenant != TENANT {
            return Rows::default();
        }
        let matchers = skald_logql::parse_matchers_allow_empty(&selection.matchers).unwrap();
        let mut chosen = Vec::new();
        for (labels, range) in self.rows.streams() {
            if matchers.iter().all(|m| m.matches(labels)) {
                let inside = |i: &usize| (selection.from_ns..selection.to_ns).contains(&self.rows.timestamps[*i]);
                chosen.extend(range.filter(inside).map(|i| i as u32));
            }
        }
        self.rows.gather(&chosen)
    }
}

#[async_trait]
impl IngesterApi for FakeIngester {
    async fn push(&self, _: pb::PushBatches) -> Result<pb::PushOutcome, RpcError> {
        Err(RpcError::Invalid("not here".into()))
    }

    async fn query(&self, request: pb::QueryRows) -> Result<RpcStream<pb::QueryRowsPart>, RpcError> {
        self.check()?;
        let rows = self.select(&request.selection.unwrap());
        let mut parts =
            vec![Ok(pb::QueryRowsPart { need: Some(pb::CommitVector::from(&self.need)), rows: Bytes::new() })];
        // Several parts, so that streams go on from one to the next.
        for start in (0..rows.len()).step_by(100) {
            let part = rows.slice(start..(start + 100).min(rows.len()));
            parts.push(Ok(pb::QueryRowsPart { need: None, rows: part.encode() }));
        }
        if self.mode.load(Ordering::Relaxed) == BREAKS {
            parts.truncate(2);
            parts.push(Err(RpcError::Unavailable("connection lost".into())));
        }
        Ok(futures::stream::iter(parts).boxed())
    }

    async fn streams(&self, selection: pb::Selection) -> Result<pb::StreamsAnswer, RpcError> {
        self.check()?;
        let rows = self.select(&selection);
        let info = |(labels, range): (&Labels, std::ops::Range<usize>)| pb::StreamInfo {
            labels: labels_to_bytes(labels),
            rows: range.len() as u64,
            bytes: range.clone().map(|i| rows.lines.get(i).len() as u64).sum(),
            min_ns: rows.timestamps[range.start],
            max_ns: rows.timestamps[range.end - 1],
        };
        let streams = rows.streams().map(info).collect();
        Ok(pb::StreamsAnswer { need: Some(pb::CommitVector::from(&self.need)), streams })
    }

    async fn bounds(&self, _: pb::BoundsRequest) -> Result<pb::BoundsAnswer, RpcError> {
        self.check()?;
        let range = self.rows.time_range();
        Ok(pb::BoundsAnswer {
            need: Some(pb::CommitVector::from(&self.need)),
            any: range.is_some(),
            min_ns: range.map_or(0, |r| r.0.0),
            max_ns: range.map_or(0, |r| r.1.0),
        })
    }

    async fn tail(&self, _: pb::TailRequest) -> Result<RpcStream<pb::TailPart>, RpcError> {
        self.check()?;
        let (sender, parts) = mpsc::channel(16);
        self.tails.lock().push(sender);
        Ok(ReceiverStream::new(parts).boxed())
    }
}

#[derive(Default)]
struct GatewayFaults {
    /// Answers with an object that is not there; `None`: always.
    vanished: Option<u32>,
    vanished_always: bool,
    /// Shows only flushed objects that the need names.
    lags: bool,
    /// Never covers anything.
    stuck: bool,
}

struct FakeSection {
    section: pb::SectionRef,
    entry: SectionEntry,
    /// Of a flushed object.
    position: Option<(Writer, u64)>,
}

#[derive(Default)]
struct FakeGateway {
    sections: Vec<FakeSection>,
    faults: Mutex<GatewayFaults>,
}

#[async_trait]
impl GatewayApi for FakeGateway {
    async fn view(&self, request: pb::ViewRequest) -> Result<pb::ViewAnswer, RpcError> {
        let mut faults = self.faults.lock();
        let need = CommitVector::try_from(&request.need.unwrap())?;
        let mut sections = Vec::new();
        for FakeSection { section, entry, position } in &self.sections {
            let shown = !faults.lags || position.as_ref().is_none_or(|(writer, seq)| need.get(writer) >= *seq);
            let inside = entry.overlaps(Timestamp(request.from_ns), Timestamp(request.to_ns));
            if shown && inside && entry.key.tenant.as_str() == request.tenant {
                sections.push(section.clone());
            }
        }
        if faults.vanished_always || faults.vanished.take().is_some() {
            sections.iter_mut().for_each(|s| s.object = format!("gone/{}", s.object));
        }
        let covers = if faults.stuck { CommitVector::new() } else { need };
        Ok(pb::ViewAnswer { sections, generation: 1, covers: Some(pb::CommitVector::from(&covers)) })
    }

    async fn committed(&self, _: pb::CommitNotice) -> Result<(), RpcError> {
        Ok(())
    }

    async fn rooted(&self, _: pb::RootNotice) -> Result<(), RpcError> {
        Ok(())
    }

    async fn seen(&self) -> Result<pb::CommitVector, RpcError> {
        Ok(pb::CommitVector::default())
    }
}

/// Three ingesters, a gateway, a bucket and a querier.
pub(super) struct World {
    pub(super) querier: Arc<Querier>,
    ingesters: Vec<Arc<FakeIngester>>,
    gateway: Arc<FakeGateway>,
}

impl World {
    pub(super) async fn new(rows: &[(Row, Vec<Place>)]) -> Self {
        let store = Arc::new(MemoryStore::new());
        let mut by_place: BTreeMap<Place, Vec<&Row>> = BTreeMap::new();
        for (row, places) in rows {
            places.iter().for_each(|place| by_place.entry(*place).or_default().push(row));
        }
        let mut gateway = FakeGateway::default();
        let mut ingesters = Vec::new();
        for i in 0..INGESTERS {
            let flushed = by_place.get(&Place::Flushed(i));
            let mut need = CommitVector::new();
            if let Some(rows) = flushed {
                need.raise(&writer(i), 1);
                let position = Some((writer(i), 1));
                put(&store, &mut gateway, &format!("log/w{i}/{:020}", 1), &need, Level::FLUSHED, position, rows).await;
            }
            let memory = by_place.get(&Place::Memory(i)).map(|rows| to_rows(rows.iter().copied())).unwrap_or_default();
            ingesters.push(Arc::new(FakeIngester {
                rows: memory,
                need,
                mode: AtomicU8::new(ALIVE),
                tails: Mutex::default(),
            }));
        }
        if let Some(rows) = by_place.get(&Place::Folded) {
            let sources = [(writer(0), 1)].into_iter().collect();
            put(&store, &mut gateway, "seg/0/20231114/x", &sources, Level::FOLDED, None, rows).await;
        }
        let gateway = Arc::new(gateway);
        let querier = Arc::new(querier(store, &ingesters, &gateway));
        Self { querier, ingesters, gateway }
    }

    pub(super) fn kill(&self, ingester: usize) {
        self.ingesters[ingester].mode.store(DEAD, Ordering::Relaxed);
    }

    pub(super) fn break_answers(&self, ingester: usize) {
        self.ingesters[ingester].mode.store(BREAKS, Ordering::Relaxed);
    }

    pub(super) fn answer_once_with_vanished_object(&self) {
        self.gateway.faults.lock().vanished = Some(1);
    }

    pub(super) fn answer_always_with_vanished_object(&self) {
        self.gateway.faults.lock().vanished_always = true;
    }

    pub(super) fn gateway_lags(&self) {
        self.gateway.faults.lock().lags = true;
    }

    pub(super) fn gateway_cannot_catch_up(&self) {
        self.gateway.faults.lock().stuck = true;
    }

    /// Gives a live row to everybody who tails an ingester.
    pub(super) async fn tell(&self, ingester: usize, row: &Row) {
        let part = pb::TailPart { rows: to_rows([row]).encode(), dropped: 0 };
        let tails = self.ingesters[ingester].tails.lock().clone();
        for tail in tails {
            tail.send(Ok(part.clone())).await.unwrap();
        }
    }

    pub(super) async fn run(&self, task: Task) -> Outcome {
        self.run_as(TENANT, task).await
    }

    pub(super) async fn run_as(&self, tenant: &str, task: Task) -> Outcome {
        self.execute(tenant, task).await.outcome.unwrap()
    }

    pub(super) async fn stats(&self, task: Task) -> pb::TaskStats {
        self.execute(TENANT, task).await.stats.unwrap()
    }

    async fn execute(&self, tenant: &str, task: Task) -> pb::TaskOutcome {
        let task = Some(pb::QueryTask { task: Some(task) });
        let request = pb::ExecuteRequest { tenant: tenant.into(), task, request_id: String::new(), timeout_ms: 0 };
        self.querier.execute(request).await
    }
}

fn querier(store: Arc<MemoryStore>, ingesters: &[Arc<FakeIngester>], gateway: &Arc<FakeGateway>) -> Querier {
    let mut rings = Rings::new();
    let mut by_addr: HashMap<String, Arc<dyn IngesterApi>> = HashMap::new();
    for (i, ingester) in ingesters.iter().enumerate() {
        let (id, addr) = (format!("ingester-{i}"), format!("10.0.0.{i}:9095"));
        let instance =
            Instance { state: State::Active, writer: Some(writer(i)), ..Instance::new(INGESTER_RING, &id, &addr) };
        rings.update(INGESTER_RING, instance, 1_000).unwrap();
        by_addr.insert(addr, ingester.clone());
    }
    let instance = Instance { state: State::Active, ..Instance::new(INDEX_GATEWAY_RING, "gateway-0", "10.0.1.0:9095") };
    rings.update(INDEX_GATEWAY_RING, instance, 1_000).unwrap();
    let gateway: Arc<dyn GatewayApi> = gateway.clone();
    // The sender may go: the last value stays readable.
    let (_, rings) = watch::channel(Arc::new(rings));
    let cluster = Cluster {
        rings,
        ring: RingConfig::default(),
        lookback: Duration::from_secs(3_600),
        ingesters: Arc::new(move |addr: &str| by_addr[addr].clone()),
        gateways: Arc::new(move |_: &str| gateway.clone()),
        limits: LimitsHandle::default(),
        clock: Arc::new(|| 2_000_000_000),
    };
    Querier {
        id: "querier-0".into(),
        cluster: Arc::new(cluster),
        fetcher: Arc::new(Fetcher::new(store, Arc::new(MemoryCache::new(MemoryConfig::default())))),
        limits: LimitsHandle::default(),
        metrics: Metrics::new(&mut Registry::default(), 4),
    }
}

/// Writes an object with a section per window.
async fn put(
    store: &MemoryStore,
    gateway: &mut FakeGateway,
    key: &str,
    sources: &CommitVector,
    level: Level,
    position: Option<(Writer, u64)>,
    rows: &[&Row],
) {
    let keep_arrivals = if level == Level::FOLDED { Arrivals::EqualTimestamps } else { Arrivals::All };
    let options = WriterOptions { page_bytes: 512, keep_arrivals, ..WriterOptions::default() };
    let mut object = ObjectWriter::new(Vec::new(), options).unwrap();
    let mut windows: BTreeMap<i64, Vec<&Row>> = BTreeMap::new();
    rows.iter().for_each(|row| windows.entry(row.time.div_euclid(WINDOW_LEN) * WINDOW_LEN).or_default().push(row));
    for (start, rows) in windows {
        let key = SectionKey {
            shard: 0,
            tenant: TenantId::new(TENANT).unwrap(),
            window_start: Timestamp(start),
            window_len: WINDOW_LEN as u64,
        };
        object.begin_section(key, level, 1, sources.clone()).unwrap();
        object.push(&to_rows(rows)).unwrap();
    }
    let (bytes, directory) = object.finish(None).unwrap();
    store.create(key, bytes.into()).await.unwrap();
    for entry in directory.sections {
        let section =
            pb::SectionRef { object: key.to_owned(), entry: entry.encode().into(), unfolded: level == Level::FLUSHED };
        gateway.sections.push(FakeSection { section, entry, position: position.clone() });
    }
}

pub(super) fn app_of(labels: &[u8]) -> String {
    labels_from_bytes(labels).unwrap().get("app").unwrap_or("").to_owned()
}

/// `(stream, time, line)` in the order in which a client sees each stream's entries.
pub(super) fn shown(outcome: pb::LogOutcome) -> Vec<(String, i64, String)> {
    let mut all = Vec::new();
    for stream in outcome.streams {
        let app = app_of(&stream.stream);
        let text = |line: &Bytes| String::from_utf8(line.to_vec()).unwrap();
        all.extend(stream.entries.iter().map(|e| (app.clone(), e.timestamp_ns, text(&e.line))));
    }
    all
}

pub(super) fn shown_of(outcome: Outcome) -> Vec<(String, i64, String)> {
    match outcome {
        Outcome::Log(outcome) => shown(outcome),
        other => panic!("not a log outcome: {other:?}"),
    }
}

/// True when each stream's entries are ordered.
pub(super) fn in_direction(entries: &[(String, i64, String)], backward: bool) -> bool {
    let ordered = |a: i64, b: i64| if backward { a >= b } else { a <= b };
    entries.windows(2).all(|w| w[0].0 != w[1].0 || ordered(w[0].1, w[1].1))
}
