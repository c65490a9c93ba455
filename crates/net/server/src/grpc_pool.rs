//! Connections to other services: one per address, made when first used, kept, and dropped when the
//! address leaves the ring.

use std::{collections::HashMap, sync::Arc, time::Duration};

use parking_lot::Mutex;
use tonic::transport::{Channel, Endpoint};

/// A peer that does not accept a connection within this time counts as down for this call.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// How often an open connection is checked; a peer that was cut off is noticed after this and
/// [`KEEPALIVE_TIMEOUT`] instead of when TCP gives up, many minutes later.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);

/// How long such a check may take.
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(5);

/// Bytes in flight per stream and per connection: a push batch or a page of rows without waiting for
/// a window update.
const WINDOW_BYTES: u32 = 4 << 20;

/// More peers than any cluster has; beyond it the pool starts over, since connections come back by themselves.
const PEERS_MAX: usize = 4096;

/// Connections by address (`host:port`). Clones share them.
#[derive(Clone, Default)]
pub struct GrpcPool {
    channels: Arc<Mutex<HashMap<String, Channel>>>,
}

/// An address that cannot be one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{addr}' is not an address")]
pub struct BadAddress {
    /// The address as it came.
    pub addr: String,
}

impl GrpcPool {
    /// An empty pool.
    pub fn new() -> Self {
        Self::default()
    }

    /// The connection to `addr`. Returns at once; connecting happens with the first call and again
    /// after a failure. Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// If `addr` is not of the form `host:port`.
    pub fn get(&self, addr: &str) -> Result<Channel, BadAddress> {
        let mut channels = self.channels.lock();
        if let Some(channel) = channels.get(addr) {
            return Ok(channel.clone());
        }
        let endpoint = Endpoint::from_shared(format!("http://{addr}"));
        let endpoint = endpoint.map_err(|_| BadAddress { addr: addr.to_owned() })?;
        let channel = endpoint
            .connect_timeout(CONNECT_TIMEOUT)
            .tcp_nodelay(true)
            .http2_keep_alive_interval(KEEPALIVE_INTERVAL)
            .keep_alive_timeout(KEEPALIVE_TIMEOUT)
            .keep_alive_while_idle(true)
            .initial_stream_window_size(WINDOW_BYTES)
            .initial_connection_window_size(WINDOW_BYTES)
            .connect_lazy();
        if channels.len() >= PEERS_MAX {
            channels.clear();
        }
        channels.insert(addr.to_owned(), channel.clone());
        Ok(channel)
    }

    /// Drops the connection to `addr`; calls under way finish.
    pub fn evict(&self, addr: &str) {
        self.channels.lock().remove(addr);
    }

    /// Drops every connection whose address `keep` does not want.
    pub fn retain(&self, keep: impl Fn(&str) -> bool) {
        self.channels.lock().retain(|addr, _| keep(addr));
    }

    /// How many addresses have a connection.
    pub fn len(&self) -> usize {
        self.channels.lock().len()
    }

    /// Whether no address has a connection.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::GrpcPool;

    #[tokio::test]
    async fn one_connection_per_address() {
        let pool = GrpcPool::new();
        for addr in ["127.0.0.1:1", "127.0.0.1:1", "host.example:9095", "[::1]:9095"] {
            pool.get(addr).unwrap();
        }
        assert_eq!(pool.len(), 3);
        pool.evict("127.0.0.1:1");
        pool.retain(|addr| addr.starts_with("host"));
        assert_eq!(pool.len(), 1);
        assert_eq!(pool.get("no spaces please").unwrap_err().to_string(), "'no spaces please' is not an address");
    }
}
