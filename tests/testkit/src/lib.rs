//! A cluster in a box: real binaries, an S3 endpoint, Redis, faults, clients.
//!
//! - [`cluster`]: processes on loopback addresses, and everything that can happen to them.
//! - [`client`]: pushes and queries as users' programs do.
//! - [`load`]: a background load that knows what must come back.
//! - [`s3`]: the object store, in this process, with faults.
// A test kit that panics fails the test that uses it, which is what it is for.
#![allow(clippy::unwrap_used)]

pub mod client;
pub mod cluster;
pub mod load;
pub mod s3;

pub use client::{Client, Line};
pub use cluster::{Binaries, Cluster, Process, Redis, Service, Topology};
pub use load::{Load, Oracle};
