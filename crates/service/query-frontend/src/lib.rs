//! The query frontend: the read API, splitting, results cache, merging.
//!
//! A request becomes tasks and the tasks' outcomes become Loki's answer. The frontend talks to nobody
//! but the query scheduler: it knows neither ingesters nor segments. The way of a request:
//!
//! - `routes`: HTTP; `request`: parameters and their defaults, with Loki's texts.
//! - `check`: the tenant's limits; `split`: the query cut along time (both pure).
//! - `engine`: parts run through `tasks` (scheduler, retries, deadline), answered from `cache` where
//!   nothing can have changed, put together by `merge`.
//! - `response`: the body, byte by byte.
//!
//! When the client goes away the request's future is dropped, and with it every task of the query.
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test that fails may panic"))]

mod cache;
mod check;
mod endpoints;
mod engine;
mod error;
mod merge;
mod metrics;
mod request;
mod response;
mod routes;
mod service;
mod split;
mod tasks;
#[cfg(test)]
mod tests;

pub use error::QueryError;
pub use service::{QueryFrontend, QueryFrontendParts};
pub use tasks::Schedulers;
