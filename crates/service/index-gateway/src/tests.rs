use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use prometheus_client::registry::Registry;
use skald_blob::{BlobStore, MemoryStore, MeteredStore, Operation};
use skald_catalog::{Catalog, Change, CommitId, Content, Entry, FlushBody, FlushOutcome, RootOutcome};
use skald_model::{CommitVector, Labels, LogPosition, RowsBuilder, TenantId, Timestamp, Writer};
use skald_ring::Rings;
use skald_segment::{CommitInfo, Directory, Level, ObjectWriter, SectionKey, WriterOptions};
use skald_wire::{RpcError, api::GatewayApi, pb};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::{GatewayConfig, GatewayParts, IndexGateway};

struct Cluster {
    store: Arc<MeteredStore>,
    catalog: Catalog,
    rings: watch::Sender<Arc<Rings>>,
}

impl Cluster {
    fn new() -> Self {
        let store = Arc::new(MeteredStore::new(Arc::new(MemoryStore::new())));
        let catalog = Catalog::new(store.clone(), 0);
        Self { store, catalog, rings: watch::Sender::new(Arc::default()) }
    }

    async fn gateway(&self) -> Arc<IndexGateway> {
        let started = std::time::Instant::now();
        let parts = GatewayParts {
            config: GatewayConfig::default(),
            store: self.store.clone(),
            clock: Arc::new(move || started.elapsed()),
            rings: self.rings.subscribe(),
            shutdown: CancellationToken::new(),
        };
        IndexGateway::start(parts, &mut Registry::default()).await.unwrap()
    }

    /// One row of each tenant of `tenants` as flushed object `seq` of `id`.
    async fn flush(&self, id: &str, seq: u64, tenants: &[&str]) -> Directory {
        let position = LogPosition { writer: Writer::new(id).unwrap(), seq };
        let mut object = ObjectWriter::new(Vec::new(), WriterOptions::default()).unwrap();
        for tenant in tenants {
            let key = SectionKey {
                shard: 0,
                tenant: TenantId::new(tenant).unwrap(),
                window_start: Timestamp(0),
                window_len: 1000,
            };
            object.begin_section(key, Level::FLUSHED, 1, vector(&[(id, seq)])).unwrap();
            let mut rows = RowsBuilder::new();
            rows.push(&Labels::from_pairs([("app", "x")]), Timestamp(500), seq, b"line", []);
            object.push(&rows.finish()).unwrap();
        }
        let commit = CommitInfo { position: position.clone(), flush_id: 1, row_hash: 0, receipts: Vec::new() };
        let (body, directory) = object.finish(Some(commit)).unwrap();
        self.catalog.register_writer(&position.writer).await.unwrap();
        let body = FlushBody::Bytes(body.into());
        let outcome = self.catalog.commit_flush(&position.writer, seq, 1, body).await.unwrap();
        assert_eq!(outcome, FlushOutcome::Committed);
        directory
    }

    /// Commits a root after `base` that consumed `upto` and names the sections of `folded`.
    async fn root(&self, base: &Content, upto: &[(&str, u64)], folded: &Directory) -> Arc<Content> {
        let entry =
            |section: &skald_segment::SectionEntry| Entry { object: "seg/0/x".into(), section: section.clone() };
        let added = folded.sections.iter().map(entry).collect();
        let change = Change { consumed: vector(upto), added, ..Change::default() };
        match self.catalog.commit(base, CommitId(5), Timestamp(0), change).await.unwrap() {
            RootOutcome::Committed(content) => content,
            RootOutcome::Lost => panic!("nobody else commits"),
        }
    }

    fn footer_reads(&self) -> u64 {
        self.store.stats().of(Operation::GetSuffix).requests
    }
}

fn vector(positions: &[(&str, u64)]) -> CommitVector {
    positions.iter().map(|&(id, seq)| (Writer::new(id).unwrap(), seq)).collect()
}

fn request(tenant: &str, need: &[(&str, u64)]) -> pb::ViewRequest {
    let need = Some(pb::CommitVector::from(&vector(need)));
    pb::ViewRequest { tenant: tenant.into(), from_ns: 0, to_ns: 1000, need }
}

async fn objects(gateway: &IndexGateway, tenant: &str, need: &[(&str, u64)]) -> Result<Vec<String>, RpcError> {
    let answer = gateway.view(request(tenant, need)).await?;
    let covers = CommitVector::try_from(&answer.covers.unwrap()).unwrap();
    assert!(covers.covers(&vector(need)));
    Ok(answer.sections.into_iter().map(|section| section.object).collect())
}

fn log(id: &str, seq: u64) -> String {
    format!("log/{id}/{seq:020}")
}

#[tokio::test]
async fn a_cold_start_sees_roots_and_logs() {
    let cluster = Cluster::new();
    let folded = cluster.flush("a", 1, &["t"]).await;
    cluster.flush("a", 2, &["t", "u"]).await;
    cluster.flush("b", 1, &["u"]).await;
    cluster.root(&Content::genesis(0), &[("a", 1)], &folded).await;
    let gateway = cluster.gateway().await;
    assert_eq!(objects(&gateway, "t", &[]).await.unwrap(), ["seg/0/x".to_owned(), log("a", 2)]);
    assert_eq!(objects(&gateway, "u", &[]).await.unwrap(), [log("a", 2), log("b", 1)]);
    assert_eq!(objects(&gateway, "v", &[]).await.unwrap(), Vec::<String>::new());
    let seen = CommitVector::try_from(&gateway.seen().await.unwrap()).unwrap();
    assert_eq!(seen, vector(&[("a", 2), ("b", 1)]));
    gateway.shutdown().await;
}

#[tokio::test]
async fn what_a_caller_needs_is_fetched_once() {
    let cluster = Cluster::new();
    let gateway = cluster.gateway().await;
    for seq in 1..=3 {
        cluster.flush("a", seq, &["t"]).await;
    }
    let before = cluster.footer_reads();
    let answers = futures::future::join_all((0..8).map(|_| objects(&gateway, "t", &[("a", 3)]))).await;
    for answer in answers {
        assert_eq!(answer.unwrap(), [log("a", 1), log("a", 2), log("a", 3)]);
    }
    assert_eq!(cluster.footer_reads() - before, 3);
}

#[tokio::test]
async fn pushes_save_the_fetch_and_heal_lost_ones() {
    let cluster = Cluster::new();
    let gateway = cluster.gateway().await;
    cluster.flush("a", 1, &["t"]).await;
    let second = cluster.flush("a", 2, &["t"]).await;
    let third = cluster.flush("a", 3, &["t"]).await;
    let notice = |seq, directory: &Directory| pb::CommitNotice {
        position: Some(pb::LogPosition { writer: "a".into(), seq }),
        directory: directory.encode().into(),
    };
    let before = cluster.footer_reads();
    gateway.committed(notice(2, &second)).await.unwrap();
    assert_eq!(cluster.footer_reads() - before, 1, "object 1 was never pushed");
    gateway.committed(notice(3, &third)).await.unwrap();
    assert_eq!(objects(&gateway, "t", &[("a", 3)]).await.unwrap().len(), 3);
    assert_eq!(cluster.footer_reads() - before, 1);
    let bad = [notice(4, &third), pb::CommitNotice { directory: Bytes::from_static(b"x"), ..notice(3, &third) }];
    for notice in bad {
        assert!(matches!(gateway.committed(notice).await, Err(RpcError::Invalid(_))));
    }
}

/// An object below the need that does not exist has been consumed by a newer root.
#[tokio::test]
async fn a_missing_object_means_a_newer_root() {
    let cluster = Cluster::new();
    let gateway = cluster.gateway().await;
    let folded = cluster.flush("a", 1, &["t"]).await;
    cluster.root(&Content::genesis(0), &[("a", 1)], &folded).await;
    cluster.store.delete(&[log("a", 1)]).await.unwrap();
    assert_eq!(objects(&gateway, "t", &[("a", 1)]).await.unwrap(), ["seg/0/x"]);
    let error = objects(&gateway, "t", &[("a", 2)]).await.unwrap_err();
    assert!(matches!(&error, RpcError::Unavailable(text) if text.contains("log/a/")), "{error}");
}

#[tokio::test]
async fn new_roots_come_by_push_and_by_gossip_without_listing() {
    let cluster = Cluster::new();
    let gateway = cluster.gateway().await;
    let lists = cluster.store.stats().of(Operation::List).requests;
    let folded = cluster.flush("a", 1, &["t"]).await;
    let first = cluster.root(&Content::genesis(0), &[("a", 1)], &folded).await;
    gateway.rooted(pb::RootNotice { shard: "0".into(), generation: 1 }).await.unwrap();
    assert_eq!(objects(&gateway, "t", &[]).await.unwrap(), ["seg/0/x"]);
    cluster.flush("a", 2, &["t"]).await;
    cluster.root(&first, &[("a", 2)], &Directory::default()).await;
    cluster.rings.send_modify(|rings| {
        let rings = Arc::make_mut(rings);
        rings.raise_generation("0", 2, 1);
        rings.raise_head(&Writer::new("a").unwrap(), 2, 1);
    });
    let followed = async {
        while gateway.view(request("t", &[])).await.unwrap().generation < 2 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), followed).await.expect("gossip is followed");
    assert_eq!(cluster.store.stats().of(Operation::List).requests, lists);
    for notice in [("1", 3), ("0", 0)] {
        let notice = pb::RootNotice { shard: notice.0.into(), generation: notice.1 };
        assert!(matches!(gateway.rooted(notice).await, Err(RpcError::Invalid(_))));
    }
}

#[tokio::test]
async fn malformed_requests_are_refused() {
    let cluster = Cluster::new();
    let gateway = cluster.gateway().await;
    let need = Some(pb::CommitVector { positions: vec![pb::LogPosition { writer: "a/b".into(), seq: 1 }] });
    for bad in [request("", &[]), request("a/b", &[]), pb::ViewRequest { need, ..request("t", &[]) }] {
        assert!(matches!(gateway.view(bad).await, Err(RpcError::Invalid(_))));
    }
}
