//! Tailing: lines as they arrive, and again after a connection was lost.

use std::sync::{Arc, Mutex};

use axum::{
    Router,
    extract::{
        WebSocketUpgrade,
        ws::{CloseFrame, Message, WebSocket},
    },
    http::Uri,
    response::{IntoResponse, Response},
    routing::any,
};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};

use crate::support::{command, finish, serve};

const FIRST: &str = r#"{"streams":[{"stream":{"app":"a"},"values":[["1700000001000000000","one"]]},
    {"stream":{"app":"bb"},"values":[["1700000002000000000","two"]]}]}"#;
const SECOND: &str = r#"{"streams":[{"stream":{"app":"bb"},"values":[["1700000002000000000","two"],["1700000003000000000","three"]]}],
    "dropped_entries":[{"timestamp":"1700000002500000000","labels":{"app":"x"}}]}"#;

/// Serves the first connection with a line and an end, the second with the rest, refuses others.
async fn server() -> (String, Arc<Mutex<Vec<String>>>) {
    let seen: Arc<Mutex<Vec<String>>> = Arc::default();
    let record = seen.clone();
    let handler = move |uri: Uri, upgrade: WebSocketUpgrade| {
        let record = record.clone();
        async move {
            let number = {
                let mut seen = record.lock().unwrap();
                seen.push(uri.to_string());
                seen.len()
            };
            match number {
                1 => upgrade.on_upgrade(|socket| talk(socket, FIRST, "reached tail max duration limit")),
                2 => upgrade.on_upgrade(|socket| talk(socket, SECOND, "all ingesters closed the connection")),
                _ => refuse(),
            }
        }
    };
    let app = Router::new().route("/loki/api/v1/tail", any(handler));
    (serve(app).await, seen)
}

fn refuse() -> Response {
    (axum::http::StatusCode::BAD_REQUEST, "parse error : unexpected end").into_response()
}

async fn talk(mut socket: WebSocket, text: &'static str, reason: &'static str) {
    socket.send(Message::Ping("x".into())).await.unwrap();
    socket.send(Message::Text(text.into())).await.unwrap();
    socket.send(Message::Close(Some(CloseFrame { code: 1011, reason: reason.into() }))).await.unwrap();
}

#[tokio::test]
async fn a_tail_goes_on_where_it_was_cut() {
    let (addr, seen) = server().await;
    let run =
        finish(command(&["tail", "{app=~\".+\"}", "--from", "1700000000", "--limit", "5", "--addr", &addr]), b"").await;
    assert_eq!(
        run.stdout,
        "2023-11-14T22:13:21.000Z {app=\"a\"}  one\n\
         2023-11-14T22:13:22.000Z {app=\"bb\"} two\n\
         2023-11-14T22:13:23.000Z {app=\"bb\"} three\n"
    );
    assert_eq!(
        run.stderr,
        "the server ended the tail (1011 reached tail max duration limit); reconnecting in 0.5 s\n\
         1 lines were dropped, because this tail is too slow; the first is of {app=\"x\"} at 2023-11-14T22:13:22.500Z\n\
         the server ended the tail (1011 all ingesters closed the connection); reconnecting in 0.5 s\n\
         error: the server answered 400 Bad Request: parse error : unexpected end\n"
    );
    assert_eq!(run.code, Some(1));
    let query = "/loki/api/v1/tail?query=%7Bapp%3D%7E%22.%2B%22%7D";
    assert_eq!(
        *seen.lock().unwrap(),
        [
            format!("{query}&start=1700000000000000000&limit=5"),
            format!("{query}&start=1700000002000000000&limit=1000"),
            format!("{query}&start=1700000003000000000&limit=1000"),
        ]
    );
}

#[tokio::test]
async fn lines_are_printed_at_once_and_an_interrupt_ends_in_peace() {
    let hold = |upgrade: WebSocketUpgrade| async {
        upgrade.on_upgrade(|mut socket| async move {
            socket.send(Message::Text(FIRST.into())).await.unwrap();
            // Until the client goes away.
            while socket.recv().await.is_some() {}
        })
    };
    let addr = serve(Router::new().route("/loki/api/v1/tail", any(hold))).await;
    let mut child = command(&["query", "-t", "q", "-o", "raw", "--addr", &addr]).spawn().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    stdout.read_line(&mut line).await.unwrap();
    stdout.read_line(&mut line).await.unwrap();
    assert_eq!(line, "one\ntwo\n");
    let interrupt = tokio::process::Command::new("kill").args(["-INT", &child.id().unwrap().to_string()]).status();
    assert!(interrupt.await.unwrap().success());
    assert!(child.wait().await.unwrap().success());
    let mut stderr = String::new();
    child.stderr.take().unwrap().read_to_string(&mut stderr).await.unwrap();
    assert_eq!(stderr, "");
}

#[tokio::test]
async fn a_server_without_tail_is_an_error_at_once() {
    let addr = serve(Router::new()).await;
    let run = finish(command(&["tail", "q", "--addr", &addr]), b"").await;
    assert_eq!(run.code, Some(1));
    assert!(run.stderr.starts_with("error: the server answered 404 Not Found"), "{run:?}");
}
