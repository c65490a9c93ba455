//! The query scheduler: fair queues per tenant between frontends and queriers.
//!
//! A frontend hands in a task and waits; a querier connects, says how many tasks it takes at a time,
//! and receives them. Tenants take turns, a tenant's own tasks come in order. The scheduler knows
//! nothing of queries: it sees tasks, tenants, deadlines and queriers. It keeps no state that outlives
//! it: whoever waits for a task when it dies gets an error and asks again.
//!
//! - [`queue`](FairQueue): who is next (pure).
//! - `state`: which task is where: queued, at a querier, gone (pure but for the channels it fills).
//! - `service`: the contract [`skald_wire::api::SchedulerApi`] on top.
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test that fails may panic"))]

mod metrics;
mod queue;
mod service;
mod state;

pub use queue::{FairQueue, TooMany};
pub use service::{QueryScheduler, QuerySchedulerParts};
