//! The query scheduler's contract, see `proto/query.proto`.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use async_trait::async_trait;
use futures::{Stream, StreamExt};
use tonic::{Request, Response, Status, Streaming, transport::Channel};

use super::{Outgoing, OutgoingChannel, RpcStream, unchanged};
use crate::{
    MESSAGE_BYTES_MAX, RpcError,
    pb::{self, query_scheduler_client, query_scheduler_server},
};

/// Between frontends and queriers.
#[async_trait]
pub trait SchedulerApi: Send + Sync + 'static {
    /// Queues a task and waits for its outcome. A task that fails has an error *in* its outcome; `Err`
    /// means that the task was not run to an end. Dropping the future cancels the task.
    async fn execute(&self, request: pb::ExecuteRequest) -> Result<pb::TaskOutcome, RpcError>;
    /// A querier's connection: it sends ready and outcomes, it receives tasks and cancellations. Tasks
    /// under way when either stream ends are given to another querier.
    async fn work(&self, messages: RpcStream<pb::WorkerMessage>) -> Result<RpcStream<pb::SchedulerMessage>, RpcError>;
}

/// A scheduler in another process.
#[derive(Clone, Debug)]
pub struct SchedulerGrpc(query_scheduler_client::QuerySchedulerClient<OutgoingChannel>);

impl SchedulerGrpc {
    /// Speaks over `channel`; calls go out as they are.
    pub fn new(channel: Channel) -> Self {
        Self::with_outgoing(channel, unchanged)
    }

    /// Speaks over `channel`; every call passes `outgoing` first.
    pub fn with_outgoing(channel: Channel, outgoing: Outgoing) -> Self {
        let client = query_scheduler_client::QuerySchedulerClient::with_interceptor(channel, outgoing);
        Self(client.max_decoding_message_size(MESSAGE_BYTES_MAX).max_encoding_message_size(MESSAGE_BYTES_MAX))
    }
}

#[async_trait]
impl SchedulerApi for SchedulerGrpc {
    async fn execute(&self, request: pb::ExecuteRequest) -> Result<pb::TaskOutcome, RpcError> {
        Ok(self.0.clone().execute(request).await?.into_inner())
    }

    async fn work(&self, messages: RpcStream<pb::WorkerMessage>) -> Result<RpcStream<pb::SchedulerMessage>, RpcError> {
        let incoming = self.0.clone().work(UntilFailure(messages)).await?.into_inner();
        Ok(incoming.map(|m| m.map_err(RpcError::from)).boxed())
    }
}

/// The messages before the first failure: the scheduler then sees the querier leave.
struct UntilFailure(RpcStream<pb::WorkerMessage>);

impl Stream for UntilFailure {
    type Item = pb::WorkerMessage;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_next_unpin(cx).map(|next| next.and_then(Result::ok))
    }
}

/// Serves `api` over gRPC.
pub fn scheduler_server(
    api: Arc<dyn SchedulerApi>,
) -> query_scheduler_server::QuerySchedulerServer<impl query_scheduler_server::QueryScheduler> {
    query_scheduler_server::QuerySchedulerServer::new(Adapter(api))
        .max_decoding_message_size(MESSAGE_BYTES_MAX)
        .max_encoding_message_size(MESSAGE_BYTES_MAX)
}

struct Adapter(Arc<dyn SchedulerApi>);

#[async_trait]
impl query_scheduler_server::QueryScheduler for Adapter {
    type WorkStream = Pin<Box<dyn Stream<Item = Result<pb::SchedulerMessage, Status>> + Send>>;

    async fn execute(&self, request: Request<pb::ExecuteRequest>) -> Result<Response<pb::TaskOutcome>, Status> {
        Ok(Response::new(self.0.execute(request.into_inner()).await?))
    }

    async fn work(&self, request: Request<Streaming<pb::WorkerMessage>>) -> Result<Response<Self::WorkStream>, Status> {
        let messages = request.into_inner().map(|m| m.map_err(RpcError::from)).boxed();
        let stream = self.0.work(messages).await?;
        Ok(Response::new(stream.map(|m| m.map_err(Status::from)).boxed()))
    }
}
