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
use tonic::{Request, Status, service::interceptor::InterceptedService, transport::Channel};

pub use gateway::{GatewayApi, GatewayGrpc, gateway_server};
pub use ingester::{IngesterApi, IngesterGrpc, ingester_server};
pub use scheduler::{SchedulerApi, SchedulerGrpc, scheduler_server};

use crate::RpcError;

/// Messages of a streaming call.
pub type RpcStream<T> = Pin<Box<dyn Stream<Item = Result<T, RpcError>> + Send>>;

/// Makes the client for an address (`host:port`); implementations keep connections and hand out clones.
pub type ClientFactory<T> = std::sync::Arc<dyn Fn(&str) -> std::sync::Arc<T> + Send + Sync>;

/// Looks at every call of a client before it goes out: the place where the composition root has ids of
/// requests and traces put into the metadata (`skald_server::propagate_request`).
pub type Outgoing = fn(Request<()>) -> Result<Request<()>, Status>;

/// A connection whose calls pass an [`Outgoing`].
type OutgoingChannel = InterceptedService<Channel, Outgoing>;

// The error is tonic's, and as large as tonic made it.
#[allow(clippy::result_large_err)]
fn unchanged(request: Request<()>) -> Result<Request<()>, Status> {
    Ok(request)
}
