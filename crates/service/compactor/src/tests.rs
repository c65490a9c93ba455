use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use axum::{body::Body, http::Request, http::StatusCode};
use prometheus_client::registry::Registry;
use skald_blob::{BlobStore, MemoryStore};
use skald_catalog::{Catalog, Content, FlushBody, FlushOutcome, LogObject, RootCursor};
use skald_model::{Labels, LogPosition, Rows, RowsBuilder, TenantId, Timestamp, Writer};
use skald_ring::{INGESTER_RING, Instance, RingConfig, Rings, State};
use skald_segment::{
    Columns, CommitInfo, Level, ObjectWriter, SectionIndex, SectionKey, WriterOptions, plan_read, sort_rows,
};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use crate::{Compactor, CompactorConfig, CompactorParts};

const WINDOW_NS: i64 = 1000;

/// tenant, stream, timestamp, arrival, line
type Line = (&'static str, &'static str, i64, u64, String);

struct Cluster {
    store: Arc<dyn BlobStore>,
    catalog: Catalog,
    rings: watch::Sender<Arc<Rings>>,
    seconds: Arc<AtomicU64>,
}

impl Cluster {
    fn new() -> Self {
        let store: Arc<dyn BlobStore> = Arc::new(MemoryStore::new());
        let catalog = Catalog::new(store.clone(), 0);
        Self { store, catalog, rings: watch::Sender::new(Arc::default()), seconds: Arc::default() }
    }

    /// A compactor that folds when asked only.
    fn compactor(&self) -> Arc<Compactor> {
        let seconds = self.seconds.clone();
        let next = AtomicU64::new(1);
        let parts = CompactorParts {
            config: CompactorConfig { interval: Duration::from_secs(3600), ..CompactorConfig::default() },
            instance_id: "c".into(),
            store: self.store.clone(),
            wall_clock: Arc::new(|| 1_800_000_000_000_000_000),
            clock: Arc::new(move || Duration::from_secs(seconds.load(Ordering::Relaxed))),
            ids: Arc::new(move || u128::from(next.fetch_add(1, Ordering::Relaxed))),
            rings: self.rings.subscribe(),
            ring_config: RingConfig::default(),
            announce: Arc::new(|_, _| {}),
            gateways: Arc::new(|_| unreachable!("no gateway is in the ring")),
            shutdown: CancellationToken::new(),
        };
        Compactor::start(parts, &mut Registry::default())
    }

    async fn flush(&self, id: &str, seq: u64, lines: &[Line]) {
        let position = LogPosition { writer: Writer::new(id).unwrap(), seq };
        let mut groups: BTreeMap<SectionKey, RowsBuilder> = BTreeMap::new();
        for (tenant, app, timestamp, arrival, line) in lines {
            let key = SectionKey {
                shard: 0,
                tenant: TenantId::new(tenant).unwrap(),
                window_start: Timestamp(timestamp.div_euclid(WINDOW_NS) * WINDOW_NS),
                window_len: WINDOW_NS as u64,
            };
            let labels = Labels::from_pairs([("app", app)]);
            groups.entry(key).or_default().push(&labels, Timestamp(*timestamp), *arrival, line.as_bytes(), []);
        }
        let mut object = ObjectWriter::new(Vec::new(), WriterOptions::default()).unwrap();
        for (key, rows) in groups {
            let sources = [(position.writer.clone(), seq)].into_iter().collect();
            object.begin_section(key, Level::FLUSHED, 1, sources).unwrap();
            sort_rows(vec![rows.finish()]).for_each(|rows| object.push(&rows).unwrap());
        }
        let commit = CommitInfo { position: position.clone(), flush_id: 7, row_hash: 0, receipts: Vec::new() };
        let (body, _) = object.finish(Some(commit)).unwrap();
        self.catalog.register_writer(&position.writer).await.unwrap();
        let outcome = self.catalog.commit_flush(&position.writer, seq, 7, FlushBody::Bytes(body.into())).await;
        assert_eq!(outcome.unwrap(), FlushOutcome::Committed);
    }

    async fn content(&self) -> Arc<Content> {
        let mut cursor = RootCursor::new(self.catalog.clone(), Arc::new(|| Duration::ZERO), Duration::from_secs(9));
        cursor.refresh().await.unwrap().clone()
    }

    /// Every folded row as `tenant app timestamp line`, section by section.
    async fn folded(&self) -> Vec<Vec<String>> {
        let content = self.content().await;
        let mut sections = Vec::new();
        for entry in content.entries() {
            let bytes = self.store.get_range(&entry.object, entry.section.index.clone()).await.unwrap();
            let index = SectionIndex::decode(&entry.section, &bytes).unwrap();
            let mut lines = Vec::new();
            for page in plan_read(&index, &|_| true, Timestamp::MIN, Timestamp::MAX, &Columns::ALL).pages {
                let fetched = self.store.get_ranges(&entry.object, &page.ranges).await.unwrap();
                lines.extend(show(entry.tenant(), &page.decode(&fetched).unwrap()));
            }
            sections.push(lines);
        }
        sections
    }
}

fn show(tenant: &TenantId, rows: &Rows) -> Vec<String> {
    let mut out = Vec::new();
    for (labels, range) in rows.streams() {
        for i in range {
            let line = String::from_utf8_lossy(rows.lines.get(i)).into_owned();
            out.push(format!("{tenant} {} {} {line}", labels.get("app").unwrap(), rows.timestamps[i]));
        }
    }
    out
}

#[tokio::test]
async fn copies_become_one_row_per_tenant_and_window() {
    let cluster = Cluster::new();
    let line = |tenant, app, timestamp, arrival, text: &str| (tenant, app, timestamp, arrival, text.to_owned());
    let (one, two) = (line("t", "x", 10, 1, "one"), line("t", "x", 10, 2, "two"));
    let (late, other) = (line("t", "x", -5, 3, "late"), line("u", "y", 10, 1, "other"));
    let retry = line("t", "x", 10, 9, "one");
    cluster.flush("a", 1, &[one.clone(), two.clone(), other.clone()]).await;
    cluster.flush("b", 1, &[two.clone(), one.clone(), late.clone()]).await;
    cluster.flush("b", 2, &[other, retry]).await;
    let compactor = cluster.compactor();
    let summary = compactor.run_now().await.unwrap();
    assert_eq!((summary.folds, summary.objects, summary.sections, summary.generation), (1, 3, 3, 1));
    assert_eq!((summary.rows, summary.duplicates), (8, 4));
    let expect = [vec!["t x -5 late"], vec!["t x 10 one", "t x 10 two"], vec!["u y 10 other"]];
    assert_eq!(cluster.folded().await, expect);
    let content = cluster.content().await;
    let objects: Vec<_> = content.entries().map(|entry| entry.object.clone()).collect();
    assert!(objects.windows(2).all(|w| w[0] == w[1]), "small sections share an object: {objects:?}");
    let sources: Vec<_> = content.entries().map(|entry| entry.section.sources.len()).collect();
    assert_eq!(sources, [1, 2, 2]);
    assert_eq!(compactor.run_now().await.unwrap().folds, 0, "nothing is left to do");
    compactor.shutdown().await;
    assert!(compactor.run_now().await.is_err());
}

#[tokio::test]
async fn a_window_larger_than_a_slice_is_folded_in_order() {
    let cluster = Cluster::new();
    let filler = "x".repeat(1 << 20);
    let lines: Vec<Line> =
        (0..80u64).map(|i| ("t", "big", (i * 7 % 80) as i64, i, format!("{:02} {filler}", i * 7 % 80))).collect();
    cluster.flush("a", 1, &lines).await;
    cluster.flush("b", 1, &lines[20..]).await;
    let summary = cluster.compactor().run_now().await.unwrap();
    assert_eq!((summary.rows, summary.duplicates), (140, 60));
    let rows: Vec<String> =
        cluster.folded().await.concat().iter().map(|row| row[..row.len() - filler.len()].to_owned()).collect();
    let expect: Vec<String> = (0..80).map(|i| format!("t big {i} {i:02} ")).collect();
    assert_eq!(rows, expect);
}

#[tokio::test]
async fn whoever_comes_second_starts_over() {
    let cluster = Cluster::new();
    let (first, second) = (cluster.compactor(), cluster.compactor());
    for seq in 1..=4 {
        cluster.flush("a", seq, &[("t", "x", seq as i64, seq, format!("line {seq}"))]).await;
        let (a, b) = tokio::join!(first.run_now(), second.run_now());
        assert_eq!(a.unwrap().folds + b.unwrap().folds, 1, "an object is folded once");
    }
    assert_eq!(cluster.content().await.root().generation, 4);
    assert_eq!(cluster.folded().await.concat().len(), 4);
}

#[tokio::test]
async fn logs_of_writers_that_left_are_sealed_after_a_while() {
    let cluster = Cluster::new();
    cluster.flush("gone", 1, &[("t", "x", 1, 1, "line".into())]).await;
    cluster.flush("here", 1, &[("t", "x", 1, 1, "line".into())]).await;
    let compactor = cluster.compactor();
    compactor.run_now().await.unwrap();
    cluster.rings.send_modify(|rings| {
        let mut instance = Instance::new(INGESTER_RING, "i", "i:1");
        instance.state = State::Active;
        instance.writer = Writer::new("here");
        Arc::make_mut(rings).update(INGESTER_RING, instance, 1).unwrap();
    });
    let gone = Writer::new("gone").unwrap();
    // seconds, whether the log has ended by then
    for (at, sealed) in [(10, false), (3609, false), (3610, true)] {
        cluster.seconds.store(at, Ordering::Relaxed);
        compactor.run_now().await.unwrap();
        let next = cluster.catalog.log_object(&gone, 2).await.unwrap();
        assert_eq!(matches!(next, Some(LogObject::Seal)), sealed, "at {at}");
    }
    let root = cluster.content().await.root().clone();
    assert!(root.ended.contains(&gone) && root.ended.len() == 1);
    assert_eq!(root.consumed.get(&gone), 2);
}

#[tokio::test]
async fn the_route_answers_what_was_done() {
    let cluster = Cluster::new();
    let compactor = cluster.compactor();
    let post = || Request::post("/compactor/run").body(Body::empty()).unwrap();
    let status = compactor.router().oneshot(post()).await.unwrap().status();
    assert_eq!(status, StatusCode::NO_CONTENT);
    cluster.flush("a", 1, &[("t", "x", 1, 1, "line".into())]).await;
    let response = compactor.router().oneshot(post()).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    let body = axum::body::to_bytes(response.into_body(), 1000).await.unwrap();
    let text = String::from_utf8(body.to_vec()).unwrap();
    assert!(text.contains(r#""folds":1"#) && text.contains(r#""generation":1"#), "{text}");
}
