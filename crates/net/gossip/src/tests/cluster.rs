//! memberlist between nodes of this process.

use super::{PATIENCE, system_clock, until};
use crate::{Gossip, GossipConfig, GossipError, Lifecycler, LifecyclerConfig, MemberlistStatus};
use skald_model::Writer;
use skald_ring::{Instance, Rings, State};
use std::time::Duration;

async fn node(host: u8, join: &[&Gossip], change: impl FnOnce(&mut GossipConfig)) -> Gossip {
    let mut config = GossipConfig {
        instance: format!("node-{host}"),
        bind_addr: ([127, 0, 0, host], 0).into(),
        join_members: join.iter().map(|peer| peer.advertise_addr().unwrap().to_string()).collect(),
        cluster_label: "test".to_owned(),
        gossip_interval: Duration::from_millis(20),
        pull_push_interval: Duration::from_millis(500),
        ..GossipConfig::default()
    };
    change(&mut config);
    Gossip::start(config, system_clock()).await.unwrap()
}

fn state_of(rings: &Rings, id: &str) -> Option<State> {
    rings.get("r", id).map(|record| record.instance.state)
}

#[tokio::test(flavor = "multi_thread")]
async fn news_reach_everybody_and_a_leaver_is_seen_leaving() {
    let a = node(11, &[], |_| {}).await;
    // Known before anybody joins: travels with the first exchange of states.
    a.update("r", Instance::new("r", "early", "")).unwrap();
    let b = node(12, &[&a], |_| {}).await;
    let c = node(13, &[&a], |_| {}).await;
    assert!(b.joined(PATIENCE).await && c.joined(PATIENCE).await && a.joined(PATIENCE).await);
    for node in [&b, &c] {
        until(node, "the early record is there", |rings| state_of(rings, "early").is_some()).await;
    }

    let writer = Writer::new("w").unwrap();
    let mut config = LifecyclerConfig::new("r", "life", "127.0.0.13:9095");
    config.heartbeat_period = Duration::from_millis(50);
    config.writer = Some(writer.clone());
    let life = Lifecycler::start(c.clone(), config).await.unwrap();
    life.activate();
    b.raise_head(&writer, 5);
    a.raise_generation("0", 9);
    for node in [&a, &b, &c] {
        until(node, "the instance is active", |rings| state_of(rings, "life") == Some(State::Active)).await;
        until(node, "the head is known", |rings| rings.heads().get(&writer) == 5).await;
        until(node, "the generation is known", |rings| rings.generation("0") == 9).await;
    }

    // Forgotten by another, it comes back by itself.
    let stamp = b.snapshot().get("r", "life").unwrap().instance.stamp;
    assert!(b.forget("r", "life") && !b.forget("r", "nobody"));
    until(&b, "it registered again", |rings| {
        let instance = &rings.get("r", "life").unwrap().instance;
        instance.state == State::Active && instance.stamp > stamp
    })
    .await;

    let status = MemberlistStatus::new(&a).await;
    assert_eq!(status.members.len(), 3, "{status:?}");
    assert!(status.json().contains("node-13-") && status.html().contains("node-12-"));

    life.leave(17).await;
    c.leave().await;
    for node in [&a, &b] {
        until(node, "it left with the end of its log", |rings| {
            let instance = &rings.get("r", "life").unwrap().instance;
            (instance.state, instance.last_seq, instance.forgotten) == (State::Left, 17, false)
        })
        .await;
    }
    a.leave().await;
    b.leave().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_stay_out() {
    let key = |byte: u8| Some(vec![byte; 32]);
    let a = node(21, &[], |config| config.encryption_key = key(1)).await;
    a.update("r", Instance::new("r", "a", "")).unwrap();
    let label = node(22, &[&a], |config| {
        config.cluster_label = "other".to_owned();
        config.encryption_key = key(1);
    })
    .await;
    let keyed = node(23, &[&a], |config| config.encryption_key = key(2)).await;
    for stranger in [&label, &keyed] {
        stranger.update("r", Instance::new("r", "stranger", "")).unwrap();
    }
    // A friend that starts after the strangers is in, and has been told by `a` all that `a` knows.
    let friend = node(24, &[&a], |config| config.encryption_key = key(1)).await;
    until(&friend, "the friend is told", |rings| state_of(rings, "a").is_some()).await;
    friend.update("r", Instance::new("r", "friend", "")).unwrap();
    until(&a, "the friend's record arrived", |rings| state_of(rings, "friend").is_some()).await;
    for (node, foreign) in [(&a, "stranger"), (&friend, "stranger"), (&label, "a"), (&keyed, "a")] {
        assert_eq!(state_of(&node.snapshot(), foreign), None);
    }
    for node in [friend, keyed, label, a] {
        node.leave().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_that_is_not_there_yet_is_tried_again() {
    let port = std::net::TcpListener::bind("127.0.0.31:0").unwrap().local_addr().unwrap().port();
    let early = node(32, &[], |config| config.join_members = vec![format!("127.0.0.31:{port}")]).await;
    early.update("r", Instance::new("r", "early", "")).unwrap();
    let late = node(31, &[], |config| config.bind_addr.set_port(port)).await;
    until(&late, "the early one joined", |rings| state_of(rings, "early").is_some()).await;
    assert!(early.joined(PATIENCE).await);
    early.leave().await;
    late.leave().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_records_spread_though_no_packet_holds_them() {
    let a = node(41, &[], |_| {}).await;
    let b = node(42, &[&a], |_| {}).await;
    assert!(b.joined(PATIENCE).await);
    for n in 0..200 {
        let mut instance = Instance::new("r", &format!("instance-{n}"), &"x".repeat(100));
        instance.zone = "z".repeat(60);
        a.update("r", instance).unwrap();
    }
    until(&b, "all arrived", |rings| rings.records("r").count() == 200).await;
    a.leave().await;
    b.leave().await;
}

#[tokio::test]
async fn impossible_settings_are_named() {
    let start = async |change: fn(&mut GossipConfig)| {
        let mut config = GossipConfig { bind_addr: ([127, 0, 0, 51], 0).into(), ..GossipConfig::default() };
        change(&mut config);
        Gossip::start(config, system_clock()).await.err()
    };
    assert!(matches!(start(|c| c.cluster_label = "l".repeat(300)).await, Some(GossipError::Label)));
    assert!(matches!(start(|c| c.encryption_key = Some(vec![1; 7])).await, Some(GossipError::Key(7))));
    assert!(matches!(start(|c| c.bind_addr = ([203, 0, 113, 1], 1).into()).await, Some(GossipError::Start { .. })));
}
