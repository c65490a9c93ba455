//! Which items are still to be told to others, and how often each was told.
//!
//! Every change is sent a few times to random peers (4·⌈log10(n+1)⌉, as memberlist does for its own
//! news), which reaches everybody with high probability; the periodic exchange of whole states does the
//! rest. The queue names items, not bytes: its length is bounded by the state itself, and a newer value
//! of an item simply takes the place of the older one.

use parking_lot::Mutex;
use skald_ring::{Item, Rings};
use std::collections::HashMap;

/// How often a change is sent per order of magnitude of the cluster.
const RETRANSMIT_FACTOR: u32 = 4;

/// The queue.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    sent: Mutex<HashMap<Item, u32>>,
}

impl Outbox {
    /// Everything in `delta` is news (again).
    pub(crate) fn add(&self, delta: &Rings) {
        self.sent.lock().extend(delta.items().into_iter().map(|item| (item, 0)));
    }

    /// The next message of at most `bytes_max`: the least-told news first. `None` when there is none.
    pub(crate) fn next(&self, state: &Rings, bytes_max: usize, cluster_size: usize) -> Option<Vec<u8>> {
        let budget = retransmits(cluster_size);
        let mut sent = self.sent.lock();
        let mut queue: Vec<(u32, Item)> = sent.iter().map(|(item, &times)| (times, item.clone())).collect();
        queue.sort_unstable();
        let (message, taken) = state.extract(queue.iter().map(|(_, item)| item), bytes_max);
        for (times, item) in queue.into_iter().take(taken) {
            if times + 1 >= budget {
                sent.remove(&item);
            } else {
                sent.insert(item, times + 1);
            }
        }
        (!message.is_empty()).then(|| message.encode())
    }

    /// Everything that is still queued, as one delta.
    pub(crate) fn pending(&self, state: &Rings) -> Rings {
        let items: Vec<Item> = self.sent.lock().keys().cloned().collect();
        state.extract(&items, usize::MAX).0
    }
}

fn retransmits(cluster_size: usize) -> u32 {
    let magnitude = ((cluster_size + 1) as f64).log10().ceil() as u32;
    RETRANSMIT_FACTOR * magnitude.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use skald_ring::Instance;

    #[test]
    fn each_change_is_sent_its_times_and_newer_values_start_again() {
        let mut state = Rings::new();
        let outbox = Outbox::default();
        for n in 0..20 {
            outbox.add(&state.update("r", Instance::new("r", &format!("i{n}"), "addr"), 1000).unwrap());
        }
        let mut received = Rings::new();
        let (mut messages, mut updated) = (0, false);
        while let Some(bytes) = outbox.next(&state, 400, 3) {
            assert!(bytes.len() <= 400);
            received.merge(&skald_ring::decode(&bytes).unwrap(), 0);
            messages += 1;
            if messages == 5 {
                outbox.add(&state.update("r", Instance::new("r", "i7", "moved"), 2000).unwrap());
                updated = true;
            }
            assert!(messages < 100);
        }
        assert!(updated && received == state);
        assert!(outbox.pending(&state).is_empty());
    }

    #[test]
    fn retransmits_grow_with_the_logarithm() {
        assert_eq!([1, 3, 9, 10, 99, 100].map(retransmits), [4, 4, 4, 8, 8, 12]);
    }
}
