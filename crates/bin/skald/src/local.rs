//! Clients of other services: the service itself where it runs in this process, gRPC elsewhere.

use std::sync::{Arc, OnceLock};

use skald_server::{GrpcPool, propagate_request};
use skald_wire::api::{ClientFactory, GatewayApi, GatewayGrpc, IngesterApi, IngesterGrpc, SchedulerApi, SchedulerGrpc};
use tonic::transport::{Channel, Endpoint};

/// The services of this process, and connections to all others.
#[derive(Default)]
pub(crate) struct Peers {
    /// This process's own gRPC address.
    own: String,
    pool: GrpcPool,
    pub(crate) ingester: OnceLock<Arc<dyn IngesterApi>>,
    pub(crate) gateway: OnceLock<Arc<dyn GatewayApi>>,
    pub(crate) scheduler: OnceLock<Arc<dyn SchedulerApi>>,
}

impl Peers {
    pub(crate) fn new(own: String) -> Self {
        Self { own, ..Self::default() }
    }

    /// Clients of ingesters.
    pub(crate) fn ingesters(self: &Arc<Self>) -> ClientFactory<dyn IngesterApi> {
        let this = Arc::clone(self);
        Arc::new(move |addr| match this.ingester.get() {
            Some(own) if addr == this.own => Arc::clone(own),
            _ => Arc::new(IngesterGrpc::with_outgoing(this.channel(addr), propagate_request)),
        })
    }

    /// Clients of index gateways.
    pub(crate) fn gateways(self: &Arc<Self>) -> ClientFactory<dyn GatewayApi> {
        let this = Arc::clone(self);
        Arc::new(move |addr| match this.gateway.get() {
            Some(own) if addr == this.own => Arc::clone(own),
            _ => Arc::new(GatewayGrpc::with_outgoing(this.channel(addr), propagate_request)),
        })
    }

    /// The client of one scheduler.
    pub(crate) fn scheduler(&self, addr: &str) -> Arc<dyn SchedulerApi> {
        match self.scheduler.get() {
            Some(own) if addr == self.own => Arc::clone(own),
            _ => Arc::new(SchedulerGrpc::with_outgoing(self.channel(addr), propagate_request)),
        }
    }

    /// The connection to `addr`. One that is no address gets a connection that always fails, so that the
    /// caller sees an unavailable peer and goes on with the others.
    fn channel(&self, addr: &str) -> Channel {
        self.pool.get(addr).unwrap_or_else(|error| {
            tracing::warn!(%error, "a ring member cannot be reached");
            Endpoint::from_static("http://0.0.0.0:0").connect_lazy()
        })
    }
}
