//! The lifecycler without a network.

use super::{hand_clock, until};
use crate::{Gossip, Lifecycler, LifecyclerConfig};
use skald_model::Writer;
use skald_ring::{AutoForget, Instance, RingConfig, State};
use std::{sync::atomic::Ordering, time::Duration};

fn config(id: &str) -> LifecyclerConfig {
    let mut config = LifecyclerConfig::new("r", id, "127.0.0.1:9095");
    config.heartbeat_period = Duration::from_millis(5);
    config
}

#[tokio::test]
async fn a_life_from_pending_to_left() {
    let (time, clock) = hand_clock(1000);
    let gossip = Gossip::in_process(clock);
    let states = |what: &str| {
        let snapshot = gossip.snapshot();
        let instance = snapshot.get("r", "a").unwrap().instance.clone();
        assert_eq!(instance.state.name(), what);
        instance
    };
    let mut config = config("a");
    config.writer = Writer::new("w");
    let life = Lifecycler::start(gossip.clone(), config.clone()).await.unwrap();
    assert_eq!(states("PENDING").registered_ms, 0);
    life.activate();
    assert_eq!(states("ACTIVE").registered_ms, 1000);
    let stamp = states("ACTIVE").stamp;
    until(&gossip, "it beats though the clock stands", |rings| rings.get("r", "a").unwrap().instance.stamp > stamp + 2)
        .await;

    time.store(2000, Ordering::Relaxed);
    life.set_read_only(true);
    assert_eq!(states("ACTIVE").read_only_since_ms, Some(2000));
    time.store(3000, Ordering::Relaxed);
    life.set_read_only(false);
    let instance = states("ACTIVE");
    assert_eq!((instance.read_only_since_ms, instance.registered_ms), (None, 3000));

    life.set_last_seq(4);
    life.leaving(3);
    let instance = states("LEAVING");
    assert_eq!((instance.last_seq, instance.read_only_since_ms), (4, Some(3000)));
    life.leave(6).await;
    assert_eq!(states("LEFT").last_seq, 6);
    assert_eq!(life.state(), State::Left);
    let view = gossip.view("r", &RingConfig::default());
    assert_eq!(view.leaving_positions().get(&Writer::new("w").unwrap()), 6);

    // Back after leaving: a new membership, the old place.
    let token = life.record().token;
    time.store(9000, Ordering::Relaxed);
    let again = Lifecycler::start(gossip.clone(), config).await.unwrap();
    again.activate();
    let instance = states("ACTIVE");
    assert_eq!((instance.registered_ms, instance.token, instance.read_only_since_ms), (9000, token, None));
}

#[tokio::test]
async fn a_restart_without_unregistering_keeps_the_place() {
    let (time, clock) = hand_clock(1000);
    let gossip = Gossip::in_process(clock);
    let dir = tempfile::tempdir().unwrap();
    let mut config = config("a");
    config.unregister_on_shutdown = false;
    config.tokens_file = Some(dir.path().join("tokens"));
    let life = Lifecycler::start(gossip.clone(), config.clone()).await.unwrap();
    life.activate();
    life.leave(0).await;
    assert_eq!(life.state(), State::Leaving);
    assert!(life.record().has_place());
    time.store(5000, Ordering::Relaxed);
    let again = Lifecycler::start(gossip.clone(), config.clone()).await.unwrap();
    assert_eq!((again.state(), again.record().registered_ms), (State::Pending, 1000));

    // Under another name with the same file it owns the same keys.
    config.id = "renamed".to_owned();
    let renamed = Lifecycler::start(gossip, config.clone()).await.unwrap();
    assert_eq!(renamed.record().token, life.record().token);
    std::fs::write(config.tokens_file.as_ref().unwrap(), "broken").unwrap();
    assert!(Lifecycler::start(Gossip::in_process(hand_clock(1).1), config).await.is_err());
}

#[tokio::test]
async fn silent_members_are_forgotten_by_those_awake_long_enough() {
    let (time, clock) = hand_clock(1000);
    let gossip = Gossip::in_process(clock);
    gossip.update("r", Instance::new("r", "silent", "")).unwrap();
    let mut config = config("a");
    config.auto_forget = Some(AutoForget { silent_for: Duration::from_millis(100), replication_factor: 3 });
    let life = Lifecycler::start(gossip.clone(), config).await.unwrap();
    // A jump of the clock looks like a pause: nobody is judged by it.
    time.store(50_000, Ordering::Relaxed);
    let stamp = gossip.snapshot().get("r", "a").unwrap().instance.stamp.max(50_000);
    until(&gossip, "a few beats passed", |rings| rings.get("r", "a").unwrap().instance.stamp > stamp + 3).await;
    assert_eq!(gossip.snapshot().get("r", "silent").unwrap().instance.state, State::Pending);
    // Turned on step by step, each step within three periods of the beat that follows it.
    let mut states = gossip.subscribe();
    for _ in 0..40 {
        time.fetch_add(5, Ordering::Relaxed);
        states.mark_unchanged();
        states.changed().await.unwrap();
    }
    until(&gossip, "the silent one is forgotten", |rings| {
        let instance = &rings.get("r", "silent").unwrap().instance;
        instance.state == State::Left && instance.forgotten
    })
    .await;
    assert_eq!(life.state(), State::Pending);
}
