//! Runs the binary and serves it canned answers.

use std::{
    collections::VecDeque,
    process::Stdio,
    sync::{Arc, Mutex},
};

use axum::{Router, body::Bytes, extract::Request, http::StatusCode, response::Response};
use tokio::{io::AsyncWriteExt, net::TcpListener, process::Command};

/// What a run printed, and how it ended.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// The binary, with an environment in which nothing of the outside speaks.
pub(crate) fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_skaldctl"));
    command.args(args).env_clear().env("TZ", "UTC").kill_on_drop(true);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Runs `command` to its end with `input` on stdin.
pub(crate) async fn finish(mut command: Command, input: &[u8]) -> Run {
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // A program that stops early closes its stdin, which is its right.
    let _ = stdin.write_all(input).await;
    drop(stdin);
    let output = child.wait_with_output().await.unwrap();
    Run {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// A request as the server saw it.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    /// Path and query string, not decoded.
    pub(crate) uri: String,
    pub(crate) headers: axum::http::HeaderMap,
    pub(crate) body: Bytes,
}

/// A server that answers each request with the next of its answers.
#[derive(Clone)]
pub(crate) struct Server {
    pub(crate) addr: String,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Server {
    /// Serves `answers`, in their order; after the last one 410.
    pub(crate) async fn start(answers: impl IntoIterator<Item = (u16, &'static str)>) -> Self {
        let answers: Arc<Mutex<VecDeque<_>>> = Arc::new(Mutex::new(answers.into_iter().collect()));
        let seen: Arc<Mutex<Vec<Seen>>> = Arc::default();
        let record = seen.clone();
        let app = Router::new().fallback(move |request: Request| {
            let (answers, record) = (answers.clone(), record.clone());
            async move {
                let (parts, body) = request.into_parts();
                let body = axum::body::to_bytes(body, 1 << 30).await.unwrap();
                record.lock().unwrap().push(Seen { uri: parts.uri.to_string(), headers: parts.headers, body });
                let (status, text) = answers.lock().unwrap().pop_front().unwrap_or((410, "no answer left"));
                let status = StatusCode::from_u16(status).unwrap();
                Response::builder()
                    .status(status)
                    .header("retry-after", "0")
                    .body(axum::body::Body::from(text))
                    .unwrap()
            }
        });
        Self { addr: serve(app).await, seen }
    }

    /// What was asked.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// The binary with `args`, asking this server.
    pub(crate) async fn run(&self, args: &[&str], input: &[u8]) -> Run {
        let mut command = command(args);
        command.env("SKALD_ADDR", &self.addr);
        finish(command, input).await
    }
}

/// Serves `app` on a port of its own until the test ends; returns its address.
pub(crate) async fn serve(app: Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    addr
}
