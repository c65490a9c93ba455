//! The scheduler as others see it: [`SchedulerApi`] around the state.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use futures::StreamExt;
use parking_lot::Mutex;
use prometheus_client::registry::Registry;
use skald_wire::{
    RpcError,
    api::{RpcStream, SchedulerApi},
    pb,
};
use tokio::sync::{Notify, mpsc, oneshot};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;

use crate::{
    metrics::Metrics,
    state::{MESSAGES_MAX, State},
};

/// What a scheduler is made of.
pub struct QuerySchedulerParts<'a> {
    /// How many tasks of one tenant may wait; more are refused with "too many outstanding requests"
    /// (`query_scheduler.max_outstanding_requests_per_tenant`).
    pub max_outstanding_requests_per_tenant: usize,
    /// Where its metrics go.
    pub registry: &'a mut Registry,
}

/// A running scheduler.
pub struct QueryScheduler {
    state: Arc<Mutex<State>>,
    /// Rung whenever a task has left the scheduler: shutdown waits for the last one.
    left: Arc<Notify>,
    stopped: CancellationToken,
}

impl QueryScheduler {
    /// Starts it; it has no background work of its own.
    pub fn start(parts: QuerySchedulerParts<'_>) -> Arc<Self> {
        let state = State::new(parts.max_outstanding_requests_per_tenant, Metrics::new(parts.registry));
        Arc::new(Self {
            state: Arc::new(Mutex::new(state)),
            left: Arc::new(Notify::new()),
            stopped: CancellationToken::new(),
        })
    }

    /// Refuses new tasks, waits at most `patience` for those under way, then ends all streams.
    pub async fn shutdown(&self, patience: Duration) {
        self.state.lock().close();
        let drained = async {
            loop {
                let left = self.left.notified();
                if self.state.lock().is_idle() {
                    return;
                }
                left.await;
            }
        };
        if tokio::time::timeout(patience, drained).await.is_err() {
            tracing::warn!("query scheduler stops with tasks under way");
        }
        self.state.lock().abandon();
        self.stopped.cancel();
    }
}

/// Takes a task out when its caller stops waiting, for whatever reason.
struct GiveUp {
    state: Arc<Mutex<State>>,
    left: Arc<Notify>,
    tenant: String,
    number: u64,
}

impl Drop for GiveUp {
    fn drop(&mut self) {
        self.state.lock().give_up(&self.tenant, self.number);
        self.left.notify_waiters();
    }
}

#[async_trait]
impl SchedulerApi for QueryScheduler {
    async fn execute(&self, request: pb::ExecuteRequest) -> Result<pb::TaskOutcome, RpcError> {
        let (answer, outcome) = oneshot::channel();
        let (tenant, timeout_ms) = (request.tenant.clone(), request.timeout_ms);
        let number = self.state.lock().add(request, answer, Instant::now())?;
        let _guard = GiveUp { state: self.state.clone(), left: self.left.clone(), tenant, number };
        let outcome = async {
            outcome.await.unwrap_or_else(|_| Err(RpcError::Unavailable("the query scheduler is stopping".into())))
        };
        if timeout_ms == 0 {
            return outcome.await;
        }
        let timeout = tokio::time::timeout(Duration::from_millis(timeout_ms), outcome).await;
        timeout.unwrap_or_else(|_| Err(RpcError::Deadline(format!("no answer within {timeout_ms} ms"))))
    }

    async fn work(
        &self,
        mut messages: RpcStream<pb::WorkerMessage>,
    ) -> Result<RpcStream<pb::SchedulerMessage>, RpcError> {
        let (sender, receiver) = mpsc::channel(MESSAGES_MAX);
        let worker = self.state.lock().connect(sender.clone())?;
        let (state, left, stopped) = (self.state.clone(), self.left.clone(), self.stopped.clone());
        // Ends when the querier does (either stream) or the scheduler stops; then nothing is left behind.
        tokio::spawn(async move {
            loop {
                let message = tokio::select! {
                    message = messages.next() => message,
                    () = sender.closed() => None,
                    () = stopped.cancelled() => None,
                };
                let Some(Ok(message)) = message else { break };
                let now = Instant::now();
                match message.message {
                    Some(pb::worker_message::Message::Ready(ready)) => state.lock().ready(worker, ready, now),
                    Some(pb::worker_message::Message::Done(done)) => state.lock().done(worker, done, now),
                    None => {}
                }
            }
            state.lock().disconnect(worker, Instant::now());
            left.notify_waiters();
        });
        Ok(ReceiverStream::new(receiver).map(Ok).boxed())
    }
}

#[cfg(test)]
mod tests {
    use skald_wire::pb::{scheduler_message, worker_message};

    use super::*;

    fn scheduler() -> Arc<QueryScheduler> {
        let registry = &mut Registry::default();
        QueryScheduler::start(QuerySchedulerParts { max_outstanding_requests_per_tenant: 2, registry })
    }

    fn request(id: &str) -> pb::ExecuteRequest {
        pb::ExecuteRequest { tenant: "t".into(), task: None, request_id: id.into(), timeout_ms: 60_000 }
    }

    /// A querier in the test's hands.
    struct Querier {
        messages: mpsc::Sender<Result<pb::WorkerMessage, RpcError>>,
        incoming: RpcStream<pb::SchedulerMessage>,
    }

    impl Querier {
        async fn connect(scheduler: &QueryScheduler, slots: u32) -> Self {
            let (messages, receiver) = mpsc::channel(16);
            let incoming = scheduler.work(ReceiverStream::new(receiver).boxed()).await.unwrap();
            let querier = Self { messages, incoming };
            querier.say(worker_message::Message::Ready(pb::WorkerReady { querier: "q".into(), slots })).await;
            querier
        }

        async fn say(&self, message: worker_message::Message) {
            self.messages.send(Ok(pb::WorkerMessage { message: Some(message) })).await.unwrap();
        }

        async fn hear(&mut self) -> scheduler_message::Message {
            self.incoming.next().await.unwrap().unwrap().message.unwrap()
        }

        /// The next message, which starts a task: its number and request id.
        async fn task(&mut self) -> (u64, String) {
            match self.hear().await {
                scheduler_message::Message::Start(start) => (start.id, start.request.unwrap().request_id),
                other => panic!("not a start: {other:?}"),
            }
        }

        async fn finish(&self, id: u64) {
            let outcome = Some(pb::TaskOutcome::default());
            self.say(worker_message::Message::Done(pb::TaskDone { id, outcome })).await;
        }
    }

    #[tokio::test]
    async fn a_task_goes_to_a_querier_and_its_outcome_back() {
        let scheduler = scheduler();
        let mut querier = Querier::connect(&scheduler, 1).await;
        let caller = tokio::spawn({
            let scheduler = scheduler.clone();
            async move { scheduler.execute(request("a")).await }
        });
        let (id, name) = querier.task().await;
        assert_eq!(name, "a");
        querier.finish(id).await;
        assert_eq!(caller.await.unwrap(), Ok(pb::TaskOutcome::default()));
    }

    #[tokio::test]
    async fn a_caller_that_leaves_cancels_its_task() {
        let scheduler = scheduler();
        let mut querier = Querier::connect(&scheduler, 1).await;
        let mut first = Box::pin(scheduler.execute(request("a")));
        assert!(futures::poll!(&mut first).is_pending());
        let mut second = Box::pin(scheduler.execute(request("b")));
        assert!(futures::poll!(&mut second).is_pending());
        let (id, _) = querier.task().await;
        drop(first);
        assert_eq!(querier.hear().await, scheduler_message::Message::Cancel(pb::TaskCancel { id }));
        // The slot is free once the querier says so.
        querier.finish(id).await;
        let (id, name) = querier.task().await;
        assert_eq!(name, "b");
        querier.finish(id).await;
        assert!(second.await.is_ok());
    }

    #[tokio::test]
    async fn a_full_queue_refuses() {
        let scheduler = scheduler();
        let mut waiting = [request("a"), request("b")].map(|r| Box::pin(scheduler.execute(r)));
        for caller in &mut waiting {
            assert!(futures::poll!(caller).is_pending());
        }
        let refused = scheduler.execute(request("c")).await;
        assert_eq!(refused, Err(RpcError::Exhausted("too many outstanding requests".into())));
        // A caller that leaves makes room.
        drop(waiting);
        let mut again = Box::pin(scheduler.execute(request("d")));
        assert!(futures::poll!(&mut again).is_pending());
    }

    #[tokio::test]
    async fn tasks_of_a_vanished_querier_go_to_another_but_not_for_ever() {
        let scheduler = scheduler();
        let mut caller = Box::pin(scheduler.execute(request("a")));
        assert!(futures::poll!(&mut caller).is_pending());
        for _ in 0..crate::state::ATTEMPTS_MAX {
            let mut querier = Querier::connect(&scheduler, 1).await;
            assert_eq!(querier.task().await.1, "a");
            drop(querier);
        }
        assert!(matches!(caller.await, Err(RpcError::Unavailable(_))));
    }

    #[tokio::test]
    async fn deadlines_end_the_wait() {
        let scheduler = scheduler();
        let hurried = pb::ExecuteRequest { timeout_ms: 1, ..request("a") };
        assert!(matches!(scheduler.execute(hurried).await, Err(RpcError::Deadline(_))));
    }

    #[tokio::test]
    async fn shutdown_drains_and_then_refuses() {
        let scheduler = scheduler();
        let mut querier = Querier::connect(&scheduler, 1).await;
        let mut caller = Box::pin(scheduler.execute(request("a")));
        assert!(futures::poll!(&mut caller).is_pending());
        let (id, _) = querier.task().await;
        let mut stopping = Box::pin(scheduler.shutdown(Duration::from_secs(60)));
        assert!(futures::poll!(&mut stopping).is_pending());
        assert!(matches!(scheduler.execute(request("b")).await, Err(RpcError::Unavailable(_))));
        querier.finish(id).await;
        assert!(caller.await.is_ok());
        stopping.await;
        assert!(querier.incoming.next().await.is_none());
    }
}
