//! The contracts of the internal services.
//!
//! Every trait is implemented three times: by the service itself, by a gRPC client, and by test
//! doubles. A caller holds `Arc<dyn Trait>` and cannot tell which. Cancelling a call by dropping its
//! future leaves the outcome unknown: a push may have been stored, a task may still run for a moment.

mod gateway;
mod ingester;
mod scheduler;

use std::pin::Pin;

use futures::Stream;

pub use gateway::{GatewayApi, GatewayGrpc, gateway_server};
pub use ingester::{IngesterApi, IngesterGrpc, ingester_server};
pub use scheduler::{SchedulerApi, SchedulerGrpc, scheduler_server};

use crate::RpcError;

/// Messages of a streaming call.
pub type RpcStream<T> = Pin<Box<dyn Stream<Item = Result<T, RpcError>> + Send>>;

/// Makes the client for an address (`host:port`); implementations keep connections and hand out clones.
pub type ClientFactory<T> = std::sync::Arc<dyn Fn(&str) -> std::sync::Arc<T> + Send + Sync>;
