//! Asking the cache first, and fetching what it lacks once, however many ask for it at a time.

use std::collections::HashMap;
use std::future::Future;
use std::sync::Arc;

use bytes::Bytes;
use futures::FutureExt;
use futures::future::{BoxFuture, Shared, WeakShared};
use parking_lot::Mutex;

use crate::Cache;

type Fetch<E> = BoxFuture<'static, Result<Bytes, E>>;

/// A cache in front of a fetch. `E` is the fetch's error, shared by all who waited for it.
///
/// The map of fetches under way holds one entry a key being asked for, so it is bounded by the
/// callers.
pub struct ReadThrough<E: Clone + Send + Sync + 'static> {
    cache: Arc<dyn Cache>,
    flights: Mutex<HashMap<String, WeakShared<Fetch<E>>>>,
}

impl<E: Clone + Send + Sync + 'static> ReadThrough<E> {
    /// Reads through `cache`.
    pub fn new(cache: Arc<dyn Cache>) -> ReadThrough<E> {
        ReadThrough { cache, flights: Mutex::new(HashMap::new()) }
    }

    /// The cache that is read through.
    pub fn cache(&self) -> &Arc<dyn Cache> {
        &self.cache
    }

    /// The cached value, or what `fetch` gives, which is then put into the cache. Concurrent calls
    /// for one key share one fetch and its result, an error included. The fetch goes on as long as
    /// any of the callers waits; when the last is dropped, so is it.
    pub async fn get_or_fetch<F>(&self, key: &str, fetch: F) -> Result<Bytes, E>
    where
        F: Future<Output = Result<Bytes, E>> + Send + 'static,
    {
        if let Some(value) = self.cache.get(key).await {
            return Ok(value);
        }
        let flight = self.join(key, fetch);
        let guard = Leaving { read_through: self, key, flight: Some(flight.clone()) };
        let result = flight.await;
        drop(guard);
        result
    }

    fn join<F>(&self, key: &str, fetch: F) -> Shared<Fetch<E>>
    where
        F: Future<Output = Result<Bytes, E>> + Send + 'static,
    {
        let mut flights = self.flights.lock();
        if let Some(flight) = flights.get(key).and_then(WeakShared::upgrade) {
            return flight;
        }
        let (cache, owned_key) = (self.cache.clone(), key.to_owned());
        let fetch_and_put = async move {
            let value = fetch.await?;
            cache.put(&owned_key, value.clone()).await;
            Ok(value)
        };
        let flight = fetch_and_put.boxed().shared();
        if let Some(weak) = flight.downgrade() {
            flights.insert(key.to_owned(), weak);
        }
        flight
    }
}

/// Takes a finished or abandoned flight out of the map when a caller leaves, by whichever way.
struct Leaving<'a, E: Clone + Send + Sync + 'static> {
    read_through: &'a ReadThrough<E>,
    key: &'a str,
    flight: Option<Shared<Fetch<E>>>,
}

impl<E: Clone + Send + Sync + 'static> Drop for Leaving<'_, E> {
    fn drop(&mut self) {
        let flight = self.flight.take();
        let mut flights = self.read_through.flights.lock();
        // A finished flight cannot be downgraded any more; its result is in the cache by now.
        let finished = flight.as_ref().is_some_and(|f| f.peek().is_some());
        let ours = flights.get(self.key).is_some_and(|weak| match weak.upgrade() {
            Some(current) => flight.as_ref().is_some_and(|f| f.ptr_eq(&current)),
            None => true,
        });
        // Under the lock, so that nobody joins between the count and the removal. Two handles: this
        // one, and the one that was being awaited.
        let last = flight.as_ref().and_then(Shared::strong_count).is_none_or(|count| count <= 2);
        if ours && (finished || last) {
            flights.remove(self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures::future::join_all;
    use tokio::sync::oneshot;

    use super::*;
    use crate::{MemoryCache, MemoryConfig};

    fn read_through() -> ReadThrough<String> {
        ReadThrough::new(Arc::new(MemoryCache::new(MemoryConfig::default())))
    }

    #[tokio::test]
    async fn many_callers_share_one_fetch() {
        let cache = read_through();
        let fetches = Arc::new(AtomicUsize::new(0));
        for result in [Err("gone".to_owned()), Ok(Bytes::from_static(b"v"))] {
            fetches.store(0, Ordering::Relaxed);
            let callers = (0..10).map(|_| {
                let (fetches, result) = (fetches.clone(), result.clone());
                cache.get_or_fetch("k", async move {
                    fetches.fetch_add(1, Ordering::Relaxed);
                    // Each caller's poll moves the shared fetch on by one step: all must have joined.
                    for _ in 0..20 {
                        tokio::task::yield_now().await;
                    }
                    result
                })
            });
            let results = join_all(callers).await;
            assert!(results.iter().all(|r| *r == result), "{results:?}");
            assert_eq!(fetches.load(Ordering::Relaxed), 1);
            assert!(cache.flights.lock().is_empty());
        }
        let cached = cache.get_or_fetch("k", async { unreachable!("the value is cached") }).await;
        assert_eq!(cached, Ok(Bytes::from_static(b"v")));
    }

    #[tokio::test]
    async fn a_caller_that_leaves_takes_nobody_along() {
        let cache = Arc::new(read_through());
        let (send, receive) = oneshot::channel::<()>();
        let leader = cache.get_or_fetch("k", async move {
            receive.await.map_err(|e| e.to_string())?;
            Ok(Bytes::from_static(b"v"))
        });
        let mut leader = Box::pin(leader);
        assert!(futures::poll!(&mut leader).is_pending());
        let mut follower = Box::pin(cache.get_or_fetch("k", async { unreachable!("there is a fetch") }));
        assert!(futures::poll!(&mut follower).is_pending());
        drop(leader);
        send.send(()).unwrap();
        assert_eq!(follower.await, Ok(Bytes::from_static(b"v")));
        assert!(cache.flights.lock().is_empty());
    }

    #[tokio::test]
    async fn an_abandoned_fetch_is_dropped() {
        let cache = read_through();
        let (send, receive) = oneshot::channel::<()>();
        let mut only = Box::pin(cache.get_or_fetch("k", async move {
            receive.await.map_err(|e| e.to_string())?;
            Ok(Bytes::new())
        }));
        assert!(futures::poll!(&mut only).is_pending());
        drop(only);
        assert!(send.is_closed());
        assert!(cache.flights.lock().is_empty());
    }
}
