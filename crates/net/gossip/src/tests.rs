//! Gossip over real sockets on loopback addresses, and the lifecycler on a hand-turned clock.

mod cluster;
mod lifecycle;

use crate::{Gossip, MillisClock};
use skald_ring::Rings;
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// Far above what any step takes; reached only when something is broken.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) fn system_clock() -> MillisClock {
    Arc::new(|| SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as u64)
}

/// A clock that stands until it is turned.
pub(crate) fn hand_clock(start_ms: u64) -> (Arc<AtomicU64>, MillisClock) {
    let time = Arc::new(AtomicU64::new(start_ms));
    let read = time.clone();
    (time, Arc::new(move || read.load(Ordering::Relaxed)))
}

/// Waits until the state is as it should be; every change is looked at.
pub(crate) async fn until(gossip: &Gossip, what: &str, holds: impl Fn(&Rings) -> bool) {
    let mut states = gossip.subscribe();
    let waiting = states.wait_for(|state| holds(state));
    let reached = tokio::time::timeout(PATIENCE, waiting).await;
    assert!(matches!(reached, Ok(Ok(_))), "waited in vain until {what}");
}
