//! A cluster in a box: real binaries, an S3 endpoint, Redis, faults, clients.
// A test kit that panics fails the test that uses it, which is what it is for.
#![allow(clippy::unwrap_used)]

pub mod s3;
