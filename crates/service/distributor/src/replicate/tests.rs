//! Quorums against ingesters that answer, refuse, fail or stay silent.

use std::{collections::BTreeMap, sync::Mutex};

use async_trait::async_trait;
use prometheus_client::registry::Registry;
use skald_model::{Labels, StreamBatchBuilder, Timestamp};
use skald_ring::{Instance, RingConfig, Rings, State};
use skald_wire::api::RpcStream;

use super::*;

#[derive(Clone, Copy, Debug)]
enum Behaviour {
    Store,
    Refuse,
    Fail,
    Silent,
}

struct Fake {
    behaviour: Behaviour,
    stored: Arc<Mutex<Vec<Bytes>>>,
}

#[async_trait]
impl IngesterApi for Fake {
    async fn push(&self, request: pb::PushBatches) -> Result<pb::PushOutcome, RpcError> {
        match self.behaviour {
            Behaviour::Store => {
                self.stored.lock().expect("not poisoned").extend(request.batches);
                Ok(pb::PushOutcome::default())
            }
            Behaviour::Refuse => {
                let refuse = |batch| pb::RefusedStream {
                    batch,
                    reason: "stream_limit".into(),
                    message: "too many".into(),
                    status: 429,
                };
                Ok(pb::PushOutcome { refused: (0..request.batches.len() as u32).map(refuse).collect() })
            }
            Behaviour::Fail => Err(RpcError::Unavailable("gone".into())),
            Behaviour::Silent => std::future::pending().await,
        }
    }

    async fn query(&self, _: pb::QueryRows) -> Result<RpcStream<pb::QueryRowsPart>, RpcError> {
        unreachable!("a distributor does not query")
    }

    async fn streams(&self, _: pb::Selection) -> Result<pb::StreamsAnswer, RpcError> {
        unreachable!("a distributor does not query")
    }

    async fn bounds(&self, _: pb::BoundsRequest) -> Result<pb::BoundsAnswer, RpcError> {
        unreachable!("a distributor does not query")
    }

    async fn tail(&self, _: pb::TailRequest) -> Result<RpcStream<pb::TailPart>, RpcError> {
        unreachable!("a distributor does not query")
    }
}

fn view(count: usize) -> RingView {
    let mut rings = Rings::new();
    for i in 0..count {
        let mut instance = Instance::new("ingester", &format!("ingester-{i}"), &format!("addr-{i}"));
        instance.state = State::Active;
        instance.registered_ms = 1;
        instance.heartbeat_ms = 1000;
        rings.update("ingester", instance, 1000).expect("valid instance");
    }
    RingView::new(&rings, "ingester", 1000, &RingConfig::default())
}

fn batch(app: &str) -> StreamBatch {
    let mut builder = StreamBatchBuilder::with_capacity(8);
    builder.push(Timestamp(1), b"line", []);
    builder.finish(&Labels::from_pairs([("app", app)]), 1).expect("has a row")
}

/// Outcome of a push of two streams to three ingesters, and how many batches were stored in all.
fn run(behaviours: [Behaviour; 3]) -> (Result<(), ReplicateError>, usize) {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().expect("a runtime");
    runtime.block_on(async {
        let stored = Arc::new(Mutex::new(Vec::new()));
        let fakes: BTreeMap<String, Arc<Fake>> = behaviours
            .iter()
            .enumerate()
            .map(|(i, &behaviour)| (format!("addr-{i}"), Arc::new(Fake { behaviour, stored: Arc::clone(&stored) })))
            .collect();
        let clients: ClientFactory<dyn IngesterApi> =
            Arc::new(move |addr: &str| fakes[addr].clone() as Arc<dyn IngesterApi>);
        let metrics = Arc::new(Metrics::register(&mut Registry::default(), 3));
        let replicator = Replicator::new(clients, Duration::from_secs(1), "d".into(), metrics);
        let tenant = TenantId::new("t").expect("valid");
        let outcome = replicator.replicate(&view(3), &tenant, 1, vec![batch("a"), batch("b")]).await;
        replicator.drain(Duration::from_secs(5)).await;
        let stored = stored.lock().expect("not poisoned").len();
        (outcome, stored)
    })
}

#[test]
fn a_quorum_of_each_stream_decides() {
    use Behaviour::{Fail, Refuse, Silent, Store};
    let refused =
        || Err(ReplicateError::Refused { status: 429, reason: "stream_limit".into(), text: "too many".into() });
    let cases = [
        ([Store, Store, Store], Ok(()), 6),
        ([Store, Store, Fail], Ok(()), 4),
        ([Store, Silent, Store], Ok(()), 4),
        ([Refuse, Store, Store], Ok(()), 4),
        ([Refuse, Refuse, Store], refused(), 2),
        ([Refuse, Fail, Store], refused(), 2),
    ];
    for (behaviours, expect, stored) in cases {
        assert_eq!(run(behaviours), (expect, stored), "{behaviours:?}");
    }
    for behaviours in [[Fail, Fail, Store], [Silent, Fail, Store], [Silent, Silent, Store]] {
        assert!(matches!(run(behaviours).0, Err(ReplicateError::Quorum(_))), "{behaviours:?}");
    }
}

#[test]
fn replicas_get_the_same_bytes() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let stored = Arc::new(Mutex::new(Vec::new()));
        let fake = Arc::new(Fake { behaviour: Behaviour::Store, stored: Arc::clone(&stored) });
        let clients: ClientFactory<dyn IngesterApi> = Arc::new(move |_: &str| fake.clone() as Arc<dyn IngesterApi>);
        let metrics = Arc::new(Metrics::register(&mut Registry::default(), 3));
        let replicator = Replicator::new(clients, Duration::from_secs(1), "d".into(), metrics);
        let batch = batch("a");
        let bytes = batch.bytes().clone();
        let tenant = TenantId::new("t").expect("valid");
        replicator.replicate(&view(3), &tenant, 1, vec![batch]).await.expect("all store");
        replicator.drain(Duration::from_secs(5)).await;
        let stored = stored.lock().expect("not poisoned");
        assert_eq!(stored.len(), 3);
        assert!(stored.iter().all(|copy| copy.as_ptr() == bytes.as_ptr()), "not copied in process");
    });
}

#[test]
fn an_empty_ring_is_an_error() {
    let (tenant, batches) = (TenantId::new("t").expect("valid"), [batch("a")]);
    assert!(matches!(assign(&view(0), &tenant, &batches), Err(ReplicateError::Ring(RingError::Empty))));
    let error = assign(&view(1), &tenant, &batches).err().expect("too few");
    assert!(matches!(error, ReplicateError::Ring(RingError::TooFewReplicas { required: 2, found: 1, .. })));
}
