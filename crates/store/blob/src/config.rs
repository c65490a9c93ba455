//! Which store to open, as values.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use skald_disk::RealDisk;

use crate::{BlobError, BlobStore, FilesystemStore, MemoryStore, S3Store};

/// A bucket to open with [`open`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreConfig {
    /// A directory of this machine, created if missing. For one machine, or a shared file system
    /// that knows hard links.
    Filesystem {
        /// Where objects go.
        directory: PathBuf,
    },
    /// This process's memory: gone when it ends.
    Memory,
    /// S3 or what speaks its protocol.
    S3(S3Config),
    /// Google Cloud Storage, with credentials from the environment. Untried.
    #[cfg(feature = "gcs")]
    Gcs {
        /// Name of the bucket.
        bucket: String,
    },
    /// Azure Blob Storage, with credentials from the environment. Untried.
    #[cfg(feature = "azure")]
    Azure {
        /// Name of the storage account.
        account: String,
        /// Name of the container.
        container: String,
    },
}

/// A bucket on S3.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct S3Config {
    /// Name of the bucket, which must exist.
    pub bucket: String,
    /// URL of the service, `None` for Amazon's own in `region`.
    pub endpoint: Option<String>,
    /// Region to sign for; `None`: from the environment, else `us-east-1`.
    pub region: Option<String>,
    /// Static credentials; `None`: from the environment (keys, web identity, container), else of
    /// the instance.
    pub access_key_id: Option<String>,
    /// Belongs to `access_key_id`.
    pub secret_access_key: Option<String>,
    /// Belongs to temporary static credentials.
    pub session_token: Option<String>,
    /// Whether the bucket stands in the path of the URL (as MinIO wants it) or in the host name.
    pub path_style: bool,
    /// Whether plain HTTP is allowed. Only where the network is trusted.
    pub allow_http: bool,
}

impl fmt::Debug for S3Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hidden = |secret: &Option<String>| secret.as_ref().map(|_| "***");
        f.debug_struct("S3Config")
            .field("bucket", &self.bucket)
            .field("endpoint", &self.endpoint)
            .field("region", &self.region)
            .field("access_key_id", &self.access_key_id)
            .field("secret_access_key", &hidden(&self.secret_access_key))
            .field("session_token", &hidden(&self.session_token))
            .field("path_style", &self.path_style)
            .field("allow_http", &self.allow_http)
            .finish()
    }
}

/// Opens a store. Blocks for a few file operations with a directory, makes no request otherwise:
/// whether a bucket answers is for [`crate::probe_create_only`] to find out.
pub fn open(config: &StoreConfig) -> Result<Arc<dyn BlobStore>, BlobError> {
    match config {
        StoreConfig::Filesystem { directory } => Ok(Arc::new(FilesystemStore::open(Arc::new(RealDisk), directory)?)),
        StoreConfig::Memory => Ok(Arc::new(MemoryStore::new())),
        StoreConfig::S3(s3) => Ok(Arc::new(S3Store::new(s3)?)),
        #[cfg(feature = "gcs")]
        StoreConfig::Gcs { bucket } => Ok(Arc::new(crate::cloud::CloudStore::gcs(bucket)?)),
        #[cfg(feature = "azure")]
        StoreConfig::Azure { account, container } => Ok(Arc::new(crate::cloud::CloudStore::azure(account, container)?)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_not_printed() {
        let config = S3Config {
            bucket: "logs".into(),
            access_key_id: Some("id".into()),
            secret_access_key: Some("hunter2".into()),
            session_token: Some("hunter3".into()),
            ..S3Config::default()
        };
        let text = format!("{:?}", StoreConfig::S3(config));
        assert!(!text.contains("hunter") && text.contains("logs"), "{text}");
    }

    #[test]
    fn opening_needs_no_service() {
        let dir = tempfile::tempdir().unwrap();
        let s3 = S3Config {
            bucket: "logs".into(),
            endpoint: Some("http://127.0.0.1:1".into()),
            region: Some("us-east-1".into()),
            access_key_id: Some("id".into()),
            secret_access_key: Some("secret".into()),
            path_style: true,
            allow_http: true,
            ..S3Config::default()
        };
        let table = [
            StoreConfig::Filesystem { directory: dir.path().join("a/b") },
            StoreConfig::Memory,
            StoreConfig::S3(S3Config { path_style: false, ..s3.clone() }),
            StoreConfig::S3(s3),
        ];
        for config in table {
            assert!(open(&config).is_ok(), "{config:?}");
        }
    }
}
