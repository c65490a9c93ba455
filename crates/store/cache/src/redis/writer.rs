//! The queue of values on their way to Redis: bounded, and nobody waits for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use redis::Pipeline;
use tokio::sync::{Notify, mpsc};
use tokio::task::AbortHandle;

use super::connection::Link;
use super::{Counters, RedisConfig, add};
use crate::envelope;

/// Values waiting at most. A burst of a large query's pages, not more: what does not fit is read
/// from the bucket again, which is no harm.
const QUEUE_VALUES_MAX: usize = 4096;

/// Bytes of values waiting at most: they are memory nobody else accounts for.
const QUEUE_BYTES_MAX: u64 = 32 << 20;

/// Sent in one round trip.
const BATCH_VALUES_MAX: usize = 64;
const BATCH_BYTES_MAX: usize = 1 << 20;

pub(super) struct Writer {
    queue: mpsc::Sender<(String, Bytes)>,
    waiting: Arc<Waiting>,
    task: AbortHandle,
}

#[derive(Default)]
struct Waiting {
    bytes: AtomicU64,
    values: AtomicU64,
    emptied: Notify,
}

impl Waiting {
    fn leave(&self, values: usize, bytes: usize) {
        self.bytes.fetch_sub(bytes as u64, Ordering::AcqRel);
        if self.values.fetch_sub(values as u64, Ordering::AcqRel) == values as u64 {
            self.emptied.notify_waiters();
        }
    }
}

impl Writer {
    pub(super) fn start(link: Arc<Link>, config: &RedisConfig, counters: Arc<Counters>) -> Writer {
        let (queue, receiver) = mpsc::channel(QUEUE_VALUES_MAX);
        let waiting = Arc::new(Waiting::default());
        let task = tokio::spawn(run(receiver, link, config.clone(), counters, waiting.clone())).abort_handle();
        Writer { queue, waiting, task }
    }

    /// Whether there was room.
    pub(super) fn enqueue(&self, key: &str, value: Bytes) -> bool {
        let bytes = value.len() as u64;
        // Counted before it is sent, so that the task never takes off what is not yet added.
        self.waiting.values.fetch_add(1, Ordering::AcqRel);
        let queued = self.waiting.bytes.fetch_add(bytes, Ordering::AcqRel);
        let accepted = queued + bytes <= QUEUE_BYTES_MAX && self.queue.try_send((key.to_owned(), value)).is_ok();
        if !accepted {
            self.waiting.leave(1, usize::try_from(bytes).expect("it came from a length"));
        }
        accepted
    }

    pub(super) fn queued_bytes(&self) -> u64 {
        self.waiting.bytes.load(Ordering::Relaxed)
    }

    pub(super) async fn drain(&self, timeout: Duration) {
        let empty = async {
            loop {
                let emptied = self.waiting.emptied.notified();
                if self.waiting.values.load(Ordering::Acquire) == 0 {
                    return;
                }
                emptied.await;
            }
        };
        // What has not gone by then is dropped with the cache: it is only a cache.
        let _ = tokio::time::timeout(timeout, empty).await;
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Sends batches until the queue closes. Aborting it loses what is queued and nothing else.
async fn run(
    mut queue: mpsc::Receiver<(String, Bytes)>,
    link: Arc<Link>,
    config: RedisConfig,
    counters: Arc<Counters>,
    waiting: Arc<Waiting>,
) {
    let ttl_ms = u64::try_from(config.ttl.as_millis()).unwrap_or(u64::MAX).max(1);
    while let Some(first) = queue.recv().await {
        let mut pipeline = Pipeline::new();
        let (mut values, mut bytes) = (0, 0);
        let mut next = Some(first);
        while let Some((key, value)) = next {
            let sealed = envelope::seal(&key, &value);
            let set = pipeline.cmd("SET").arg(format!("{}{key}", config.key_prefix)).arg(&sealed[..]);
            set.arg("PX").arg(ttl_ms).ignore();
            values += 1;
            bytes += value.len();
            let full = values >= BATCH_VALUES_MAX || bytes >= BATCH_BYTES_MAX;
            next = if full { None } else { queue.try_recv().ok() };
        }
        match link.execute(&pipeline, config.put_timeout).await {
            Some(Ok(())) => {}
            Some(Err(e)) => {
                add(&counters.errors, 1);
                tracing::debug!(error = %e, values, "values were not written to redis");
            }
            None => add(&counters.drops, values),
        }
        waiting.leave(values, bytes);
    }
}
