//! Pushes that were stored lately, so that a repeated call is answered and not stored again.
//!
//! Only a convenience: a repetition that comes later than the window remembers brings rows that equal
//! stored ones, and those are dropped when they are read or flushed.

use std::{
    collections::VecDeque,
    hash::{BuildHasher, RandomState},
};

use hashbrown::HashSet;
use parking_lot::Mutex;
use skald_model::{BatchId, TenantId};

/// Pushes remembered: some ten seconds of five thousand pushes per second, in about two megabytes.
const PUSHES_MAX: usize = 1 << 16;

type Key = (u64, u64);

#[derive(Default)]
struct Window {
    known: HashSet<Key>,
    order: VecDeque<Key>,
}

/// The window. All methods may be called from any thread.
#[derive(Default)]
pub(crate) struct Pushes {
    window: Mutex<Window>,
    hasher: RandomState,
}

impl Pushes {
    /// True when the push is known to be stored.
    pub(crate) fn contains(&self, tenant: &TenantId, id: &BatchId) -> bool {
        let key = self.key(tenant, id);
        self.window.lock().known.contains(&key)
    }

    /// Remembers a push all of whose streams are durable.
    pub(crate) fn add(&self, tenant: &TenantId, id: &BatchId) {
        let key = self.key(tenant, id);
        let mut window = self.window.lock();
        if !window.known.insert(key) {
            return;
        }
        window.order.push_back(key);
        if window.order.len() > PUSHES_MAX
            && let Some(oldest) = window.order.pop_front()
        {
            window.known.remove(&oldest);
        }
    }

    fn key(&self, tenant: &TenantId, id: &BatchId) -> Key {
        (self.hasher.hash_one((tenant.as_str(), &id.distributor)), id.number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remembers_the_latest_and_tells_tenants_and_distributors_apart() {
        let pushes = Pushes::default();
        let tenant = |t: &str| TenantId::new(t).unwrap();
        let id = |d: &str, number| BatchId { distributor: d.to_owned(), number };
        pushes.add(&tenant("a"), &id("d", 1));
        for (t, d, n, known) in [("a", "d", 1, true), ("b", "d", 1, false), ("a", "e", 1, false), ("a", "d", 2, false)]
        {
            assert_eq!(pushes.contains(&tenant(t), &id(d, n)), known, "{t} {d} {n}");
        }
        (2..=PUSHES_MAX as u64).for_each(|n| pushes.add(&tenant("a"), &id("d", n)));
        assert!(pushes.contains(&tenant("a"), &id("d", 1)));
        pushes.add(&tenant("a"), &id("d", 0));
        assert!(!pushes.contains(&tenant("a"), &id("d", 1)));
        assert!(pushes.contains(&tenant("a"), &id("d", 2)));
    }
}
