//! The ingester's contract, see `proto/ingester.proto`.

use std::sync::Arc;

use async_trait::async_trait;
use futures::StreamExt;
use tonic::{Request, Response, Status, transport::Channel};

use super::{Outgoing, OutgoingChannel, RpcStream, unchanged};
use crate::{
    MESSAGE_BYTES_MAX, RpcError,
    pb::{self, ingester_client, ingester_server},
};

/// What an ingester does for distributors and queriers.
#[async_trait]
pub trait IngesterApi: Send + Sync + 'static {
    /// Appends batches; `Ok` means that all streams not named in the outcome are durable.
    async fn push(&self, request: pb::PushBatches) -> Result<pb::PushOutcome, RpcError>;
    /// Rows in memory; the first part carries the commit vector, also when there are no rows.
    async fn query(&self, request: pb::QueryRows) -> Result<RpcStream<pb::QueryRowsPart>, RpcError>;
    /// Streams in memory.
    async fn streams(&self, request: pb::Selection) -> Result<pb::StreamsAnswer, RpcError>;
    /// The time range in memory.
    async fn bounds(&self, request: pb::BoundsRequest) -> Result<pb::BoundsAnswer, RpcError>;
    /// New rows as they arrive.
    async fn tail(&self, request: pb::TailRequest) -> Result<RpcStream<pb::TailPart>, RpcError>;
}

/// An ingester in another process.
#[derive(Clone, Debug)]
pub struct IngesterGrpc(ingester_client::IngesterClient<OutgoingChannel>);

impl IngesterGrpc {
    /// Speaks over `channel`; calls go out as they are.
    pub fn new(channel: Channel) -> Self {
        Self::with_outgoing(channel, unchanged)
    }

    /// Speaks over `channel`; every call passes `outgoing` first.
    pub fn with_outgoing(channel: Channel, outgoing: Outgoing) -> Self {
        let client = ingester_client::IngesterClient::with_interceptor(channel, outgoing);
        Self(client.max_decoding_message_size(MESSAGE_BYTES_MAX).max_encoding_message_size(MESSAGE_BYTES_MAX))
    }
}

#[async_trait]
impl IngesterApi for IngesterGrpc {
    async fn push(&self, request: pb::PushBatches) -> Result<pb::PushOutcome, RpcError> {
        Ok(self.0.clone().push(request).await?.into_inner())
    }

    async fn query(&self, request: pb::QueryRows) -> Result<RpcStream<pb::QueryRowsPart>, RpcError> {
        let stream = self.0.clone().query(request).await?.into_inner();
        Ok(stream.map(|part| part.map_err(RpcError::from)).boxed())
    }

    async fn streams(&self, request: pb::Selection) -> Result<pb::StreamsAnswer, RpcError> {
        Ok(self.0.clone().streams(request).await?.into_inner())
    }

    async fn bounds(&self, request: pb::BoundsRequest) -> Result<pb::BoundsAnswer, RpcError> {
        Ok(self.0.clone().bounds(request).await?.into_inner())
    }

    async fn tail(&self, request: pb::TailRequest) -> Result<RpcStream<pb::TailPart>, RpcError> {
        let stream = self.0.clone().tail(request).await?.into_inner();
        Ok(stream.map(|part| part.map_err(RpcError::from)).boxed())
    }
}

/// Serves `api` over gRPC.
pub fn ingester_server(api: Arc<dyn IngesterApi>) -> ingester_server::IngesterServer<impl ingester_server::Ingester> {
    ingester_server::IngesterServer::new(Adapter(api))
        .max_decoding_message_size(MESSAGE_BYTES_MAX)
        .max_encoding_message_size(MESSAGE_BYTES_MAX)
}

struct Adapter(Arc<dyn IngesterApi>);

type ServerStream<T> = std::pin::Pin<Box<dyn futures::Stream<Item = Result<T, Status>> + Send>>;

#[async_trait]
impl ingester_server::Ingester for Adapter {
    type QueryStream = ServerStream<pb::QueryRowsPart>;
    type TailStream = ServerStream<pb::TailPart>;

    async fn push(&self, request: Request<pb::PushBatches>) -> Result<Response<pb::PushOutcome>, Status> {
        Ok(Response::new(self.0.push(request.into_inner()).await?))
    }

    async fn query(&self, request: Request<pb::QueryRows>) -> Result<Response<Self::QueryStream>, Status> {
        let stream = self.0.query(request.into_inner()).await?;
        Ok(Response::new(stream.map(|part| part.map_err(Status::from)).boxed()))
    }

    async fn streams(&self, request: Request<pb::Selection>) -> Result<Response<pb::StreamsAnswer>, Status> {
        Ok(Response::new(self.0.streams(request.into_inner()).await?))
    }

    async fn bounds(&self, request: Request<pb::BoundsRequest>) -> Result<Response<pb::BoundsAnswer>, Status> {
        Ok(Response::new(self.0.bounds(request.into_inner()).await?))
    }

    async fn tail(&self, request: Request<pb::TailRequest>) -> Result<Response<Self::TailStream>, Status> {
        let stream = self.0.tail(request.into_inner()).await?;
        Ok(Response::new(stream.map(|part| part.map_err(Status::from)).boxed()))
    }
}
