//! Finds out at the start whether a bucket keeps the one promise everything stands on.
//!
//! Some servers accept `If-None-Match` and ignore it, some check it without a lock. With either,
//! two compactors could both win, and rows would vanish.

use bytes::Bytes;
use futures::future::join_all;

use crate::{BlobError, BlobStore};

/// Concurrent creates in the race. The server that raced in our measurements had more than one
/// winner in 97 % of the rounds with so many.
const RACERS: usize = 8;

/// What the probe found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProbeResult {
    /// Creating under a taken key fails, and of concurrent creates one wins.
    Atomic,
    /// A second create succeeded: the server ignores the condition. Do not use it.
    Ignored,
    /// So many concurrent creates succeeded instead of one: the server checks without a lock. Do
    /// not use it.
    Racy {
        /// How many thought they had created the object.
        winners: usize,
    },
    /// The bucket could not be asked; says nothing about its promises.
    Unreachable(BlobError),
}

/// Creates, races and removes a few small objects under `probe/`.
#[allow(clippy::disallowed_methods, reason = "only has to differ between processes; nothing is simulated here")]
pub async fn probe_create_only(store: &dyn BlobStore) -> ProbeResult {
    // Two processes that start together must not probe the same keys.
    let name = format!("probe/{:016x}", rand::random::<u64>());
    let keys = [format!("{name}-twice"), format!("{name}-race")];
    let result = match probe(store, &keys).await {
        Ok(result) => result,
        Err(e) => ProbeResult::Unreachable(e),
    };
    // Left-overs harm nobody, and a bucket without the right to delete is still a good one.
    let _ = store.delete(&keys).await;
    result
}

async fn probe(store: &dyn BlobStore, [twice, race]: &[String; 2]) -> Result<ProbeResult, BlobError> {
    let first = Bytes::from_static(b"first");
    match store.create(twice, first.clone()).await {
        // Nobody else knows the key, so what is there is ours.
        Ok(()) | Err(BlobError::Ambiguous { .. } | BlobError::AlreadyExists { .. }) => {}
        Err(e) => return Err(e),
    }
    let second = store.create(twice, Bytes::from_static(b"second")).await;
    if second.is_ok() || store.get(twice).await? != first {
        return Ok(ProbeResult::Ignored);
    }
    if let Err(e) = second
        && !matches!(e, BlobError::AlreadyExists { .. } | BlobError::Ambiguous { .. })
    {
        return Err(e);
    }
    let racers = (0..RACERS).map(|i| store.create(race, Bytes::from(format!("racer {i}"))));
    let winners = join_all(racers).await.into_iter().filter(Result::is_ok).count();
    // None is possible: conflicts are ambiguous for every racer on some servers.
    Ok(if winners <= 1 { ProbeResult::Atomic } else { ProbeResult::Racy { winners } })
}
