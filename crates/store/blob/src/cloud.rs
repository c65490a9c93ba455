//! Google Cloud Storage and Azure Blob Storage. This compiles; nobody has run it against either.
//!
//! Both are used as `object_store` offers them, with credentials from the environment. Creates go
//! out once, without the client's own retries, for the reason given in the S3 backend; a file is
//! read into memory for its upload.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use object_store::{ObjectStore, PutMode, PutOptions, PutPayload, RetryConfig};

use crate::remote::{self, Remote, check_size, object_path};
use crate::{BlobError, BlobMeta, BlobStore};

/// A bucket or container of a cloud other than Amazon's.
pub struct CloudStore {
    remote: Remote,
    /// Sends every request once.
    once: Arc<dyn ObjectStore>,
}

fn once() -> RetryConfig {
    RetryConfig { max_retries: 0, ..RetryConfig::default() }
}

impl CloudStore {
    /// A bucket on Google Cloud Storage.
    #[cfg(feature = "gcs")]
    pub fn gcs(bucket: &str) -> Result<CloudStore, BlobError> {
        use object_store::gcp::GoogleCloudStorageBuilder;
        let _ = rustls::crypto::ring::default_provider().install_default();
        let build = |(client, retry)| {
            let builder = GoogleCloudStorageBuilder::from_env().with_bucket_name(bucket);
            builder.with_client_options(client).with_retry(retry).build().map(Arc::new)
        };
        let fault = |e: object_store::Error| BlobError::Other { key: bucket.to_owned(), reason: e.to_string() };
        let reads = build(remote::read_options(false)).map_err(fault)?;
        let writes = build(remote::write_options(false)).map_err(fault)?;
        let once = build((remote::write_options(false).0, once())).map_err(fault)?;
        Ok(CloudStore { remote: Remote { lister: reads.clone(), reads, writes }, once })
    }

    /// A container on Azure Blob Storage.
    #[cfg(feature = "azure")]
    pub fn azure(account: &str, container: &str) -> Result<CloudStore, BlobError> {
        use object_store::azure::MicrosoftAzureBuilder;
        let _ = rustls::crypto::ring::default_provider().install_default();
        let build = |(client, retry)| {
            let builder = MicrosoftAzureBuilder::from_env().with_account(account).with_container_name(container);
            builder.with_client_options(client).with_retry(retry).build().map(Arc::new)
        };
        let fault = |e: object_store::Error| BlobError::Other { key: container.to_owned(), reason: e.to_string() };
        let reads = build(remote::read_options(false)).map_err(fault)?;
        let writes = build(remote::write_options(false)).map_err(fault)?;
        let once = build((remote::write_options(false).0, once())).map_err(fault)?;
        Ok(CloudStore { remote: Remote { lister: reads.clone(), reads, writes }, once })
    }
}

#[async_trait]
impl BlobStore for CloudStore {
    async fn create(&self, key: &str, body: Bytes) -> Result<(), BlobError> {
        let path = object_path(key)?;
        check_size(key, body.len() as u64)?;
        let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
        match self.once.put_opts(&path, PutPayload::from_bytes(body), options).await {
            Ok(_) => Ok(()),
            Err(e) => Err(match remote::map_error(key, &e) {
                // The client does not tell a refused request from a lost answer.
                BlobError::Unavailable { key, reason } => BlobError::Ambiguous { key, reason },
                other => other,
            }),
        }
    }

    async fn create_from_file(&self, key: &str, file: &Path) -> Result<(), BlobError> {
        let read = tokio::fs::read(file).await;
        let body = read.map_err(|e| BlobError::Other { key: key.to_owned(), reason: e.to_string() })?;
        self.create(key, body.into()).await
    }

    async fn put(&self, key: &str, body: Bytes) -> Result<(), BlobError> {
        self.remote.put(key, body).await
    }

    async fn get(&self, key: &str) -> Result<Bytes, BlobError> {
        self.remote.get(key).await
    }

    async fn get_range(&self, key: &str, range: Range<u64>) -> Result<Bytes, BlobError> {
        self.remote.get_range(key, range).await
    }

    async fn get_suffix(&self, key: &str, len: u64) -> Result<(Bytes, u64), BlobError> {
        self.remote.get_suffix(key, len).await
    }

    async fn head(&self, key: &str) -> Result<BlobMeta, BlobError> {
        self.remote.head(key).await
    }

    async fn list(&self, prefix: &str, start_after: Option<&str>, limit: usize) -> Result<Vec<BlobMeta>, BlobError> {
        self.remote.list(prefix, start_after, limit).await
    }

    async fn delete(&self, keys: &[String]) -> Result<(), BlobError> {
        self.remote.delete(keys).await
    }
}
