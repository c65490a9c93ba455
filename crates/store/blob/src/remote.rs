//! What all bucket services have in common, over the `object_store` crate: everything except
//! conditional creation, which each service does in its own way.

use std::error::Error as _;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::{StreamExt, stream};
use object_store::list::{PaginatedListOptions, PaginatedListStore};
use object_store::path::Path as ObjectPath;
use object_store::{
    BackoffConfig, ClientOptions, GetOptions, GetRange, ObjectMeta, ObjectStore, ObjectStoreExt, PutPayload,
    RetryConfig,
};

use crate::{BlobError, BlobMeta, OBJECT_BYTES_MAX, check_key, check_prefix};

/// A connection that takes longer to open will not open: buckets are near.
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// Somebody waits for a read: two quick retries, then the caller hears of it.
const READ_TIMEOUT: Duration = Duration::from_secs(15);
const READ_RETRIES_MAX: usize = 3;

/// Nobody waits for a write, and giving one up costs more than waiting.
const WRITE_TIMEOUT: Duration = Duration::from_secs(90);
const WRITE_RETRIES_MAX: usize = 6;

/// Keys in one page of a listing: what S3 gives at most.
const LIST_PAGE_KEYS_MAX: usize = 1000;

pub(crate) fn read_options(allow_http: bool) -> (ClientOptions, RetryConfig) {
    options(allow_http, READ_TIMEOUT, READ_RETRIES_MAX, Duration::from_millis(50), Duration::from_secs(1))
}

pub(crate) fn write_options(allow_http: bool) -> (ClientOptions, RetryConfig) {
    options(allow_http, WRITE_TIMEOUT, WRITE_RETRIES_MAX, Duration::from_millis(100), Duration::from_secs(5))
}

fn options(
    allow_http: bool,
    timeout: Duration,
    max_retries: usize,
    init_backoff: Duration,
    max_backoff: Duration,
) -> (ClientOptions, RetryConfig) {
    let client =
        ClientOptions::new().with_allow_http(allow_http).with_connect_timeout(CONNECT_TIMEOUT).with_timeout(timeout);
    let backoff = BackoffConfig { init_backoff, max_backoff, base: 2.0 };
    (client, RetryConfig { backoff, max_retries, retry_timeout: timeout })
}

/// A bucket as two clients, one patient and one not.
pub(crate) struct Remote {
    pub(crate) reads: Arc<dyn ObjectStore>,
    pub(crate) writes: Arc<dyn ObjectStore>,
    pub(crate) lister: Arc<dyn PaginatedListStore>,
}

impl Remote {
    pub(crate) async fn put(&self, key: &str, body: Bytes) -> Result<(), BlobError> {
        let path = object_path(key)?;
        check_size(key, body.len() as u64)?;
        self.writes.put(&path, PutPayload::from_bytes(body)).await.map_err(|e| map_error(key, &e))?;
        Ok(())
    }

    pub(crate) async fn get(&self, key: &str) -> Result<Bytes, BlobError> {
        let path = object_path(key)?;
        let result = self.reads.get(&path).await.map_err(|e| map_error(key, &e))?;
        result.bytes().await.map_err(|e| map_error(key, &e))
    }

    pub(crate) async fn get_range(&self, key: &str, range: Range<u64>) -> Result<Bytes, BlobError> {
        let path = object_path(key)?;
        if range.start == range.end {
            return Ok(Bytes::new());
        }
        let outside = || BlobError::InvalidRange { key: key.to_owned(), start: range.start, end: range.end };
        if range.start > range.end {
            return Err(outside());
        }
        let bytes = match self.reads.get_range(&path, range.clone()).await {
            Ok(bytes) => bytes,
            Err(e) if status_of(&e) == Some(416) || is_range_error(&e) => return Err(outside()),
            Err(e) => return Err(map_error(key, &e)),
        };
        // A range that reaches beyond the end comes back short, and the caller would misread it.
        if bytes.len() as u64 == range.end - range.start { Ok(bytes) } else { Err(outside()) }
    }

    pub(crate) async fn get_suffix(&self, key: &str, len: u64) -> Result<(Bytes, u64), BlobError> {
        let path = object_path(key)?;
        let options = GetOptions { range: Some(GetRange::Suffix(len)), ..GetOptions::default() };
        let result = self.reads.get_opts(&path, options).await.map_err(|e| map_error(key, &e))?;
        let size = result.meta.size;
        let bytes = result.bytes().await.map_err(|e| map_error(key, &e))?;
        Ok((bytes, size))
    }

    pub(crate) async fn head(&self, key: &str) -> Result<BlobMeta, BlobError> {
        let path = object_path(key)?;
        let meta = self.reads.head(&path).await.map_err(|e| map_error(key, &e))?;
        Ok(blob_meta(meta))
    }

    pub(crate) async fn list(
        &self,
        prefix: &str,
        start_after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<BlobMeta>, BlobError> {
        check_prefix(prefix)?;
        let mut found: Vec<BlobMeta> = Vec::new();
        let mut page_token = None;
        while found.len() < limit {
            let options = PaginatedListOptions {
                offset: start_after.map(str::to_owned).filter(|_| page_token.is_none()),
                max_keys: Some((limit - found.len()).min(LIST_PAGE_KEYS_MAX)),
                page_token: page_token.take(),
                ..PaginatedListOptions::default()
            };
            let prefix = Some(prefix).filter(|p| !p.is_empty());
            let page = self.lister.list_paginated(prefix, options).await;
            let page = page.map_err(|e| map_error(prefix.unwrap_or("/"), &e))?;
            found.extend(page.result.objects.into_iter().map(blob_meta));
            page_token = page.page_token;
            if page_token.is_none() {
                break;
            }
        }
        // Some services (S3 directory buckets) list in no order; the catalog would skip objects.
        if !found.is_sorted_by(|a, b| a.key < b.key) {
            let reason = "the bucket does not list in order of keys".to_owned();
            return Err(BlobError::Other { key: prefix.to_owned(), reason });
        }
        found.truncate(limit);
        Ok(found)
    }

    pub(crate) async fn delete(&self, keys: &[String]) -> Result<(), BlobError> {
        let paths = keys.iter().map(|key| object_path(key)).collect::<Result<Vec<_>, _>>()?;
        let mut results = self.writes.delete_stream(stream::iter(paths.into_iter().map(Ok)).boxed());
        let mut failure = Ok(());
        while let Some(result) = results.next().await {
            match result {
                Ok(_) | Err(object_store::Error::NotFound { .. }) => {}
                Err(e) => failure = Err(map_error(keys.first().map_or("", String::as_str), &e)),
            }
        }
        failure
    }
}

pub(crate) fn object_path(key: &str) -> Result<ObjectPath, BlobError> {
    check_key(key)?;
    let fault = |_| BlobError::InvalidKey { key: key.to_owned(), reason: "the client refuses it" };
    ObjectPath::parse(key).map_err(fault)
}

pub(crate) fn check_size(key: &str, bytes: u64) -> Result<(), BlobError> {
    if bytes > OBJECT_BYTES_MAX { Err(BlobError::TooLarge { key: key.to_owned(), bytes }) } else { Ok(()) }
}

fn blob_meta(meta: ObjectMeta) -> BlobMeta {
    let modified_ms = meta.last_modified.timestamp_millis();
    BlobMeta { key: meta.location.into(), size: meta.size, modified_ms }
}

/// Turns the client's error into ours. Only for operations that may be repeated: none of the
/// results claims that a write did not happen.
pub(crate) fn map_error(key: &str, error: &object_store::Error) -> BlobError {
    use object_store::Error as E;
    let key = key.to_owned();
    let reason = chain_text(error);
    match error {
        E::NotFound { .. } => BlobError::NotFound { key },
        E::AlreadyExists { .. } | E::Precondition { .. } => BlobError::AlreadyExists { key },
        E::PermissionDenied { .. } | E::Unauthenticated { .. } => BlobError::Denied { key, reason },
        E::Generic { .. } => match status_of(error) {
            // The client knows these statuses in answers to reads and writes of objects, not to listings.
            Some(401 | 403) => BlobError::Denied { key, reason },
            Some(429) => BlobError::Throttled { key, reason },
            Some(503) if reason.contains("SlowDown") => BlobError::Throttled { key, reason },
            Some(400..=499) => BlobError::Other { key, reason },
            Some(_) | None => BlobError::Unavailable { key, reason },
        },
        _ => BlobError::Other { key, reason },
    }
}

/// The HTTP status behind an error. The client keeps the type that holds it to itself, but prints
/// it in one fixed form; the conformance suite would notice another.
fn status_of(error: &object_store::Error) -> Option<u16> {
    let text = chain_text(error);
    let (_, rest) = text.split_once("status code: ")?;
    rest.get(..3)?.parse().ok()
}

/// The client itself refuses a range that begins beyond the end of the object it was told of.
fn is_range_error(error: &object_store::Error) -> bool {
    let text = chain_text(error);
    text.contains("starting at") && text.contains("bytes long")
}

fn chain_text(error: &object_store::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
}
