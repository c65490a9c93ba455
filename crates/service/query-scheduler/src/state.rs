//! Which task is where. One lock guards it; nothing here waits.
//!
//! A task is in exactly one place: in the queue, at a querier, or gone (answered or given up). A
//! querier's slot is taken from the moment a task is sent until the querier says that it is done,
//! also when nobody waits for it any more: only the querier knows when its hands are free.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
    time::{Duration, Instant},
};

use skald_wire::{RpcError, pb};
use tokio::sync::{mpsc, oneshot};

use crate::{
    metrics::{Metrics, user},
    queue::{FairQueue, TooMany},
};

/// How many queriers may vanish with a task before it fails: a task that kills queriers must not kill all.
pub(crate) const ATTEMPTS_MAX: u32 = 3;

/// The most tasks a querier may announce to take at a time.
pub(crate) const SLOTS_MAX: u32 = 1024;

/// Messages to a querier that it has not read yet: one start and one cancel for each slot.
pub(crate) const MESSAGES_MAX: usize = 2 * SLOTS_MAX as usize;

pub(crate) type Answer = Result<pb::TaskOutcome, RpcError>;

/// A task on its way.
#[derive(Debug)]
pub(crate) struct Task {
    pub(crate) request: pb::ExecuteRequest,
    pub(crate) answer: oneshot::Sender<Answer>,
    pub(crate) queued_at: Instant,
    pub(crate) deadline: Option<Instant>,
    attempts: u32,
}

struct Worker {
    name: String,
    slots: u32,
    messages: mpsc::Sender<pb::SchedulerMessage>,
    /// Tasks it has not reported as done; those without an entry in `State::running` were given up.
    busy: HashSet<u64>,
}

impl Worker {
    fn free(&self) -> u32 {
        self.slots.saturating_sub(self.busy.len() as u32)
    }
}

/// Everything the scheduler knows.
pub(crate) struct State {
    queue: FairQueue<Task>,
    running: HashMap<u64, (u64, Arc<str>, Task)>,
    workers: BTreeMap<u64, Worker>,
    last_number: u64,
    closing: bool,
    metrics: Metrics,
}

impl State {
    pub(crate) fn new(tasks_per_tenant_max: usize, metrics: Metrics) -> Self {
        Self {
            queue: FairQueue::new(tasks_per_tenant_max),
            running: HashMap::new(),
            workers: BTreeMap::new(),
            last_number: 0,
            closing: false,
            metrics,
        }
    }

    /// Queues a task and returns its number.
    pub(crate) fn add(
        &mut self,
        request: pb::ExecuteRequest,
        answer: oneshot::Sender<Answer>,
        now: Instant,
    ) -> Result<u64, RpcError> {
        if self.closing {
            return Err(RpcError::Unavailable("the query scheduler is stopping".into()));
        }
        let tenant: Arc<str> = request.tenant.as_str().into();
        let deadline = (request.timeout_ms > 0).then(|| now + Duration::from_millis(request.timeout_ms));
        self.last_number += 1;
        let number = self.last_number;
        let task = Task { request, answer, queued_at: now, deadline, attempts: 0 };
        if let Err(full @ TooMany) = self.queue.push(&tenant, number, task) {
            self.metrics.discarded.get_or_create(&user(&tenant)).inc();
            return Err(RpcError::Exhausted(full.to_string()));
        }
        self.measure(&tenant);
        self.dispatch(now);
        Ok(number)
    }

    /// Nobody waits for the task any more.
    pub(crate) fn give_up(&mut self, tenant: &str, number: u64) {
        if self.queue.remove(tenant, number).is_none()
            && let Some((worker, ..)) = self.running.remove(&number)
            && let Some(worker) = self.workers.get(&worker)
        {
            let cancel = pb::scheduler_message::Message::Cancel(pb::TaskCancel { id: number });
            // A full or closed channel means that the querier is stuck or gone; its end frees everything.
            let _ = worker.messages.try_send(pb::SchedulerMessage { message: Some(cancel) });
        }
        self.measure(tenant);
    }

    /// A querier has connected; it gets nothing before it says that it is ready.
    pub(crate) fn connect(&mut self, messages: mpsc::Sender<pb::SchedulerMessage>) -> Result<u64, RpcError> {
        if self.closing {
            return Err(RpcError::Unavailable("the query scheduler is stopping".into()));
        }
        self.last_number += 1;
        let worker = Worker { name: String::new(), slots: 0, messages, busy: HashSet::new() };
        self.workers.insert(self.last_number, worker);
        self.metrics.queriers.set(self.workers.len() as i64);
        Ok(self.last_number)
    }

    /// A querier says how much it can take; 0 slots: nothing more, it is about to leave.
    pub(crate) fn ready(&mut self, worker: u64, ready: pb::WorkerReady, now: Instant) {
        if let Some(worker) = self.workers.get_mut(&worker) {
            worker.name = ready.querier;
            worker.slots = ready.slots.min(SLOTS_MAX);
        }
        self.dispatch(now);
    }

    /// A querier has finished a task, or has stopped working on a cancelled one.
    pub(crate) fn done(&mut self, worker: u64, done: pb::TaskDone, now: Instant) {
        let Some(entry) = self.workers.get_mut(&worker) else { return };
        if entry.busy.remove(&done.id)
            && let Some((_, tenant, task)) = self.running.remove(&done.id)
        {
            let missing = || RpcError::Internal("querier sent an empty outcome".into());
            // The receiver may be gone: then its guard has not run yet.
            let _ = task.answer.send(done.outcome.ok_or_else(missing));
            self.measure(&tenant);
        }
        self.dispatch(now);
    }

    /// A querier is gone: its tasks go to others, at their old places in the queue.
    pub(crate) fn disconnect(&mut self, worker: u64, now: Instant) {
        let Some(gone) = self.workers.remove(&worker) else { return };
        self.metrics.queriers.set(self.workers.len() as i64);
        for number in gone.busy {
            let Some((_, tenant, mut task)) = self.running.remove(&number) else { continue };
            task.attempts += 1;
            if task.attempts >= ATTEMPTS_MAX || self.closing {
                tracing::warn!(querier = %gone.name, %tenant, attempts = task.attempts, "task given up: its querier vanished");
                let _ =
                    task.answer.send(Err(RpcError::Unavailable("the querier working on this query went away".into())));
            } else {
                self.metrics.requeued.inc();
                self.queue.put_back(&tenant, number, task);
            }
            self.measure(&tenant);
        }
        self.dispatch(now);
    }

    /// Refuses new tasks and queriers from here on.
    pub(crate) fn close(&mut self) {
        self.closing = true;
    }

    /// True when no task is under way.
    pub(crate) fn is_idle(&self) -> bool {
        self.queue.is_empty() && self.running.is_empty()
    }

    /// Fails what is still under way and ends every querier's stream.
    pub(crate) fn abandon(&mut self) {
        let stopping = || Err(RpcError::Unavailable("the query scheduler is stopping".into()));
        for task in self.queue.drain() {
            let _ = task.answer.send(stopping());
        }
        for (_, (_, _, task)) in self.running.drain() {
            let _ = task.answer.send(stopping());
        }
        self.workers.clear();
        self.metrics.queriers.set(0);
        self.metrics.inflight.set(0);
    }

    /// Gives queued tasks to free queriers, the freest one first.
    fn dispatch(&mut self, now: Instant) {
        while !self.queue.is_empty() {
            let freest = self.workers.iter().filter(|(_, w)| w.free() > 0 && !w.messages.is_closed());
            let Some((&id, _)) = freest.max_by_key(|(_, w)| w.free()) else { return };
            let Some((tenant, number, mut task)) = self.queue.pop() else { return };
            let waited = now.saturating_duration_since(task.queued_at);
            if let Some(deadline) = task.deadline {
                let left = deadline.saturating_duration_since(now);
                task.request.timeout_ms = (left.as_millis() as u64).max(1);
            }
            let start =
                pb::TaskStart { id: number, request: Some(task.request.clone()), queued_ns: waited.as_nanos() as u64 };
            let message = pb::SchedulerMessage { message: Some(pb::scheduler_message::Message::Start(start)) };
            let worker = self.workers.get_mut(&id).expect("found above");
            if worker.messages.try_send(message).is_ok() {
                worker.busy.insert(number);
                self.metrics.queue_seconds.observe(waited.as_secs_f64());
                self.running.insert(number, (id, tenant.clone(), task));
            } else {
                // It does not read or has just gone: nothing more for it, the task waits for another.
                worker.slots = 0;
                self.queue.put_back(&tenant, number, task);
            }
            self.measure(&tenant);
        }
    }

    fn measure(&self, tenant: &str) {
        let waiting = self.queue.len_of(tenant) as i64;
        if waiting == 0 {
            // An idle tenant is no series: there may be very many of them.
            self.metrics.queue_length.remove(&user(tenant));
        } else {
            self.metrics.queue_length.get_or_create(&user(tenant)).set(waiting);
        }
        self.metrics.inflight.set((self.queue.len() + self.running.len()) as i64);
    }
}
