//! The querier's hands: it offers them to every scheduler, works, and sends outcomes back.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::{Duration, Instant},
};

use futures::{FutureExt, StreamExt};
use skald_wire::{
    api::SchedulerApi,
    pb::{self, scheduler_message, worker_message},
};
use tokio::{sync::mpsc, task::JoinHandle, task::JoinSet};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;

use crate::querier::Querier;

/// The schedulers that can be reached at the moment, by address.
pub type Schedulers = Arc<dyn Fn() -> Vec<(String, Arc<dyn SchedulerApi>)> + Send + Sync>;

/// How often the list of schedulers is looked at (Loki's `dns_lookup_duration`).
const SCHEDULERS_PERIOD: Duration = Duration::from_secs(3);

/// Between two attempts to reach a scheduler.
const RECONNECT_PAUSE: Duration = Duration::from_millis(300);

/// How long a scheduler may take to end its stream after the last outcome was sent.
const GOODBYE_PATIENCE: Duration = Duration::from_secs(2);

/// Keeps one connection to each scheduler until `shutdown`.
pub(crate) async fn run(querier: Arc<Querier>, schedulers: Schedulers, slots: u32, shutdown: CancellationToken) {
    let mut connections: HashMap<String, (CancellationToken, JoinHandle<()>)> = HashMap::new();
    let mut ticks = tokio::time::interval(SCHEDULERS_PERIOD);
    loop {
        // Both branches only wait: nothing is lost when the other wins.
        tokio::select! {
            _ = ticks.tick() => {}
            () = shutdown.cancelled() => break,
        }
        let current = schedulers();
        let names: HashSet<&str> = current.iter().map(|(name, _)| name.as_str()).collect();
        connections.retain(|name, (stop, _)| {
            let stays = names.contains(name.as_str());
            if !stays {
                stop.cancel();
            }
            stays
        });
        for (name, scheduler) in &current {
            connections.entry(name.clone()).or_insert_with(|| {
                let stop = shutdown.child_token();
                let connection = connection(querier.clone(), scheduler.clone(), slots.max(1), stop.clone());
                (stop, tokio::spawn(connection))
            });
        }
    }
    for (_, (_, task)) in connections {
        // They see the same token; an aborted one has nothing to say.
        let _ = task.await;
    }
}

async fn connection(querier: Arc<Querier>, scheduler: Arc<dyn SchedulerApi>, slots: u32, stop: CancellationToken) {
    while !stop.is_cancelled() {
        if let Err(error) = session(&querier, &scheduler, slots, &stop).await {
            tracing::debug!(%error, "query scheduler is not reachable");
        }
        tokio::select! {
            () = tokio::time::sleep(RECONNECT_PAUSE) => {}
            () = stop.cancelled() => {}
        }
    }
}

/// One connection from its start to its end. Ends when the scheduler does, or, told to stop, when the
/// tasks under way are done.
async fn session(
    querier: &Arc<Querier>,
    scheduler: &Arc<dyn SchedulerApi>,
    slots: u32,
    stop: &CancellationToken,
) -> Result<(), skald_wire::RpcError> {
    // One outcome for each slot, and the two announcements.
    let (sender, receiver) = mpsc::channel(slots as usize + 2);
    let say = async |message| {
        // When the scheduler is gone the stream of its messages ends as well.
        let _ = sender.send(Ok(pb::WorkerMessage { message: Some(message) })).await;
    };
    let ready = |slots| worker_message::Message::Ready(pb::WorkerReady { querier: querier.id().to_owned(), slots });
    say(ready(slots)).await;
    let mut incoming = scheduler.work(ReceiverStream::new(receiver).boxed()).await?;
    let mut tasks: JoinSet<(u64, pb::TaskOutcome)> = JoinSet::new();
    let mut handles = HashMap::new();
    let mut leaving = false;
    while !(leaving && handles.is_empty()) {
        tokio::select! {
            message = incoming.next() => {
                let Some(message) = message.transpose()? else { return Ok(()) };
                match message.message {
                    Some(scheduler_message::Message::Start(start)) => {
                        let id = start.id;
                        let querier = querier.clone();
                        let request_id = start.request.as_ref().map_or("", |r| r.request_id.as_str()).into();
                        let task = async move { (id, execute(&querier, start).await) };
                        handles.insert(id, tasks.spawn(skald_server::with_request_id(request_id, task)));
                    }
                    Some(scheduler_message::Message::Cancel(cancel)) => {
                        // The aborted task comes out of the set below; the slot is free from here on.
                        if let Some(task) = handles.remove(&cancel.id) {
                            task.abort();
                            let done = pb::TaskDone { id: cancel.id, outcome: Some(pb::TaskOutcome::default()) };
                            say(worker_message::Message::Done(done)).await;
                        }
                    }
                    None => {}
                }
            }
            Some(done) = tasks.join_next() => {
                // An aborted task was reported when it was cancelled.
                if let Ok((id, outcome)) = done
                    && handles.remove(&id).is_some()
                {
                    say(worker_message::Message::Done(pb::TaskDone { id, outcome: Some(outcome) })).await;
                }
            }
            () = stop.cancelled(), if !leaving => {
                leaving = true;
                say(ready(0)).await;
            }
        }
    }
    // The scheduler ends its stream once it has read ours to the end: the last outcomes have arrived then.
    drop(sender);
    let ended = async { while incoming.next().await.is_some() {} };
    if tokio::time::timeout(GOODBYE_PATIENCE, ended).await.is_err() {
        tracing::debug!("query scheduler did not say goodbye");
    }
    Ok(())
}

async fn execute(querier: &Arc<Querier>, start: pb::TaskStart) -> pb::TaskOutcome {
    let started = Instant::now();
    let request = start.request.unwrap_or_default();
    let timeout = (request.timeout_ms > 0).then(|| Duration::from_millis(request.timeout_ms));
    // A panic is a bug of ours, but the scheduler must hear of it or the slot is lost.
    let work = std::panic::AssertUnwindSafe(querier.execute(request)).catch_unwind();
    let outcome = match timeout {
        Some(timeout) => tokio::time::timeout(timeout, work).await.map_err(|_| 504),
        None => Ok(work.await),
    };
    let mut outcome = match outcome {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(_)) => failed(500, "a task panicked"),
        Err(status) => failed(status, "deadline exceeded"),
    };
    let stats = outcome.stats.get_or_insert_default();
    stats.queue_ns = start.queued_ns;
    stats.exec_ns = started.elapsed().as_nanos() as u64;
    outcome
}

fn failed(status: u32, message: &str) -> pb::TaskOutcome {
    let error = pb::TaskError { status, message: message.into() };
    pb::TaskOutcome { outcome: Some(pb::task_outcome::Outcome::Error(error)), stats: None }
}
