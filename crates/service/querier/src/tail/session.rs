//! One tail from its upgrade to its close frame.

use std::{
    collections::HashSet,
    time::{Duration, Instant},
};

use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket};
use futures::{
    SinkExt, StreamExt,
    stream::{SplitSink, SplitStream},
};
use skald_logql::{LogEvaluator, LogExpr, LogParams};
use skald_model::{Direction, Rows, TenantId, Timestamp};
use skald_wire::{labels_from_bytes, pb};
use tokio::{sync::mpsc, time::interval};

use super::{
    TailHub,
    feed::Feed,
    outbox::{MESSAGES_MAX, Outbox, Seen, TailEntry},
    request::TailParams,
};
use crate::error::Failure;

/// The status of every close frame we send.
const INTERNAL_ERROR: u16 = 1011;

/// Pings keep proxies from closing a quiet tail.
const PING_PERIOD: Duration = Duration::from_secs(1);

/// How often the set of ingesters is looked at.
const REFRESH_PERIOD: Duration = Duration::from_secs(5);

/// Rows that arrive within one of these are put in order before they are shown: copies and
/// neighbours from several ingesters come in moments apart.
const RELEASE_PERIOD: Duration = Duration::from_millis(200);

/// Lines may be ahead of our clock by as much as ingestion allows, and more.
const AHEAD_NS: i64 = 900_000_000_000;

/// Rows that are held back at most, over all ingesters; beyond it they are shown early.
const HELD_ROWS_MAX: usize = 50_000;

/// Runs the tail to its end.
pub(super) async fn run(hub: &TailHub, tenant: TenantId, params: TailParams, categorize: bool, socket: WebSocket) {
    let (sink, incoming) = socket.split();
    let (messages, outgoing) = mpsc::channel(MESSAGES_MAX);
    let writer = tokio::spawn(write(sink, outgoing));
    let reason = Session::new(hub, tenant, params, categorize, messages.clone()).run(incoming).await;
    if let Some(reason) = reason {
        let frame = CloseFrame { code: INTERNAL_ERROR, reason: Utf8Bytes::from(reason) };
        // A writer that is gone has nobody to tell.
        let _ = messages.send(Message::Close(Some(frame))).await;
    }
    drop(messages);
    // Ends when the messages do, or with the connection.
    let _ = writer.await;
}

/// Closes a connection that never became a tail.
pub(super) async fn close(mut socket: WebSocket, reason: &str) {
    let frame = CloseFrame { code: INTERNAL_ERROR, reason: Utf8Bytes::from(reason.to_owned()) };
    // The client may be gone already.
    let _ = socket.send(Message::Close(Some(frame))).await;
}

async fn write(mut sink: SplitSink<WebSocket, Message>, mut messages: mpsc::Receiver<Message>) {
    while let Some(message) = messages.recv().await {
        if sink.send(message).await.is_err() {
            return;
        }
    }
    let _ = sink.close().await;
}

struct Session<'a> {
    hub: &'a TailHub,
    tenant: TenantId,
    params: TailParams,
    messages: mpsc::Sender<Message>,
    outbox: Outbox,
    seen: Seen,
    /// Rows and when they may be shown.
    held: Vec<(Instant, Rows)>,
    /// What the replay showed: live rows that are the same lines are not shown again.
    replayed: HashSet<(u64, i64, bytes::Bytes)>,
}

impl<'a> Session<'a> {
    fn new(
        hub: &'a TailHub,
        tenant: TenantId,
        params: TailParams,
        categorize: bool,
        messages: mpsc::Sender<Message>,
    ) -> Self {
        let outbox = Outbox::new(categorize);
        Self {
            hub,
            tenant,
            params,
            messages,
            outbox,
            seen: Seen::default(),
            held: Vec::new(),
            replayed: HashSet::new(),
        }
    }

    /// Until the end; the reason for a close frame, `None` when the client has gone.
    async fn run(mut self, mut incoming: SplitStream<WebSocket>) -> Option<String> {
        let mut feed = Feed::new(self.hub.querier.cluster.clone(), self.tenant.clone(), self.params.query.clone());
        // Connected before the replay is asked for, or lines between the two would be missed.
        if feed.refresh().await == 0 {
            return Some("all ingesters closed the connection".into());
        }
        if let Err(failure) = self.replay().await {
            return Some(failure.to_string());
        }
        let deadline = tokio::time::sleep(self.hub.max_duration);
        tokio::pin!(deadline);
        let mut pings = interval(PING_PERIOD);
        let mut releases = interval(RELEASE_PERIOD);
        let mut refreshes = interval(REFRESH_PERIOD);
        refreshes.reset();
        let shutdown = self.hub.shutdown.clone();
        loop {
            // Every branch but the feed's only waits, and a part taken from the feed is held at once:
            // nothing is lost when another branch wins.
            tokio::select! {
                Some(rows) = feed.next() => self.hold(rows),
                _ = releases.tick() => {
                    if let Err(failure) = self.release().await {
                        return Some(failure.to_string());
                    }
                    self.flush();
                }
                _ = pings.tick() => {
                    // A full queue is a reader that has plenty to read.
                    let _ = self.messages.try_send(Message::Ping(Default::default()));
                }
                _ = refreshes.tick() => {
                    if feed.refresh().await == 0 {
                        return Some("all ingesters closed the connection".into());
                    }
                }
                message = incoming.next() => match message {
                    None | Some(Err(_) | Ok(Message::Close(_))) => return None,
                    Some(Ok(_)) => {}
                },
                () = &mut deadline => return Some("reached tail max duration limit".into()),
                () = shutdown.cancelled() => return Some("server is shutting down".into()),
                () = self.messages.closed() => return None,
            }
        }
    }

    /// Shows what is stored: the first `limit` lines from `start` on.
    async fn replay(&mut self) -> Result<(), Failure> {
        let task = pb::LogTask {
            query: self.params.query.clone(),
            from_ns: self.params.start_ns,
            to_ns: (self.hub.clock)().saturating_add(AHEAD_NS).max(self.params.start_ns),
            limit: self.params.limit,
            backward: false,
            interval_ns: 0,
        };
        let request = pb::ExecuteRequest {
            tenant: self.tenant.as_str().to_owned(),
            task: Some(pb::QueryTask { task: Some(pb::query_task::Task::Log(task)) }),
            request_id: String::new(),
            timeout_ms: 0,
        };
        let streams = match self.hub.querier.execute(request).await.outcome {
            Some(pb::task_outcome::Outcome::Log(outcome)) => outcome.streams,
            Some(pb::task_outcome::Outcome::Error(error)) => return Err(Failure::internal(error.message)),
            _ => return Err(Failure::internal("a log task without an outcome")),
        };
        let mut entries = Vec::new();
        for stream in streams {
            let labels = labels_from_bytes(&stream.stream)?;
            for e in stream.entries {
                let place = (e.timestamp_ns, e.arrival);
                entries.push((
                    place,
                    TailEntry {
                        timestamp_ns: e.timestamp_ns,
                        line: e.line,
                        labels: labels_from_bytes(&e.labels)?,
                        stream: labels.clone(),
                        structured_metadata: labels_from_bytes(&e.structured_metadata)?,
                        parsed: labels_from_bytes(&e.parsed)?,
                    },
                ));
            }
        }
        entries.sort_by_key(|(place, _)| *place);
        for (_, entry) in entries {
            self.replayed.insert((entry.labels.hash64(), entry.timestamp_ns, entry.line.clone()));
            self.outbox.push(entry);
            self.flush();
        }
        Ok(())
    }

    fn hold(&mut self, rows: Rows) {
        let fresh = self.seen.fresh(&rows);
        if fresh.is_empty() {
            return;
        }
        let rows = if fresh.len() == rows.len() { rows } else { rows.gather(&fresh) };
        self.held.push((Instant::now() + Duration::from_secs(self.params.delay_secs), rows));
    }

    /// Runs the pipeline over what has been held long enough.
    async fn release(&mut self) -> Result<(), Failure> {
        let now = Instant::now();
        let too_many = self.held.iter().map(|(_, rows)| rows.len()).sum::<usize>() > HELD_ROWS_MAX;
        let (due, later) = std::mem::take(&mut self.held).into_iter().partition(|(at, _)| too_many || *at <= now);
        self.held = later;
        let due: Vec<(Instant, Rows)> = due;
        if due.is_empty() {
            return Ok(());
        }
        let expr = self.params.expr.clone();
        let parts = due.into_iter().map(|(_, rows)| rows).collect();
        let entries = tokio::task::spawn_blocking(move || through_pipeline(&expr, parts)).await;
        for entry in entries.map_err(|error| Failure::internal(error.to_string()))?? {
            let known = !self.replayed.is_empty()
                && self.replayed.remove(&(entry.labels.hash64(), entry.timestamp_ns, entry.line.clone()));
            if !known {
                self.outbox.push(entry);
            }
        }
        Ok(())
    }

    /// Hands messages to the writer while it takes them.
    fn flush(&mut self) {
        while self.messages.capacity() > 0 {
            let Some(message) = self.outbox.message() else { return };
            // There is room, and the reader's end is noticed elsewhere.
            let _ = self.messages.try_send(Message::Text(message.into()));
        }
    }
}

/// The lines of the rows in the order of time.
fn through_pipeline(expr: &LogExpr, parts: Vec<Rows>) -> Result<Vec<TailEntry>, Failure> {
    let params = LogParams {
        start: Timestamp::MIN,
        end: Timestamp::MAX,
        direction: Direction::Forward,
        limit: parts.iter().map(Rows::len).sum(),
        interval_ns: 0,
    };
    let mut evaluator = LogEvaluator::new(expr, params)?;
    for rows in &parts {
        evaluator.push(rows)?;
    }
    let mut entries = Vec::new();
    for stream in evaluator.finish().streams {
        for e in stream.entries {
            let entry = TailEntry {
                timestamp_ns: e.timestamp.0,
                line: e.line,
                labels: stream.labels.clone(),
                stream: stream.stream.clone(),
                structured_metadata: e.structured_metadata,
                parsed: e.parsed,
            };
            entries.push(((e.timestamp.0, e.arrival), entry));
        }
    }
    entries.sort_by_key(|(place, _)| *place);
    Ok(entries.into_iter().map(|(_, entry)| entry).collect())
}
