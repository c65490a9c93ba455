//! The smallest parts of the state that travel on their own.
//!
//! Gossip keeps a queue of *which* items changed, not of messages: what is sent is the newest value of
//! an item, a packet carries as many as fit, and the queue is never longer than the state.

use crate::{Rings, codec};
use skald_model::Writer;
use std::sync::Arc;

/// Names one record, head or generation.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Item {
    /// The record of an instance.
    Instance {
        /// Its ring.
        ring: Arc<str>,
        /// Its id.
        id: Arc<str>,
    },
    /// The head of a log.
    Head(Writer),
    /// The generation of a shard.
    Generation(Arc<str>),
}

impl Rings {
    /// Everything in this state (of a delta: everything that changed).
    pub fn items(&self) -> Vec<Item> {
        let instances = self
            .rings
            .iter()
            .flat_map(|(ring, records)| records.keys().map(|id| Item::Instance { ring: ring.clone(), id: id.clone() }));
        let heads = self.heads.iter().map(|(writer, _)| Item::Head(writer.clone()));
        let generations = self.generations.keys().map(|shard| Item::Generation(shard.clone()));
        instances.chain(heads).chain(generations).collect()
    }

    /// The newest values of the first of `items` that together encode to at most `bytes_max`, and how many items
    /// that were. Items that are gone cost nothing and count as taken.
    pub fn extract<'a>(&self, items: impl IntoIterator<Item = &'a Item>, bytes_max: usize) -> (Self, usize) {
        let mut out = Self::new();
        let mut bytes = codec::HEADER_BYTES_MAX;
        let mut taken = 0;
        for item in items {
            bytes += self.item_bytes(item);
            if bytes > bytes_max {
                break;
            }
            taken += 1;
            match item {
                Item::Instance { ring, id } => {
                    if let Some(record) = self.get(ring, id) {
                        out.put(ring, record.clone());
                    }
                }
                Item::Head(writer) => out.heads.raise(writer, self.heads.get(writer)),
                Item::Generation(shard) => {
                    if let Some(&generation) = self.generations.get(shard) {
                        out.generations.insert(shard.clone(), generation);
                    }
                }
            }
        }
        (out, taken)
    }

    /// An upper bound of what the item adds to an encoding.
    fn item_bytes(&self, item: &Item) -> usize {
        // A length or a number takes at most two and ten bytes here.
        match item {
            Item::Instance { ring, id } => {
                self.get(ring, id).map_or(0, |record| codec::encode_record(ring, &record.instance).len() + 2)
            }
            Item::Head(writer) => writer.as_str().len() + 12,
            Item::Generation(shard) => shard.len() + 12,
        }
    }
}
