//! `storage_config`: the object store. One store per cluster; the block of each kind is read only
//! when the store is of that kind.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::Secret;

/// Kinds of object store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Backend {
    /// The kind whose bucket is set, else the filesystem. Never the value after loading.
    #[default]
    Auto,
    /// A directory. For one process, or a shared mount.
    Filesystem,
    /// S3, MinIO, Ceph and others that speak S3.
    S3,
    /// Google Cloud Storage.
    Gcs,
    /// Azure Blob Storage.
    Azure,
    /// Lost when the process ends. For tests.
    InMemory,
}

/// The object store.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct StorageConfig {
    /// Default `auto`: whichever of the blocks below names a bucket, else `filesystem`. Others:
    /// `filesystem`, `s3`, `gcs`, `azure`, `inmemory`.
    pub backend: Backend,
    /// A directory.
    pub filesystem: FilesystemConfig,
    /// S3, MinIO, Ceph and others.
    pub s3: S3Config,
    /// Google Cloud Storage.
    pub gcs: GcsConfig,
    /// Azure Blob Storage.
    pub azure: AzureConfig,
}

/// A directory as object store; always written with fsync.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct FilesystemConfig {
    /// Default `objects` below `common.path_prefix`.
    pub directory: PathBuf,
}

/// S3 and what speaks it. Without keys the environment and the instance's role are asked.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct S3Config {
    /// Default empty: Amazon's of the region. `host:port` or a URL.
    pub endpoint: String,
    /// Default empty: `us-east-1`.
    pub region: String,
    /// No default. The bucket; the first one, should there be several.
    pub bucketnames: Vec<String>,
    /// Default empty: from the environment or the instance.
    pub access_key_id: String,
    /// Default empty: from the environment or the instance.
    pub secret_access_key: Secret,
    /// Default `false`. On: plain HTTP to an endpoint that has no scheme.
    pub insecure: bool,
    /// Default `false`. On: `endpoint/bucket/key` instead of `bucket.endpoint/key`; MinIO needs it.
    pub s3forcepathstyle: bool,
}

/// Google Cloud Storage. Credentials come from the environment.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct GcsConfig {
    /// No default.
    pub bucket_name: String,
}

/// Azure Blob Storage.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct AzureConfig {
    /// No default.
    pub account_name: String,
    /// Default empty: from the environment.
    pub account_key: Secret,
    /// No default.
    pub container_name: String,
}
