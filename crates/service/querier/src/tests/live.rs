//! Live tails through a real websocket, and the worker against a scheduler in the test's hands.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use futures::{SinkExt, StreamExt};
use parking_lot::Mutex;
use skald_wire::{
    RpcError,
    api::{RpcStream, SchedulerApi},
    pb::{self, query_task::Task, scheduler_message, worker_message},
};
use tokio::{net::TcpListener, sync::mpsc};
use tokio_stream::wrappers::ReceiverStream;
use tokio_tungstenite::tungstenite::{Message, client::IntoClientRequest};
use tokio_util::sync::CancellationToken;

use super::{
    fakes::{Place, SECOND, WINDOW, World, row},
    log_task,
};
use crate::{
    tail::{self, TailHub},
    worker,
};

type Socket = tokio_tungstenite::WebSocketStream<tokio_tungstenite::MaybeTlsStream<tokio::net::TcpStream>>;

/// Serves tails of `world`; the address.
async fn serve(world: &World, max_duration: Duration) -> String {
    let clock = Arc::new(|| WINDOW + 100 * SECOND);
    let hub = Arc::new(TailHub::new(world.querier.clone(), max_duration, clock, CancellationToken::new()));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move { axum::serve(listener, tail::router(hub)).await });
    address
}

async fn connect(address: &str, query: &str) -> Result<Socket, u16> {
    let mut request = format!("ws://{address}/loki/api/v1/tail?{query}").into_client_request().unwrap();
    request.headers_mut().insert("x-scope-orgid", "t".parse().unwrap());
    match tokio_tungstenite::connect_async(request).await {
        Ok((socket, _)) => Ok(socket),
        Err(tokio_tungstenite::tungstenite::Error::Http(response)) => Err(response.status().as_u16()),
        Err(other) => panic!("{other}"),
    }
}

/// The lines of messages until there are `count`.
async fn lines(socket: &mut Socket, count: usize) -> Vec<String> {
    let mut lines = Vec::new();
    while lines.len() < count {
        let Message::Text(text) = socket.next().await.unwrap().unwrap() else { continue };
        let message: serde_json::Value = serde_json::from_str(&text).unwrap();
        for stream in message["streams"].as_array().unwrap() {
            let values = stream["values"].as_array().unwrap();
            lines.extend(values.iter().map(|v| v[1].as_str().unwrap().to_owned()));
        }
    }
    lines
}

async fn close_frame(socket: &mut Socket) -> (u16, String) {
    loop {
        if let Message::Close(Some(frame)) = socket.next().await.unwrap().unwrap() {
            return (frame.code.into(), frame.reason.to_string());
        }
    }
}

#[tokio::test]
async fn stored_lines_then_live_ones_each_once() {
    let at = |i: i64| WINDOW + i * SECOND;
    let stored =
        [(row("a", at(1), 1, "one"), vec![Place::Folded]), (row("a", at(2), 2, "two"), vec![Place::Memory(0)])];
    let world = World::new(&stored).await;
    let address = serve(&world, Duration::from_secs(3_600)).await;
    let mut socket = connect(&address, "query={app=%22a%22}&limit=10").await.unwrap();
    assert_eq!(lines(&mut socket, 2).await, ["one", "two"]);
    // The replay's last line once more, then a line from all its replicas.
    for ingester in [0, 1, 2] {
        world.tell(ingester, &row("a", at(2), 2, "two")).await;
        world.tell(ingester, &row("a", at(3), 3, "three")).await;
    }
    world.tell(1, &row("a", at(4), 4, "four")).await;
    assert_eq!(lines(&mut socket, 2).await, ["three", "four"]);
    socket.send(Message::Text("ignored".into())).await.unwrap();
    socket.close(None).await.unwrap();
}

#[tokio::test]
async fn tails_end_with_a_reason() {
    let world = World::new(&[]).await;
    let address = serve(&world, Duration::from_millis(1)).await;
    let mut socket = connect(&address, "query={app=%22a%22}").await.unwrap();
    assert_eq!(close_frame(&mut socket).await, (1011, "reached tail max duration limit".into()));
    assert_eq!(connect(&address, "query={app=%22a%22}&delay_for=9").await.unwrap_err(), 400);
    assert_eq!(connect(&address, "query=rate({app=%22a%22}[1m])").await.unwrap_err(), 400);

    let address = serve(&world, Duration::from_secs(3_600)).await;
    let mut open = Vec::new();
    for _ in 0..10 {
        let mut socket = connect(&address, "query={app=%22a%22}").await.unwrap();
        // A ping shows that the tail has begun, and so is counted.
        while !matches!(socket.next().await.unwrap().unwrap(), Message::Ping(_)) {}
        open.push(socket);
    }
    let mut socket = connect(&address, "query={app=%22a%22}").await.unwrap();
    let reason = "max concurrent tail requests limit exceeded, count > limit (11 > 10)";
    assert_eq!(close_frame(&mut socket).await, (1011, reason.into()));

    (0..3).for_each(|i| world.kill(i));
    let address = serve(&world, Duration::from_secs(3_600)).await;
    let mut socket = connect(&address, "query={app=%22a%22}").await.unwrap();
    assert_eq!(close_frame(&mut socket).await, (1011, "all ingesters closed the connection".into()));
}

/// Hands both ends of a querier's connection to the test.
struct FakeScheduler {
    ends: Mutex<Option<mpsc::Receiver<Result<pb::SchedulerMessage, RpcError>>>>,
    messages: mpsc::Sender<RpcStream<pb::WorkerMessage>>,
}

#[async_trait]
impl SchedulerApi for FakeScheduler {
    async fn execute(&self, _: pb::ExecuteRequest) -> Result<pb::TaskOutcome, RpcError> {
        Err(RpcError::Cancelled)
    }

    async fn work(&self, messages: RpcStream<pb::WorkerMessage>) -> Result<RpcStream<pb::SchedulerMessage>, RpcError> {
        let incoming = self.ends.lock().take().ok_or(RpcError::Cancelled)?;
        self.messages.send(messages).await.map_err(|_| RpcError::Cancelled)?;
        Ok(ReceiverStream::new(incoming).boxed())
    }
}

#[tokio::test]
async fn the_worker_works_and_leaves_in_order() {
    let world = World::new(&[(row("a", WINDOW, 1, "one"), vec![Place::Folded])]).await;
    let (to_querier, incoming) = mpsc::channel(8);
    let (streams, mut accepted) = mpsc::channel(1);
    let scheduler: Arc<dyn SchedulerApi> =
        Arc::new(FakeScheduler { ends: Mutex::new(Some(incoming)), messages: streams });
    let stop = CancellationToken::new();
    let schedulers: worker::Schedulers = Arc::new(move || vec![("s".to_owned(), scheduler.clone())]);
    let working = tokio::spawn(worker::run(world.querier.clone(), schedulers, 3, stop.clone()));
    let mut from_querier = accepted.recv().await.unwrap();
    let mut hear = async || from_querier.next().await.map(|m| m.unwrap().message.unwrap());

    let Some(worker_message::Message::Ready(ready)) = hear().await else { panic!() };
    assert_eq!((ready.querier.as_str(), ready.slots), ("querier-0", 3));
    let task = Some(pb::QueryTask { task: Some(Task::Log(log_task(false, 10))) });
    let request = pb::ExecuteRequest { tenant: "t".into(), task, request_id: String::new(), timeout_ms: 60_000 };
    let start = pb::TaskStart { id: 7, request: Some(request), queued_ns: 5 };
    let say = |message| to_querier.send(Ok(pb::SchedulerMessage { message: Some(message) }));
    say(scheduler_message::Message::Start(start)).await.unwrap();
    let Some(worker_message::Message::Done(done)) = hear().await else { panic!() };
    let outcome = done.outcome.unwrap();
    assert_eq!((done.id, outcome.stats.unwrap().queue_ns), (7, 5));
    assert!(matches!(outcome.outcome, Some(pb::task_outcome::Outcome::Log(log)) if log.streams.len() == 1));
    // A task it does not have is no news.
    say(scheduler_message::Message::Cancel(pb::TaskCancel { id: 8 })).await.unwrap();

    stop.cancel();
    let Some(worker_message::Message::Ready(ready)) = hear().await else { panic!() };
    assert_eq!(ready.slots, 0);
    assert!(hear().await.is_none());
    drop(to_querier);
    working.await.unwrap();
}
