use std::sync::atomic::{AtomicU64, Ordering};

use skald_blob::{BlobStore, MemoryStore, MeteredStore, Operation};
use skald_model::Timestamp;

use super::*;
use crate::{Change, CommitId, RootOutcome, keys, samples::vector};

const GRACE: Duration = Duration::from_secs(100);

struct Setup {
    store: Arc<MeteredStore>,
    catalog: Catalog,
    seconds: Arc<AtomicU64>,
    tip: Arc<Content>,
}

impl Setup {
    fn new() -> Self {
        let store = Arc::new(MeteredStore::new(Arc::new(MemoryStore::new())));
        let catalog = Catalog::new(store.clone(), 0);
        Self { store, catalog, seconds: Arc::default(), tip: Arc::new(Content::genesis(0)) }
    }

    fn cursor(&self) -> RootCursor {
        let seconds = self.seconds.clone();
        let clock = Arc::new(move || Duration::from_secs(seconds.load(Ordering::Relaxed)));
        RootCursor::new(self.catalog.clone(), clock, GRACE)
    }

    async fn commit(&mut self, id: u128, consumed: &str) {
        let change = Change { consumed: vector(consumed), ..Change::default() };
        match self.catalog.commit(&self.tip, CommitId(id), Timestamp(0), change).await.unwrap() {
            RootOutcome::Committed(content) => self.tip = content,
            RootOutcome::Lost => panic!("nobody else commits"),
        }
    }
}

#[tokio::test]
async fn steps_without_listing_while_young_and_lists_after() {
    let mut setup = Setup::new();
    let mut cursor = setup.cursor();
    assert!(!cursor.is_young());
    // seconds | commits before | generation after | LISTs so far
    let steps =
        [(0, 0, 0, 1), (10, 1, 1, 1), (20, 3, 4, 1), (69, 0, 4, 1), (119, 1, 5, 2), (168, 0, 5, 2), (300, 2, 7, 3)];
    for (at, commits, generation, lists) in steps {
        for i in 0..commits {
            setup.commit(at * 10 + i, "").await;
        }
        setup.seconds.store(at as u64, Ordering::Relaxed);
        assert_eq!(cursor.refresh().await.unwrap().root().generation, generation, "at {at}");
        assert_eq!(setup.store.stats().of(Operation::List).requests, lists, "LISTs at {at}");
        assert!(cursor.is_young());
    }
}

/// A create that lands late under a collected generation must not lead a cursor astray.
#[tokio::test]
async fn an_old_cursor_does_not_walk_into_a_re_created_generation() {
    let mut setup = Setup::new();
    setup.commit(1, "a1").await;
    let mut cursor = setup.cursor();
    cursor.refresh().await.unwrap();
    let first = setup.tip.clone();
    setup.commit(2, "a2").await;
    setup.commit(3, "a3").await;
    setup.store.delete(&[keys::root_key(0, 2)]).await.unwrap();
    setup.tip = first;
    setup.commit(9, "a1 b1").await;
    setup.seconds.store(GRACE.as_secs(), Ordering::Relaxed);
    assert_eq!(cursor.refresh().await.unwrap().root().commit, CommitId(3));
}

#[tokio::test]
async fn only_one_commit_wins_a_generation() {
    let setup = Setup::new();
    let base = Content::genesis(0);
    let commit = |id| setup.catalog.commit(&base, CommitId(id), Timestamp(0), Change::default());
    assert!(matches!(commit(1).await.unwrap(), RootOutcome::Committed(_)));
    assert!(matches!(commit(2).await.unwrap(), RootOutcome::Lost));
    assert!(matches!(commit(1).await.unwrap(), RootOutcome::Committed(_)), "the same attempt again is no loss");
}
