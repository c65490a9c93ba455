//! A bucket that misbehaves on purpose, by seed, in the ways real ones do.
//!
//! For tests of everything above: requests refused, answers lost after the work, writes that land
//! minutes later or twice. The same seed and the same calls in the same order give the same faults.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::future::BoxFuture;
use parking_lot::Mutex;
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

use crate::{BlobError, BlobMeta, BlobStore};

/// The operations of a [`BlobStore`], for counting and for faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Operation {
    /// `create` and `create_from_file`.
    Create,
    /// `put`.
    Put,
    /// `get`.
    Get,
    /// `get_range`, and each joined range of `get_ranges`.
    GetRange,
    /// `get_suffix`.
    GetSuffix,
    /// `head`.
    Head,
    /// `list`.
    List,
    /// `delete`.
    Delete,
}

impl Operation {
    /// All of them, in the order of their numbers.
    pub const ALL: [Operation; 8] = [
        Operation::Create,
        Operation::Put,
        Operation::Get,
        Operation::GetRange,
        Operation::GetSuffix,
        Operation::Head,
        Operation::List,
        Operation::Delete,
    ];

    /// The name in metrics.
    pub fn name(self) -> &'static str {
        match self {
            Operation::Create => "create",
            Operation::Put => "put",
            Operation::Get => "get",
            Operation::GetRange => "get_range",
            Operation::GetSuffix => "get_suffix",
            Operation::Head => "head",
            Operation::List => "list",
            Operation::Delete => "delete",
        }
    }
}

/// How often which fault strikes, in calls per thousand. The faults of creates exclude each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FaultPlan {
    /// Any call fails with `Unavailable` without effect.
    pub refused: u32,
    /// A create takes effect, but answers `Ambiguous`.
    pub landed: u32,
    /// A create takes no effect and answers `Ambiguous`.
    pub lost: u32,
    /// A create answers `Ambiguous` and takes effect only at [`FaultStore::land_late`].
    pub late: u32,
    /// A create succeeds, and is sent once more at [`FaultStore::land_late`].
    pub doubled: u32,
}

/// Awaited before an operation on a key: a place for tests to wait, reorder or count.
type Hook = Arc<dyn Fn(Operation, &str) -> BoxFuture<'static, ()> + Send + Sync>;

/// The misbehaving store.
pub struct FaultStore {
    inner: Arc<dyn BlobStore>,
    state: Mutex<State>,
}

struct State {
    plan: FaultPlan,
    rng: SmallRng,
    refuse_next: u64,
    late: Vec<(String, Bytes)>,
    hook: Option<Hook>,
}

enum CreateFault {
    None,
    Landed,
    Lost,
    Late,
    Doubled,
}

impl FaultStore {
    /// A store over `inner` without faults until a plan is set.
    pub fn new(inner: Arc<dyn BlobStore>, seed: u64) -> FaultStore {
        let rng = SmallRng::seed_from_u64(seed);
        let state = State { plan: FaultPlan::default(), rng, refuse_next: 0, late: Vec::new(), hook: None };
        FaultStore { inner, state: Mutex::new(state) }
    }

    /// Faults by chance from now on.
    pub fn set_plan(&self, plan: FaultPlan) {
        self.state.lock().plan = plan;
    }

    /// The next `calls` calls fail with `Unavailable` (`u64::MAX`: until further notice).
    pub fn refuse_next(&self, calls: u64) {
        self.state.lock().refuse_next = calls;
    }

    /// Something to await before every operation.
    pub fn set_hook(&self, hook: impl Fn(Operation, &str) -> BoxFuture<'static, ()> + Send + Sync + 'static) {
        self.state.lock().hook = Some(Arc::new(hook));
    }

    /// Sends the creates that are late or doubled, in order, and says how many took effect.
    pub async fn land_late(&self) -> usize {
        let late = std::mem::take(&mut self.state.lock().late);
        let mut landed = 0;
        for (key, body) in late {
            landed += usize::from(self.inner.create(&key, body).await.is_ok());
        }
        landed
    }

    async fn before(&self, operation: Operation, key: &str) -> Result<(), BlobError> {
        let (hook, refused) = {
            let mut state = self.state.lock();
            let forced = state.refuse_next > 0;
            if forced && state.refuse_next != u64::MAX {
                state.refuse_next -= 1;
            }
            let refused = state.plan.refused;
            (state.hook.clone(), forced || state.rng.random_range(0..1000) < refused)
        };
        if let Some(hook) = hook {
            hook(operation, key).await;
        }
        if refused {
            return Err(BlobError::Unavailable { key: key.to_owned(), reason: "simulated".to_owned() });
        }
        Ok(())
    }

    fn create_fault(&self) -> CreateFault {
        let mut state = self.state.lock();
        let plan = state.plan;
        let dice = state.rng.random_range(0..1000);
        let bounds = [plan.landed, plan.lost, plan.late, plan.doubled];
        let mut upto = 0;
        let hit = bounds.iter().position(|share| {
            upto += share;
            dice < upto
        });
        match hit {
            Some(0) => CreateFault::Landed,
            Some(1) => CreateFault::Lost,
            Some(2) => CreateFault::Late,
            Some(_) => CreateFault::Doubled,
            None => CreateFault::None,
        }
    }
}

#[async_trait]
impl BlobStore for FaultStore {
    async fn create(&self, key: &str, body: Bytes) -> Result<(), BlobError> {
        self.before(Operation::Create, key).await?;
        let ambiguous = || BlobError::Ambiguous { key: key.to_owned(), reason: "simulated".to_owned() };
        match self.create_fault() {
            CreateFault::None => self.inner.create(key, body).await,
            CreateFault::Lost => Err(ambiguous()),
            CreateFault::Landed => {
                // Whatever came of it is what the caller will not hear.
                let _ = self.inner.create(key, body).await;
                Err(ambiguous())
            }
            CreateFault::Late => {
                self.state.lock().late.push((key.to_owned(), body));
                Err(ambiguous())
            }
            CreateFault::Doubled => {
                let result = self.inner.create(key, body.clone()).await;
                self.state.lock().late.push((key.to_owned(), body));
                result
            }
        }
    }

    async fn create_from_file(&self, key: &str, file: &Path) -> Result<(), BlobError> {
        let read = tokio::fs::read(file).await;
        let body = read.map_err(|e| BlobError::Other { key: key.to_owned(), reason: e.to_string() })?;
        self.create(key, body.into()).await
    }

    async fn put(&self, key: &str, body: Bytes) -> Result<(), BlobError> {
        self.before(Operation::Put, key).await?;
        self.inner.put(key, body).await
    }

    async fn get(&self, key: &str) -> Result<Bytes, BlobError> {
        self.before(Operation::Get, key).await?;
        self.inner.get(key).await
    }

    async fn get_range(&self, key: &str, range: Range<u64>) -> Result<Bytes, BlobError> {
        self.before(Operation::GetRange, key).await?;
        self.inner.get_range(key, range).await
    }

    async fn get_suffix(&self, key: &str, len: u64) -> Result<(Bytes, u64), BlobError> {
        self.before(Operation::GetSuffix, key).await?;
        self.inner.get_suffix(key, len).await
    }

    async fn head(&self, key: &str) -> Result<BlobMeta, BlobError> {
        self.before(Operation::Head, key).await?;
        self.inner.head(key).await
    }

    async fn list(&self, prefix: &str, start_after: Option<&str>, limit: usize) -> Result<Vec<BlobMeta>, BlobError> {
        self.before(Operation::List, prefix).await?;
        self.inner.list(prefix, start_after, limit).await
    }

    async fn delete(&self, keys: &[String]) -> Result<(), BlobError> {
        self.before(Operation::Delete, keys.first().map_or("", String::as_str)).await?;
        self.inner.delete(keys).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MemoryStore;

    #[tokio::test]
    async fn each_fault_of_a_create() {
        // (plan, answer is ok, there at once, there after landing)
        let every = FaultPlan::default();
        let table = [
            (every, true, true, true),
            (FaultPlan { refused: 1000, ..every }, false, false, false),
            (FaultPlan { landed: 1000, ..every }, false, true, true),
            (FaultPlan { lost: 1000, ..every }, false, false, false),
            (FaultPlan { late: 1000, ..every }, false, false, true),
            (FaultPlan { doubled: 1000, ..every }, true, true, true),
        ];
        for (plan, ok, there, after) in table {
            let inner = Arc::new(MemoryStore::new());
            let store = FaultStore::new(inner.clone(), 1);
            store.set_plan(plan);
            let result = store.create("k", Bytes::from_static(b"v")).await;
            assert_eq!(result.is_ok(), ok, "{plan:?}");
            let ambiguous = matches!(result, Err(BlobError::Ambiguous { .. }));
            assert_eq!(ambiguous, !ok && plan.refused == 0, "{plan:?}");
            assert_eq!(inner.get("k").await.is_ok(), there, "{plan:?}");
            store.land_late().await;
            assert_eq!(inner.get("k").await.is_ok(), after, "{plan:?}");
        }
    }

    #[tokio::test]
    async fn a_doubled_create_comes_back_after_a_delete() {
        let store = FaultStore::new(Arc::new(MemoryStore::new()), 1);
        store.set_plan(FaultPlan { doubled: 1000, ..FaultPlan::default() });
        store.create("k", Bytes::from_static(b"v")).await.unwrap();
        store.delete(&["k".to_owned()]).await.unwrap();
        assert_eq!(store.land_late().await, 1);
        assert!(store.get("k").await.is_ok());
    }

    #[tokio::test]
    async fn refusals_are_counted_and_hooks_awaited() {
        let store = FaultStore::new(Arc::new(MemoryStore::new()), 1);
        let seen = Arc::new(Mutex::new(Vec::new()));
        let log = seen.clone();
        store.set_hook(move |operation, key| {
            log.lock().push((operation, key.to_owned()));
            Box::pin(std::future::ready(()))
        });
        store.refuse_next(2);
        for refused in [true, true, false] {
            assert_eq!(store.put("k", Bytes::new()).await.is_err(), refused);
        }
        assert_eq!(*seen.lock(), vec![(Operation::Put, "k".to_owned()); 3]);
    }
}
