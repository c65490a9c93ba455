//! Properties of the ring: merge laws, balance, movement, zones, shards, codec robustness.

mod merging;
mod placement;
mod shards;

use crate::{Instance, RingConfig, RingView, Rings, State};

/// A state with one ACTIVE member per (id, zone), registered and seen at time 1000.
pub(crate) fn active(members: &[(String, &str)]) -> Rings {
    let mut rings = Rings::new();
    for (id, zone) in members {
        let instance = member(id, zone);
        rings.update("r", instance, 1000).unwrap();
    }
    rings
}

pub(crate) fn member(id: &str, zone: &str) -> Instance {
    let mut instance = Instance::new("r", id, &format!("{id}:9095"));
    instance.zone = zone.to_owned();
    instance.state = State::Active;
    instance.registered_ms = 1000;
    instance
}

pub(crate) fn names(count: usize) -> Vec<(String, &'static str)> {
    (0..count).map(|n| (format!("ingester-{n}"), "")).collect()
}

pub(crate) fn zoned(count: usize) -> Vec<(String, &'static str)> {
    (0..count).map(|n| (format!("ingester-{n}"), ["a", "b", "c"][n % 3])).collect()
}

pub(crate) fn view(rings: &Rings, replication_factor: usize, zone_awareness: bool) -> RingView {
    RingView::new(rings, "r", 1000, &RingConfig { replication_factor, zone_awareness, ..RingConfig::default() })
}
