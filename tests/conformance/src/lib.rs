//! One suite per contract: every implementation of a trait keeps the same promises.
//!
//! A suite is a function over the trait that panics where a promise is broken; `tests/` runs it for
//! each implementation, the ones that only tests use included, since a double that promises more
//! than the real thing makes the tests above it worthless.
// A suite that panics fails the test that runs it, which is what it is for.
#![allow(clippy::unwrap_used)]

pub mod blob;
pub mod cache;
