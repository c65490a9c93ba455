//! The kit every process is made with: two ports, a lifecycle, readiness, metrics, logs, status pages.
//!
//! A process binds ([`Server::bind`]), which answers `/ready` and the status pages at once, builds its
//! services, and mounts their routes ([`Server::mount`]). Where to look:
//!
//! - [`Lifecycle`]: services and their states, readiness, signals, drain steps, the shutdown token.
//! - [`ApiError`]: the one mapping from errors to HTTP answers.
//! - [`Tenant`], [`Tenants`]: whose request it is.
//! - [`Metrics`], [`logging`], [`Clock`]: what a service is handed.
//! - [`GrpcPool`]: connections to other services.
//! - [`Overrides`]: per-tenant limits, reloaded while running.
//!
//! This crate is a boundary: what is public here is used by every service. It knows no service.

#![cfg_attr(test, allow(clippy::unwrap_used))] // a failing test may panic

mod address;
mod admin;
mod build;
mod clock;
mod error;
mod grpc_pool;
mod instrument;
mod lifecycle;
pub mod logging;
mod metrics;
mod process;
mod reload;
mod request_id;
mod serve;
mod server;
mod tenant;
#[cfg(test)]
mod tests;

pub use address::advertise_address;
pub use build::BuildInfo;
pub use clock::{Clock, system_clock};
pub use error::{ApiError, CLIENT_CLOSED_REQUEST, TIMEOUT_TEXT};
pub use grpc_pool::{BadAddress, GrpcPool};
pub use lifecycle::{Lifecycle, ServiceHandle, ServiceState};
pub use metrics::{METRICS_CONTENT_TYPE, Metrics, duration_histogram};
pub use reload::{Overrides, OverridesError};
pub use request_id::{
    REQUEST_ID, current_request_id, in_current_request, propagate_request, put_request_id, with_request_id,
};
pub use server::{Mount, Server, ServerError, ServerParts, gzip};
pub use tenant::{ORG_ID, Tenant, TenantPolicy, Tenants, put_tenant, tenant_of_metadata};
