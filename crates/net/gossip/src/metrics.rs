//! What gossip and the rings say of themselves in `/metrics`, under Loki's names.
//!
//! The values are read from the state when somebody scrapes: nothing is kept up to date in between.

use crate::Gossip;
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric},
    metrics::{counter::ConstCounter, family::Family, gauge::ConstGauge, gauge::Gauge},
    registry::Registry,
};
use skald_ring::{RingConfig, State};

/// The label of members that are silent for too long, whatever their state.
const UNHEALTHY: &str = "Unhealthy";

/// Adds the metrics of `gossip` and of the named rings to a registry.
pub fn register_metrics(registry: &mut Registry, gossip: &Gossip, rings: &[(&str, RingConfig)]) {
    let rings = rings.iter().map(|(name, config)| ((*name).to_owned(), *config)).collect();
    registry.register_collector(Box::new(RingCollector { gossip: gossip.clone(), rings }));
}

struct RingCollector {
    gossip: Gossip,
    rings: Vec<(String, RingConfig)>,
}

impl std::fmt::Debug for RingCollector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RingCollector").field("rings", &self.rings).finish_non_exhaustive()
    }
}

impl Collector for RingCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let members: Family<[(&str, String); 2], Gauge> = Family::default();
        for (name, config) in &self.rings {
            let view = self.gossip.view(name, config);
            let gauge =
                |state: &str| members.get_or_create_owned(&[("name", name.clone()), ("state", state.to_owned())]);
            for state in [State::Active, State::Leaving, State::Pending, State::Joining] {
                gauge(state.name()).set(0);
            }
            gauge(UNHEALTHY).set(0);
            for member in view.members() {
                gauge(if member.healthy { member.instance.state.name() } else { UNHEALTHY }).inc();
            }
        }
        let help = "Members of a ring by state, Unhealthy when silent for longer than the heartbeat timeout";
        members.encode(encoder.encode_descriptor("loki_ring_members", help, None, members.metric_type())?)?;

        let peers = ConstGauge::new(self.gossip.peer_count() as i64);
        let help = "Processes that take part in gossip, this one included";
        let name = "loki_memberlist_client_cluster_members_count";
        peers.encode(encoder.encode_descriptor(name, help, None, peers.metric_type())?)?;

        let invalid = ConstCounter::new(self.gossip.invalid_messages());
        let help = "Gossip messages dropped because they could not be decoded";
        let name = "loki_memberlist_client_received_broadcasts_invalid";
        invalid.encode(encoder.encode_descriptor(name, help, None, invalid.metric_type())?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use skald_ring::Instance;
    use std::sync::Arc;

    #[test]
    fn members_are_counted_by_state() {
        let gossip = Gossip::in_process(Arc::new(|| 1_000_000));
        for (id, state) in [("a", State::Active), ("b", State::Active), ("c", State::Leaving), ("d", State::Left)] {
            let instance = Instance { state, ..Instance::new("ingester", id, "") };
            gossip.update("ingester", instance).unwrap();
        }
        let mut registry = Registry::default();
        register_metrics(&mut registry, &gossip, &[("ingester", RingConfig::default())]);
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
        for line in [
            "loki_ring_members{name=\"ingester\",state=\"ACTIVE\"} 2",
            "loki_ring_members{name=\"ingester\",state=\"LEAVING\"} 1",
            "loki_ring_members{name=\"ingester\",state=\"Unhealthy\"} 0",
            "loki_memberlist_client_cluster_members_count 0",
            "loki_memberlist_client_received_broadcasts_invalid_total 0",
        ] {
            assert!(text.lines().any(|l| l == line), "{line} in\n{text}");
        }
    }
}
