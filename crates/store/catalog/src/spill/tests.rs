use std::{collections::BTreeMap, sync::Arc};

use super::*;
use crate::{
    Change, CommitId, Content,
    samples::{entry, section},
};
use skald_model::Timestamp;

/// Commits `changes` one after another, spilling each time, and compares with a map.
#[test]
fn pages_hold_what_was_added_and_not_removed() {
    let mut content = Content::genesis(0);
    let mut expect: BTreeMap<EntryKey, Entry> = BTreeMap::new();
    let mut pages_of: BTreeMap<u128, Bytes> = BTreeMap::new();
    let mut state = 12345u64;
    let mut random = |bound: u64| {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 33) % bound
    };
    for round in 0..40u64 {
        let added: Vec<Entry> = (0..random(60))
            .map(|i| {
                let at = random(20_000) as i64 - 10_000;
                let owner = ["a", "b", "c"][random(3) as usize];
                entry(&format!("seg/0/20260101/{round}"), section(owner, at, at + 5, i * 1000, "x1"))
            })
            .collect();
        let removed: Vec<EntryKey> = expect.keys().filter(|_| random(6) == 0).cloned().collect();
        for key in &removed {
            expect.remove(key);
        }
        expect.extend(added.iter().map(|e| (e.key(), e.clone())));
        let change = Change { added, removed, ..Change::default() };
        let mut root = content.root().successor(CommitId(round.into()), Timestamp(0), change);
        if random(3) > 0 {
            let touched: Vec<&EntryTable> = touched_pages(&root).into_iter().map(|i| &**content.page(i)).collect();
            let (spilled, written) = spill(&root, &touched);
            pages_of.extend(written.into_iter().map(|(page, bytes)| (page.hash, bytes)));
            assert!(spilled.added.is_empty() && spilled.removed.is_empty());
            root = Root::decode(&spilled.encode()).unwrap();
        }
        let tables = root.pages.iter().map(|p| Arc::new(page::decode_page(p, &pages_of[&p.hash]).unwrap())).collect();
        content = Content::new(Arc::new(root), tables);
        let mut got: Vec<EntryKey> = content.entries().map(Entry::key).collect();
        got.sort();
        assert_eq!(got, expect.keys().cloned().collect::<Vec<_>>(), "round {round}");
    }
}

#[test]
fn large_deltas_spill_into_pages_of_bounded_size() {
    let many: Vec<Entry> = (0..15_000)
        .map(|i| entry("seg/0/20260101/A", section(&format!("tenant-{i:05}"), 0, 5, i * 1000, "x1")))
        .collect();
    let few = Root::genesis(0).successor(
        CommitId(1),
        Timestamp(0),
        Change { added: many[..10].to_vec(), ..Change::default() },
    );
    assert!(!needs_spill(&few));
    let root = Root::genesis(0).successor(CommitId(1), Timestamp(0), Change { added: many, ..Change::default() });
    assert!(needs_spill(&root));
    let (spilled, pages) = spill(&root, &[]);
    assert!(pages.len() > 1 && pages.iter().all(|(_, bytes)| bytes.len() <= PAGE_BYTES_MAX));
    assert!(spilled.encode().len() < DELTA_BYTES_MAX);
    let again = spilled.successor(
        CommitId(2),
        Timestamp(0),
        Change { added: vec![entry("seg/0/20260102/B", section("zz", 5, 6, 0, "x2"))], ..Change::default() },
    );
    assert_eq!(touched_pages(&again), [spilled.pages.len() - 1], "other pages are named again, not rewritten");
}
