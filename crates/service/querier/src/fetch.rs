//! Stored bytes: from the cache, else from the bucket and then into the cache.

use std::{ops::Range, sync::Arc};

use bytes::Bytes;
use skald_blob::{BlobError, BlobStore};
use skald_cache::{Cache, ReadThrough, cache_key};
use skald_model::TenantId;

use crate::{
    counters::{Counters, add},
    error::Failure,
};

/// Reads ranges of immutable objects through the cache.
pub(crate) struct Fetcher {
    store: Arc<dyn BlobStore>,
    cache: Arc<dyn Cache>,
    /// Index regions are asked for by many tasks at once: one of them fetches.
    indexes: ReadThrough<BlobError>,
}

impl Fetcher {
    pub(crate) fn new(store: Arc<dyn BlobStore>, cache: Arc<dyn Cache>) -> Self {
        Self { store, indexes: ReadThrough::new(cache.clone()), cache }
    }

    /// The index region of a section.
    pub(crate) async fn index(
        &self,
        counters: &Arc<Counters>,
        tenant: &TenantId,
        object: &str,
        range: Range<u64>,
    ) -> Result<Bytes, Failure> {
        let key = cache_key("index", tenant.as_str(), object, &part(&range));
        let (store, object, fetched) = (self.store.clone(), object.to_owned(), counters.clone());
        let bytes = self.indexes.get_or_fetch(&key, async move {
            let bytes = store.get_range(&object, range).await?;
            add(&fetched.bucket_bytes, bytes.len() as u64);
            add(&fetched.bucket_requests, 1);
            Ok(bytes)
        });
        Ok(bytes.await?)
    }

    /// Parts of pages, in the order asked for; what the cache lacks is fetched with as few requests as
    /// make sense.
    pub(crate) async fn pages(
        &self,
        counters: &Counters,
        tenant: &TenantId,
        object: &str,
        ranges: &[Range<u64>],
    ) -> Result<Vec<Bytes>, Failure> {
        let keys: Vec<String> =
            ranges.iter().map(|range| cache_key("page", tenant.as_str(), object, &part(range))).collect();
        let mut found = self.cache.get_many(&keys).await;
        let missing: Vec<usize> = (0..ranges.len()).filter(|&i| found[i].is_none()).collect();
        let cached: u64 = found.iter().flatten().map(|b| b.len() as u64).sum();
        add(&counters.cache_bytes, cached);
        if !missing.is_empty() {
            let wanted: Vec<Range<u64>> = missing.iter().map(|&i| ranges[i].clone()).collect();
            let fetched = self.store.get_ranges(object, &wanted).await?;
            add(&counters.bucket_requests, 1);
            for (i, bytes) in missing.into_iter().zip(fetched) {
                add(&counters.bucket_bytes, bytes.len() as u64);
                // A part of a joined range would keep all of it in the cache's memory.
                let alone = if wanted.len() == 1 { bytes.clone() } else { Bytes::copy_from_slice(&bytes) };
                self.cache.put(&keys[i], alone).await;
                found[i] = Some(bytes);
            }
        }
        found
            .into_iter()
            .map(|b| b.ok_or_else(|| Failure::internal("the bucket gave fewer ranges than asked")))
            .collect()
    }
}

fn part(range: &Range<u64>) -> String {
    format!("{}-{}", range.start, range.end)
}
