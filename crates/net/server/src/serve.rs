//! One port: accept, speak HTTP/1.1 or HTTP/2 without TLS, stop gracefully.
//!
//! The routes behind a port can be replaced while it is open ([`Switch`]), so that a process answers
//! `/ready` while its services are still starting.
//!
//! Connections get `TCP_NODELAY`: without it a unary call of 100 KB waits for the peer's delayed
//! acknowledgement, 14 ms instead of 0.4 ms.

use std::{convert::Infallible, io, net::SocketAddr, sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use axum::Router;
use hyper::body::Incoming;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::ServiceExt;

/// A client must send the head of a request within this time, which also closes idle HTTP/1.1
/// connections that a proxy forgot.
const HEAD_TIMEOUT: Duration = Duration::from_secs(120);

/// Concurrent calls on one HTTP/2 connection; peers open one connection and send everything through it.
const HTTP2_STREAMS_MAX: u32 = 1024;

/// Receive window per HTTP/2 stream: a push batch without waiting for window updates.
const HTTP2_STREAM_WINDOW: u32 = 4 << 20;

/// Receive window per HTTP/2 connection.
const HTTP2_CONNECTION_WINDOW: u32 = 16 << 20;

/// How often an HTTP/2 peer is checked, so that connections of vanished peers do not stay.
const HTTP2_KEEPALIVE: Duration = Duration::from_secs(30);

/// How long to wait after `accept` failed (out of file descriptors) before it is tried again.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The routes behind a port, replaceable at any time; requests under way keep the ones they came in with.
#[derive(Clone)]
pub(crate) struct Switch(Arc<ArcSwap<Router>>);

impl Switch {
    pub(crate) fn new(router: Router) -> Self {
        Self(Arc::new(ArcSwap::from_pointee(router)))
    }

    pub(crate) fn set(&self, router: Router) {
        self.0.store(Arc::new(router));
    }

    fn current(&self) -> Router {
        Router::clone(&self.0.load())
    }
}

/// An open port.
pub(crate) struct Port {
    pub(crate) addr: SocketAddr,
    /// Stops accepting and lets connections finish what they have.
    stop: CancellationToken,
    /// Drops connections that did not finish in time.
    kill: CancellationToken,
    tasks: TaskTracker,
}

impl Port {
    /// Opens `addr` and answers with what `switch` holds.
    pub(crate) async fn open(addr: SocketAddr, switch: Switch) -> io::Result<Self> {
        let listener = TcpListener::bind(addr).await?;
        let port = Self {
            addr: listener.local_addr()?,
            stop: CancellationToken::new(),
            kill: CancellationToken::new(),
            tasks: TaskTracker::new(),
        };
        port.tasks.spawn(accept(listener, switch, port.stop.clone(), port.kill.clone(), port.tasks.clone()));
        Ok(port)
    }

    /// Stops accepting, waits up to `bound` for requests under way, then drops what is left. Returns
    /// whether everything finished.
    pub(crate) async fn close(&self, bound: Duration) -> bool {
        self.stop.cancel();
        self.tasks.close();
        if tokio::time::timeout(bound, self.tasks.wait()).await.is_ok() {
            return true;
        }
        self.kill.cancel();
        self.tasks.wait().await;
        false
    }
}

async fn accept(
    listener: TcpListener,
    switch: Switch,
    stop: CancellationToken,
    kill: CancellationToken,
    tasks: TaskTracker,
) {
    loop {
        // A connection that was accepted is handed on before the next wait, so cancelling loses none.
        let accepted = tokio::select! {
            () = stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) => {
                tasks.spawn(connection(stream, switch.clone(), stop.clone(), kill.clone()));
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn connection(stream: TcpStream, switch: Switch, stop: CancellationToken, kill: CancellationToken) {
    // Only a connection that is already gone refuses the option.
    let _ = stream.set_nodelay(true);
    let service = hyper::service::service_fn(move |request: http::Request<Incoming>| {
        let router = switch.current();
        async move {
            Ok::<_, Infallible>(router.oneshot(request.map(axum::body::Body::new)).await.unwrap_or_else(|e| match e {}))
        }
    });
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(HTTP2_KEEPALIVE)
        .max_concurrent_streams(HTTP2_STREAMS_MAX)
        .initial_stream_window_size(HTTP2_STREAM_WINDOW)
        .initial_connection_window_size(HTTP2_CONNECTION_WINDOW);
    let connection = builder.serve_connection_with_upgrades(TokioIo::new(stream), service);
    tokio::pin!(connection);
    let mut stopping = false;
    loop {
        // The connection is polled in place, so that the branches not taken lose nothing of it.
        tokio::select! {
            result = connection.as_mut() => {
                // Clients that hang up are daily life; their requests were logged where they failed.
                if let Err(error) = result {
                    tracing::debug!(%error, "connection ended");
                }
                return;
            }
            () = stop.cancelled(), if !stopping => {
                stopping = true;
                connection.as_mut().graceful_shutdown();
            }
            () = kill.cancelled() => return,
        }
    }
}
