//! One ring at one moment: everything a service asks the ring.
//!
//! A view is a pure function of (state, now, settings) and cheap to make: take a new one for every
//! request or every few hundred milliseconds, not one for life, for health changes with time alone.
//!
//! Writes: the replicas of a key are the RF best-placed members that own a place
//! ([`Instance::has_place`]), in distinct zones when zone-aware. Members of that set that cannot take
//! the write this moment are not replaced by others, they count as failed. Reads: every registered
//! instance is asked. Since a write succeeds on floor(rf/2)+1 of its set, floor(rf/2) of those asked
//! (or as many whole zones) may stay silent.

use crate::{
    Instance, ReadTracker, Rings, State,
    placement::{score, seeds, spread},
};
use skald_model::CommitVector;
use smallvec::SmallVec;
use std::{collections::BTreeSet, sync::Arc, time::Duration};

/// What a ring needs to know beyond its members.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RingConfig {
    /// Copies of every stream. Odd numbers are sensible: 1, 3, 5.
    pub replication_factor: usize,
    /// An instance not heard of for longer is unhealthy: it takes no writes and owns no shards meanwhile.
    pub heartbeat_timeout: Duration,
    /// Replicas in distinct zones; never more replicas than zones then. The number of zones should be the
    /// replication factor or more.
    pub zone_awareness: bool,
}

impl Default for RingConfig {
    /// Loki's defaults.
    fn default() -> Self {
        Self { replication_factor: 3, heartbeat_timeout: Duration::from_secs(60), zone_awareness: false }
    }
}

impl RingConfig {
    /// How many copies of a write must be acknowledged: floor(rf/2)+1.
    pub const fn quorum(&self) -> usize {
        self.replication_factor / 2 + 1
    }

    /// How many of those asked by a read may stay silent: floor(rf/2).
    pub const fn tolerated_failures(&self) -> usize {
        self.replication_factor / 2
    }
}

/// Why a ring cannot name replicas.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RingError {
    /// No member owns a place.
    #[error("empty ring")]
    Empty,
    /// Too few members of the replica set can take the write. The text is Loki's, clients see it.
    #[error("at least {required} live replicas required, could only find {found}{}", unhealthy_text(.unhealthy))]
    TooFewReplicas {
        /// The quorum.
        required: usize,
        /// How many of the set can take the write.
        found: usize,
        /// The addresses of those that cannot.
        unhealthy: Vec<String>,
    },
}

fn unhealthy_text(unhealthy: &[String]) -> String {
    if unhealthy.is_empty() { String::new() } else { format!(" - unhealthy instances: {}", unhealthy.join(",")) }
}

/// An instance as a view sees it.
#[derive(Clone, Debug)]
pub struct Member {
    /// Its record.
    pub instance: Arc<Instance>,
    /// Heard of within the heartbeat timeout.
    pub healthy: bool,
    pub(crate) seed: u64,
    /// [`Instance::has_place`], and the zone as a number: lookups touch no record but those of the chosen.
    pub(crate) has_place: bool,
    zone: u32,
}

impl Member {
    /// True when it can take a write this moment.
    pub fn takes_writes(&self) -> bool {
        self.healthy && self.instance.state == State::Active && self.instance.read_only_since_ms.is_none()
    }
}

/// Where one key is to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplicaSet {
    /// The members that can take it, best-placed first; at least [`ReplicaSet::quorum`] of them.
    pub targets: SmallVec<[Arc<Instance>; 5]>,
    /// How many of the targets must acknowledge.
    pub quorum: usize,
}

impl ReplicaSet {
    /// A counter for the answers of the targets.
    pub fn tracker(&self) -> crate::QuorumTracker {
        crate::QuorumTracker::new(self.targets.len(), self.quorum)
    }
}

/// Whom a read must ask.
#[derive(Clone, Debug)]
pub struct ReadSet {
    /// Every one of them, unhealthy ones included: ask those too, or count them as failed at once.
    pub members: Vec<Member>,
    /// How many failures the read survives: instances, or zones when `by_zone`.
    pub tolerated: usize,
    /// True when failures count once per zone.
    pub by_zone: bool,
}

impl ReadSet {
    /// A counter for failed answers.
    pub fn tracker(&self) -> ReadTracker {
        ReadTracker::new(self.members.len(), self.tolerated, self.by_zone)
    }
}

/// One ring, or one tenant's part of it, at one moment.
#[derive(Clone, Debug)]
pub struct RingView {
    pub(crate) members: Vec<Member>,
    pub(crate) config: RingConfig,
    leaving: CommitVector,
}

impl RingView {
    /// The ring named `ring` as `state` shows it at `now_ms`.
    pub fn new(state: &Rings, ring: &str, now_ms: u64, config: &RingConfig) -> Self {
        let timeout_ms = config.heartbeat_timeout.as_millis() as u64;
        let mut leaving = CommitVector::new();
        for record in state.records(ring) {
            let instance = &record.instance;
            if let (State::Leaving | State::Left, Some(writer)) = (instance.state, &instance.writer) {
                leaving.raise(writer, instance.last_seq);
            }
        }
        let records: Vec<_> = state.records(ring).filter(|r| r.instance.state != State::Left).collect();
        let instances: Vec<_> = records.iter().map(|r| r.instance.clone()).collect();
        let seeds = seeds(&instances);
        let zones: BTreeSet<&str> = instances.iter().map(|i| &*i.zone).collect();
        let zones: Vec<&str> = zones.into_iter().collect();
        let members = records
            .into_iter()
            .zip(seeds)
            .map(|(record, seed)| Member {
                instance: record.instance.clone(),
                healthy: now_ms.saturating_sub(record.seen_ms) <= timeout_ms,
                seed,
                has_place: record.instance.has_place(),
                zone: zones.partition_point(|zone| **zone < *record.instance.zone) as u32,
            })
            .collect();
        Self { members, config: *config, leaving }
    }

    /// All registered members in the order of their ids.
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// The settings of the view.
    pub const fn config(&self) -> &RingConfig {
        &self.config
    }

    /// What the LEAVING and LEFT records say of the ends of their logs. Readers take it into their commit
    /// vector: what a leaver flushed last is in the bucket though nobody is left to be asked for it. (Of a
    /// forgotten one it is what it reported last, which is in the bucket as well.)
    pub const fn leaving_positions(&self) -> &CommitVector {
        &self.leaving
    }

    /// How many members are ACTIVE and healthy: what global rate limits divide by.
    pub fn healthy_count(&self) -> usize {
        self.members.iter().filter(|m| m.healthy && m.instance.state == State::Active).count()
    }

    /// Members not heard of within the heartbeat timeout.
    pub fn unhealthy(&self) -> impl Iterator<Item = &Member> {
        self.members.iter().filter(|m| !m.healthy)
    }

    /// The replicas of the stream with this ring token.
    ///
    /// # Errors
    /// When fewer than a quorum of them can take a write.
    pub fn replicas_for_write(&self, token: u32) -> Result<ReplicaSet, RingError> {
        let set = self.placed(token);
        if set.is_empty() {
            return Err(RingError::Empty);
        }
        let targets: SmallVec<[Arc<Instance>; 5]> =
            set.iter().filter(|m| m.takes_writes()).map(|m| m.instance.clone()).collect();
        let quorum = self.config.quorum();
        if targets.len() < quorum {
            let unhealthy = set.iter().filter(|m| !m.takes_writes()).map(|m| m.instance.addr.clone()).collect();
            return Err(RingError::TooFewReplicas { required: quorum, found: targets.len(), unhealthy });
        }
        Ok(ReplicaSet { targets, quorum })
    }

    /// Whom a read of this view must ask: every registered instance, whatever its state.
    pub fn read_set(&self) -> ReadSet {
        let by_zone = self.config.zone_awareness;
        ReadSet { members: self.members.clone(), tolerated: self.config.tolerated_failures(), by_zone }
    }

    /// The `count` best-placed members for a key among those ACTIVE and healthy: who owns a shard, a tenant or
    /// a job. Unlike for writes, members that are down are passed over.
    pub fn owners(&self, token: u32, count: usize) -> SmallVec<[Arc<Instance>; 5]> {
        let key = spread(token);
        let mut best = Best::new(count);
        for member in self.members.iter().filter(|m| m.takes_writes()) {
            best.offer(score(member.seed, key), member, false);
        }
        best.0.into_iter().map(|(_, member)| member.instance.clone()).collect()
    }

    /// True when the instance `id` is among the `count` owners of a key.
    pub fn is_owner(&self, token: u32, count: usize, id: &str) -> bool {
        self.owners(token, count).iter().any(|owner| owner.id == id)
    }

    /// The zones of the members that own a place.
    pub fn zones(&self) -> BTreeSet<&str> {
        self.members.iter().filter(|m| m.has_place).map(|m| &*m.instance.zone).collect()
    }

    /// Each member's share of the keys for which it is the first replica, 0 to 1, in the order of
    /// [`RingView::members`], estimated from `samples` keys.
    pub fn ownership(&self, samples: u32) -> Vec<f64> {
        let mut counts = vec![0u32; self.members.len()];
        let placed: Vec<(u64, usize)> =
            (self.members.iter().enumerate()).filter(|(_, m)| m.has_place).map(|(index, m)| (m.seed, index)).collect();
        let stride = u32::MAX / samples.max(1);
        for sample in 0..samples {
            let key = spread(sample.wrapping_mul(stride));
            if let Some(&(_, index)) = placed.iter().max_by_key(|(seed, _)| score(*seed, key)) {
                counts[index] += 1;
            }
        }
        counts.into_iter().map(|count| f64::from(count) / f64::from(samples.max(1))).collect()
    }

    /// The same settings and log positions with other members.
    pub(crate) fn with_members(&self, members: Vec<Member>) -> Self {
        Self { members, config: self.config, leaving: self.leaving.clone() }
    }

    /// The members that make up the replica set of a key, up or not.
    fn placed(&self, token: u32) -> SmallVec<[&Member; 5]> {
        let key = spread(token);
        let mut best = Best::new(self.config.replication_factor);
        for member in self.members.iter().filter(|m| m.has_place) {
            best.offer(score(member.seed, key), member, self.config.zone_awareness);
        }
        best.0.into_iter().map(|(_, member)| member).collect()
    }
}

/// The highest scores so far, best first, at most `limit`, and one per zone if wanted.
struct Best<'a>(SmallVec<[(u64, &'a Member); 6]>, usize);

impl<'a> Best<'a> {
    fn new(limit: usize) -> Self {
        Self(SmallVec::new(), limit)
    }

    fn offer(&mut self, score: u64, member: &'a Member, one_per_zone: bool) {
        let Self(kept, limit) = self;
        if kept.len() == *limit && kept.last().is_none_or(|last| score <= last.0) {
            return;
        }
        if one_per_zone && let Some(same) = kept.iter().position(|k| k.1.zone == member.zone) {
            if kept[same].0 >= score {
                return;
            }
            kept.remove(same);
        }
        let at = kept.iter().position(|k| k.0 < score).unwrap_or(kept.len());
        kept.insert(at, (score, member));
        kept.truncate(*limit);
    }
}
