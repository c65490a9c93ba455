//! The index gateway's contract, see `proto/gateway.proto`.

use std::sync::Arc;

use async_trait::async_trait;
use tonic::{Request, Response, Status, transport::Channel};

use super::{Outgoing, OutgoingChannel, unchanged};
use crate::{
    MESSAGE_BYTES_MAX, RpcError,
    pb::{self, index_gateway_client, index_gateway_server},
};

/// What an index gateway does for queriers, ingesters and compactors.
#[async_trait]
pub trait GatewayApi: Send + Sync + 'static {
    /// The sections that may hold rows, in a view that covers what the request needs.
    async fn view(&self, request: pb::ViewRequest) -> Result<pb::ViewAnswer, RpcError>;
    /// Learns a committed log object. Losing this call loses nothing: the gateway finds the object when it must.
    async fn committed(&self, notice: pb::CommitNotice) -> Result<(), RpcError>;
    /// Learns a committed root.
    async fn rooted(&self, notice: pb::RootNotice) -> Result<(), RpcError>;
    /// Up to where each writer's log has been seen.
    async fn seen(&self) -> Result<pb::CommitVector, RpcError>;
}

/// A gateway in another process.
#[derive(Clone, Debug)]
pub struct GatewayGrpc(index_gateway_client::IndexGatewayClient<OutgoingChannel>);

impl GatewayGrpc {
    /// Speaks over `channel`; calls go out as they are.
    pub fn new(channel: Channel) -> Self {
        Self::with_outgoing(channel, unchanged)
    }

    /// Speaks over `channel`; every call passes `outgoing` first.
    pub fn with_outgoing(channel: Channel, outgoing: Outgoing) -> Self {
        let client = index_gateway_client::IndexGatewayClient::with_interceptor(channel, outgoing);
        Self(client.max_decoding_message_size(MESSAGE_BYTES_MAX).max_encoding_message_size(MESSAGE_BYTES_MAX))
    }
}

#[async_trait]
impl GatewayApi for GatewayGrpc {
    async fn view(&self, request: pb::ViewRequest) -> Result<pb::ViewAnswer, RpcError> {
        Ok(self.0.clone().view(request).await?.into_inner())
    }

    async fn committed(&self, notice: pb::CommitNotice) -> Result<(), RpcError> {
        self.0.clone().committed(notice).await?;
        Ok(())
    }

    async fn rooted(&self, notice: pb::RootNotice) -> Result<(), RpcError> {
        self.0.clone().rooted(notice).await?;
        Ok(())
    }

    async fn seen(&self) -> Result<pb::CommitVector, RpcError> {
        Ok(self.0.clone().seen(pb::Empty {}).await?.into_inner())
    }
}

/// Serves `api` over gRPC.
pub fn gateway_server(
    api: Arc<dyn GatewayApi>,
) -> index_gateway_server::IndexGatewayServer<impl index_gateway_server::IndexGateway> {
    index_gateway_server::IndexGatewayServer::new(Adapter(api))
        .max_decoding_message_size(MESSAGE_BYTES_MAX)
        .max_encoding_message_size(MESSAGE_BYTES_MAX)
}

struct Adapter(Arc<dyn GatewayApi>);

#[async_trait]
impl index_gateway_server::IndexGateway for Adapter {
    async fn view(&self, request: Request<pb::ViewRequest>) -> Result<Response<pb::ViewAnswer>, Status> {
        Ok(Response::new(self.0.view(request.into_inner()).await?))
    }

    async fn committed(&self, request: Request<pb::CommitNotice>) -> Result<Response<pb::Empty>, Status> {
        self.0.committed(request.into_inner()).await?;
        Ok(Response::new(pb::Empty {}))
    }

    async fn rooted(&self, request: Request<pb::RootNotice>) -> Result<Response<pb::Empty>, Status> {
        self.0.rooted(request.into_inner()).await?;
        Ok(Response::new(pb::Empty {}))
    }

    async fn seen(&self, _: Request<pb::Empty>) -> Result<Response<pb::CommitVector>, Status> {
        Ok(Response::new(self.0.seen().await?))
    }
}
