//! Who owns a key: rendezvous hashing of one token per instance.
//!
//! Every instance has one 32-bit token. Token and key are mixed to a score; the instances with the
//! highest scores own the key, best first. Each instance therefore owns the same share of the keys
//! whatever the tokens are (the spread of many tokens on a circle, taken to its limit), a join takes
//! from every other instance only what the newcomer owns, a departure moves only what the departed
//! owned, and second and third replicas are spread as evenly as first ones. A lookup costs one
//! multiply-mix per instance, which is less than a search in a table of tokens up to a few hundred.
//!
//! Two instances with one token (a copied data directory) would share one place. [`seeds`] resolves
//! that the same way everywhere: the one registered first keeps it.

use crate::{Instance, State};
use std::{collections::HashMap, sync::Arc};
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

/// The token of an instance that has none persisted: it follows from the names, so a member that lost its
/// disk returns to its place.
pub fn token_for(ring: &str, id: &str) -> u32 {
    xxh3_64_with_seed(id.as_bytes(), xxh3_64(ring.as_bytes())) as u32
}

/// A tenant's key for its shuffle shard; a keyspace apart from the streams' tokens.
pub(crate) fn tenant_key(tenant: &str) -> u64 {
    xxh3_64_with_seed(tenant.as_bytes(), 0x7465_6e61_6e74)
}

/// Spreads a 32-bit key over 64 bits, once per lookup.
#[inline]
pub(crate) const fn spread(key: u32) -> u64 {
    mix(key as u64 ^ 0x9e37_79b9_7f4a_7c15)
}

/// How strongly the instance with `seed` claims `key`.
#[inline]
pub(crate) const fn score(seed: u64, key: u64) -> u64 {
    mix(seed ^ key)
}

/// The finaliser of SplitMix64: a bijection in which every input bit moves every output bit.
#[inline]
const fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// One seed per instance, distinct also where tokens collide: of several instances with one token the one
/// registered first (never registered last, then by id) keeps it, the others take one derived from their ids.
pub(crate) fn seeds(instances: &[Arc<Instance>]) -> Vec<u64> {
    let precedence = |i: &Instance| (i.state == State::Left, i.registered_ms == 0, i.registered_ms);
    let mut holder: HashMap<u32, usize> = HashMap::with_capacity(instances.len());
    for (index, instance) in instances.iter().enumerate() {
        holder
            .entry(instance.token)
            .and_modify(|held| {
                let other = &instances[*held];
                if (precedence(instance), &instance.id) < (precedence(other), &other.id) {
                    *held = index;
                }
            })
            .or_insert(index);
    }
    instances
        .iter()
        .enumerate()
        .map(|(index, instance)| {
            let token = u64::from(instance.token);
            if holder[&instance.token] == index {
                mix(token << 1)
            } else {
                // The lowest bit before mixing tells derived seeds from plain ones.
                mix(xxh3_64_with_seed(instance.id.as_bytes(), token) | 1)
            }
        })
        .collect()
}
