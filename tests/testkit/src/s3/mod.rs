//! An S3 server in this process: in memory, over real HTTP, with signatures checked.
//!
//! Built on `s3s`, which knows the protocol; the objects are ours, so that conditional writes are
//! decided under one lock, as S3 decides them, and faults can be injected ([`S3Handle`]): answers
//! of 503, latency, answers lost after the work was done, a server that stands still.

mod backend;
mod faults;

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use s3s::auth::SimpleAuth;
use s3s::service::{S3Service, S3ServiceBuilder};
use tokio::net::TcpListener;
use tokio::task::{AbortHandle, JoinSet};

pub use faults::{Counts, S3Handle, Verdict};

/// The access key every server of the kit knows.
pub const ACCESS_KEY_ID: &str = "skald-test";

/// Its secret.
pub const SECRET_ACCESS_KEY: &str = "skald-test-secret";

/// A running server. Dropping it closes the port and every connection; the objects live on in its
/// handle, and [`S3Server::restart`] serves them again.
pub struct S3Server {
    /// The URL for clients.
    pub endpoint: String,
    /// Faults, counters and a look at the objects.
    pub handle: S3Handle,
    address: SocketAddr,
    accepting: AbortHandle,
}

impl S3Server {
    /// Serves an empty store on `address` (port 0: any). Buckets need not be created: each exists.
    pub async fn start(address: SocketAddr) -> anyhow::Result<S3Server> {
        S3Server::restart(address, S3Handle::default()).await
    }

    /// Serves the objects of an earlier server.
    pub async fn restart(address: SocketAddr, handle: S3Handle) -> anyhow::Result<S3Server> {
        let listener = TcpListener::bind(address).await.with_context(|| format!("binding {address}"))?;
        let address = listener.local_addr()?;
        let mut builder = S3ServiceBuilder::new(handle.backend());
        builder.set_auth(SimpleAuth::from_single(ACCESS_KEY_ID, SECRET_ACCESS_KEY));
        let service = builder.build();
        let accepting = tokio::spawn(accept(listener, service, handle.clone())).abort_handle();
        Ok(S3Server { endpoint: format!("http://{address}"), handle, address, accepting })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for S3Server {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// Aborting it closes the listener and, through the set, every connection.
async fn accept(listener: TcpListener, service: S3Service, handle: S3Handle) {
    let mut connections = JoinSet::new();
    let service = Arc::new(service);
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((stream, _)) = accepted else { continue };
                // Small answers must not wait for acknowledgements.
                let _ = stream.set_nodelay(true);
                let (service, handle) = (service.clone(), handle.clone());
                connections.spawn(async move {
                    let serve = hyper::service::service_fn(move |request| {
                        let (service, handle) = (service.clone(), handle.clone());
                        async move { handle.serve(&service, request).await }
                    });
                    let server = auto::Builder::new(TokioExecutor::new());
                    // An error is a client that went away, or a fault that was asked for.
                    let _ = server.serve_connection(TokioIo::new(stream), serve).await;
                });
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

#[cfg(test)]
mod tests;
