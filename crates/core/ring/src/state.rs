//! The replicated state of all rings, and how two copies of it become one.
//!
//! Per (ring, instance id) the record with the newest stamp wins; equal stamps are decided by state
//! and then by the record's bytes, so that merging is commutative, associative and idempotent. Log
//! heads and shard generations are monotone maxima. A LEFT record is a tombstone: it outlives its
//! instance for a while so that no older record of it comes back from a slow peer.
//!
//! Each copy also remembers when *it* saw a record change ([`Record::seen_ms`]); that is not
//! replicated. Health follows from it, so a clock that runs ahead makes nobody immortal and one
//! that lags makes nobody dead.

use crate::{Instance, InstanceError, State, codec};
use skald_model::{CommitVector, Writer};
use std::{collections::BTreeMap, sync::Arc};

/// How long the tombstone of a forgotten ingester whose log was never closed is kept, in ms: sealing a log
/// takes about an hour after its writer is gone, and until then the missing writer must be counted.
pub const UNSEALED_KEPT_MS: u64 = 24 * 3600 * 1000;

/// A record as one copy of the state holds it.
#[derive(Clone, Debug)]
pub struct Record {
    /// What is replicated.
    pub instance: Arc<Instance>,
    /// When this copy last saw the stamp move, by its own clock, in ms since the epoch. At first sight the
    /// owner's own heartbeat time, if that is older.
    pub seen_ms: u64,
}

/// All rings of a cluster, and the newest log heads and shard generations beside them.
#[derive(Clone, Debug, Default)]
pub struct Rings {
    pub(crate) rings: BTreeMap<Arc<str>, BTreeMap<Arc<str>, Record>>,
    pub(crate) heads: CommitVector,
    pub(crate) generations: BTreeMap<Arc<str>, u64>,
}

impl Rings {
    /// Nothing known.
    pub fn new() -> Self {
        Self::default()
    }

    /// The record of an instance, LEFT ones included.
    pub fn get(&self, ring: &str, id: &str) -> Option<&Record> {
        self.rings.get(ring)?.get(id)
    }

    /// All records of a ring in the order of their ids, LEFT ones included.
    pub fn records(&self, ring: &str) -> impl Iterator<Item = &Record> {
        self.rings.get(ring).into_iter().flat_map(BTreeMap::values)
    }

    /// The names of the rings of which at least one record is known.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.rings.keys().map(|name| &**name)
    }

    /// Per writer, the newest log object anybody reported.
    pub const fn heads(&self) -> &CommitVector {
        &self.heads
    }

    /// The newest root generation reported of a shard, 0 when none was.
    pub fn generation(&self, shard: &str) -> u64 {
        self.generations.get(shard).copied().unwrap_or(0)
    }

    /// All shards of which a generation is known.
    pub fn generations(&self) -> impl Iterator<Item = (&str, u64)> {
        self.generations.iter().map(|(shard, &generation)| (&**shard, generation))
    }

    /// True when nothing at all is known.
    pub fn is_empty(&self) -> bool {
        self.rings.is_empty() && self.heads.is_empty() && self.generations.is_empty()
    }

    /// The stamp an owner gives its next record: its clock, or one more than the newest stamp seen of itself,
    /// so that no clock jump, backwards or forwards and back, ever makes its own updates lose.
    pub fn next_stamp(&self, ring: &str, id: &str, now_ms: u64) -> u64 {
        self.get(ring, id).map_or(now_ms, |record| now_ms.max(record.instance.stamp.saturating_add(1)))
    }

    /// Writes `instance` as its owner, with the next stamp and heartbeat time; returns the delta to pass on.
    ///
    /// # Errors
    /// When the record does not fit its bounds; nothing is changed then.
    pub fn update(&mut self, ring: &str, mut instance: Instance, now_ms: u64) -> Result<Self, InstanceError> {
        instance.validate(ring)?;
        instance.stamp = self.next_stamp(ring, &instance.id, now_ms);
        instance.heartbeat_ms = now_ms;
        let mut delta = Self::new();
        delta.put(ring, Record { instance: Arc::new(instance), seen_ms: now_ms });
        Ok(self.merge(&delta, now_ms))
    }

    /// Writes LEFT about somebody else's record; returns the delta to pass on, empty when there is no such
    /// record or it is LEFT already. An owner that is alive simply comes back with its next heartbeat.
    pub fn forget(&mut self, ring: &str, id: &str, now_ms: u64) -> Self {
        let Some(record) = self.get(ring, id).filter(|r| r.instance.state != State::Left) else {
            return Self::new();
        };
        let mut instance = Instance::clone(&record.instance);
        instance.state = State::Left;
        instance.forgotten = true;
        instance.stamp = self.next_stamp(ring, id, now_ms);
        let mut delta = Self::new();
        delta.put(ring, Record { instance: Arc::new(instance), seen_ms: now_ms });
        self.merge(&delta, now_ms)
    }

    /// Raises the head of a log; returns the delta to pass on, empty when it was known.
    pub fn raise_head(&mut self, writer: &Writer, seq: u64, now_ms: u64) -> Self {
        let mut delta = Self::new();
        delta.heads.raise(writer, seq);
        self.merge(&delta, now_ms)
    }

    /// Raises the generation of a shard; returns the delta to pass on, empty when it was known. A name of more
    /// than 64 bytes does not fit gossip and is passed over, as if the news were lost.
    pub fn raise_generation(&mut self, shard: &str, generation: u64, now_ms: u64) -> Self {
        let mut delta = Self::new();
        if generation > 0 && shard.len() <= codec::SHARD_BYTES_MAX {
            delta.generations.insert(shard.into(), generation);
        }
        self.merge(&delta, now_ms)
    }

    /// Takes in what `other` knows better; returns exactly what changed here, to be passed on to others.
    pub fn merge(&mut self, other: &Self, now_ms: u64) -> Self {
        let mut delta = Self::new();
        for (ring, records) in &other.rings {
            for (id, theirs) in records {
                let known = self.rings.get(ring).and_then(|r| r.get(id));
                if known.is_some_and(|mine| !wins(ring, &theirs.instance, &mine.instance)) {
                    continue;
                }
                // At first sight the owner's own clock is the only witness of its age; afterwards ours is.
                let seen_ms = if known.is_some() { now_ms } else { now_ms.min(theirs.instance.heartbeat_ms) };
                let record = Record { instance: theirs.instance.clone(), seen_ms };
                delta.rings.entry(ring.clone()).or_default().insert(id.clone(), record.clone());
                self.rings.entry(ring.clone()).or_default().insert(id.clone(), record);
            }
        }
        for (writer, seq) in other.heads.iter() {
            if seq > self.heads.get(writer) {
                self.heads.raise(writer, seq);
                delta.heads.raise(writer, seq);
            }
        }
        for (shard, &generation) in &other.generations {
            if generation > self.generation(shard) {
                self.generations.insert(shard.clone(), generation);
                delta.generations.insert(shard.clone(), generation);
            }
        }
        delta
    }

    /// Drops tombstones older than `left_timeout_ms` by this copy's clock. Those of forgotten instances that
    /// had a log stay for [`UNSEALED_KEPT_MS`] at least. Returns how many were dropped.
    pub fn prune(&mut self, now_ms: u64, left_timeout_ms: u64) -> usize {
        let mut dropped = 0;
        self.rings.retain(|_, records| {
            let before = records.len();
            records.retain(|_, record| {
                let unsealed = record.instance.forgotten && record.instance.writer.is_some();
                let kept_ms = if unsealed { left_timeout_ms.max(UNSEALED_KEPT_MS) } else { left_timeout_ms };
                record.instance.state != State::Left || now_ms.saturating_sub(record.seen_ms) < kept_ms
            });
            dropped += before - records.len();
            !records.is_empty()
        });
        dropped
    }

    pub(crate) fn put(&mut self, ring: &str, record: Record) {
        let id: Arc<str> = record.instance.id.as_str().into();
        match self.rings.get_mut(ring) {
            Some(records) => records.insert(id, record),
            None => self.rings.entry(ring.into()).or_default().insert(id, record),
        };
    }
}

/// Replicated content only: when this copy saw a record is its own affair.
impl PartialEq for Rings {
    fn eq(&self, other: &Self) -> bool {
        let instances = |rings: &Self| -> Vec<(Arc<str>, Arc<Instance>)> {
            let flat = rings.rings.iter().flat_map(|(n, r)| r.values().map(|r| (n.clone(), r.instance.clone())));
            flat.collect()
        };
        instances(self) == instances(other) && self.heads == other.heads && self.generations == other.generations
    }
}

/// A total order on the records of one instance, so that every copy picks the same one.
fn wins(ring: &str, theirs: &Instance, mine: &Instance) -> bool {
    let key = |i: &Instance| (i.stamp, i.state.rank());
    match key(theirs).cmp(&key(mine)) {
        std::cmp::Ordering::Greater => true,
        std::cmp::Ordering::Less => false,
        std::cmp::Ordering::Equal => {
            theirs != mine && codec::encode_record(ring, theirs) > codec::encode_record(ring, mine)
        }
    }
}
