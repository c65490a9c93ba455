//! The bucket: object storage behind one contract, [`BlobStore`].
//!
//! This crate is a boundary: nothing above it knows whether objects live on S3, in a directory or
//! in memory, and nothing in it knows what objects contain. The commit protocol of the catalog
//! stands on one promise, that creating an object under a taken key fails, so conditional writes
//! are never repeated blindly: what cannot be known is said ([`BlobError::Ambiguous`]).
//!
//! Backends: [`S3Store`], [`FilesystemStore`], [`MemoryStore`], and with the features `gcs` and
//! `azure` (which compile but are untried) `cloud::CloudStore`. Around any of them: [`MeteredStore`]
//! counts, [`FaultStore`] misbehaves on purpose. [`open`] builds one from a [`StoreConfig`].
#![cfg_attr(test, allow(clippy::unwrap_used))] // a test that panics has failed, which is what it is for

#[cfg(any(feature = "gcs", feature = "azure"))]
pub mod cloud;
mod config;
mod error;
mod fault;
mod filesystem;
mod key;
mod memory;
mod metered;
mod probe;
mod ranges;
mod remote;
mod s3;
mod store;

pub use config::{S3Config, StoreConfig, open};
pub use error::BlobError;
pub use fault::{FaultPlan, FaultStore, Operation};
pub use filesystem::FilesystemStore;
pub use key::{KEY_BYTES_MAX, check_key, check_prefix};
pub use memory::MemoryStore;
pub use metered::{MeteredStore, OperationStats, StoreStats};
pub use probe::{ProbeResult, probe_create_only};
pub use ranges::{RANGE_JOIN_BYTES_MAX, RANGE_JOIN_GAP_BYTES, join_ranges};
pub use s3::S3Store;
pub use store::{BlobMeta, BlobStore, OBJECT_BYTES_MAX};
