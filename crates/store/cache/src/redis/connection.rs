//! The connections to Redis and the breaker in front of them.
//!
//! Up: requests go out on one of a few multiplexed connections. After [`FAILURES_MAX`] failures in
//! a row (or one broken connection) the link is down: requests are answered `None` at once, and the
//! keeper, the only task that ever connects, tries until a PING succeeds.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::time::Duration;

use redis::aio::{ConnectionLike, MultiplexedConnection};
use redis::cluster_async::ClusterConnection;
use redis::sentinel::{SentinelClient, SentinelNodeConnectionInfo, SentinelServerType};
use redis::{
    AsyncConnectionConfig, Client, Cmd, ConnectionInfo, FromRedisValue, IntoConnectionInfo, Pipeline, RedisFuture,
    RedisResult, Value,
};
use tokio::sync::watch;
use tokio::task::AbortHandle;

use super::{RedisConfig, RedisServers};

/// Connections to one server. Answers come in order, so a large value delays those behind it.
const CONNECTIONS: usize = 2;

/// So many failures in a row take the link down: one or two slow answers are no outage.
const FAILURES_MAX: u32 = 3;

/// A server that is up accepts and answers within this.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// Wait between tries to connect, doubled up to the second. The first is short, since a restart
/// takes a moment only.
const RECONNECT_MIN: Duration = Duration::from_millis(50);
const RECONNECT_MAX: Duration = Duration::from_secs(2);

pub(super) struct Link {
    /// The connections, or nothing while down. Only the keeper puts some in.
    state: watch::Sender<Option<Arc<Connections>>>,
    keeper: std::sync::OnceLock<AbortHandle>,
}

struct Connections {
    each: Vec<Connection>,
    next: AtomicUsize,
    failures: AtomicU32,
}

#[derive(Clone)]
enum Connection {
    Server(MultiplexedConnection),
    Cluster(ClusterConnection),
}

impl ConnectionLike for Connection {
    fn req_packed_command<'a>(&'a mut self, cmd: &'a Cmd) -> RedisFuture<'a, Value> {
        match self {
            Connection::Server(c) => c.req_packed_command(cmd),
            Connection::Cluster(c) => c.req_packed_command(cmd),
        }
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        pipeline: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        match self {
            Connection::Server(c) => c.req_packed_commands(pipeline, offset, count),
            Connection::Cluster(c) => c.req_packed_commands(pipeline, offset, count),
        }
    }

    fn get_db(&self) -> i64 {
        match self {
            Connection::Server(c) => c.get_db(),
            Connection::Cluster(c) => c.get_db(),
        }
    }
}

impl Link {
    /// Starts the keeper, which connects in the background.
    pub(super) fn start(config: &RedisConfig) -> RedisResult<Arc<Link>> {
        let mut connector = Connector::new(config)?;
        let (state, mut watched) = watch::channel(None);
        let link = Arc::new(Link { state, keeper: std::sync::OnceLock::new() });
        let weak = Arc::downgrade(&link);
        // Cancelled between any two awaits it leaves at most an unused connection, which closes.
        let keeper = tokio::spawn(async move {
            loop {
                let connections = connector.connect_patiently().await;
                let Some(link) = weak.upgrade() else { return };
                link.state.send_replace(Some(Arc::new(connections)));
                drop(link);
                if watched.wait_for(Option::is_none).await.is_err() {
                    return;
                }
                tracing::warn!("redis is not answering: its cache is skipped until it does");
            }
        });
        link.keeper.set(keeper.abort_handle()).expect("this is the only place that sets it");
        Ok(link)
    }

    pub(super) fn is_up(&self) -> bool {
        self.state.borrow().is_some()
    }

    pub(super) async fn wait_up(&self) {
        // The sender is `self`, so it outlives the wait.
        let _ = self.state.subscribe().wait_for(Option::is_some).await;
    }

    /// Sends a command; `None` while down, an error after at most `timeout`.
    pub(super) async fn query<T: FromRedisValue>(&self, command: &Cmd, timeout: Duration) -> Option<RedisResult<T>> {
        let connections = self.state.borrow().clone()?;
        let mut connection = connections.pick();
        let result = bounded(timeout, command.query_async(&mut connection)).await;
        Some(self.judge(&connections, result))
    }

    /// As `query`, for several commands at once whose answers do not matter.
    pub(super) async fn execute(&self, pipeline: &Pipeline, timeout: Duration) -> Option<RedisResult<()>> {
        let connections = self.state.borrow().clone()?;
        let mut connection = connections.pick();
        let result = bounded(timeout, pipeline.exec_async(&mut connection)).await;
        Some(self.judge(&connections, result))
    }

    fn judge<T>(&self, connections: &Arc<Connections>, result: RedisResult<T>) -> RedisResult<T> {
        match &result {
            Ok(_) => connections.failures.store(0, Ordering::Relaxed),
            Err(e) => {
                let failures = connections.failures.fetch_add(1, Ordering::Relaxed) + 1;
                if failures >= FAILURES_MAX || e.is_connection_dropped() || e.is_connection_refusal() {
                    // Another request may have done so before, and new connections may be in place.
                    self.state.send_if_modified(|state| {
                        let ours = state.as_ref().is_some_and(|s| Arc::ptr_eq(s, connections));
                        if ours {
                            *state = None;
                        }
                        ours
                    });
                }
            }
        }
        result
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        if let Some(keeper) = self.keeper.get() {
            keeper.abort();
        }
    }
}

impl Connections {
    fn pick(&self) -> Connection {
        self.each[self.next.fetch_add(1, Ordering::Relaxed) % self.each.len()].clone()
    }
}

async fn bounded<T>(timeout: Duration, request: impl Future<Output = RedisResult<T>>) -> RedisResult<T> {
    let elapsed = |_| Err(std::io::Error::from(std::io::ErrorKind::TimedOut).into());
    tokio::time::timeout(timeout, request).await.unwrap_or_else(elapsed)
}

enum Connector {
    Single { client: Client, options: AsyncConnectionConfig },
    Sentinel { client: Box<SentinelClient>, options: AsyncConnectionConfig },
    Cluster { client: redis::cluster::ClusterClient },
}

impl Connector {
    fn new(config: &RedisConfig) -> RedisResult<Connector> {
        // Ours are the timeouts that count; these only free what was given up.
        let response = config.get_timeout.max(config.put_timeout) * 2;
        let options = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT_TIMEOUT))
            .set_response_timeout(Some(response));
        match &config.servers {
            RedisServers::Single { url } => {
                Ok(Connector::Single { client: Client::open(with_login(url, config)?)?, options })
            }
            RedisServers::Sentinel { urls, master } => {
                let sentinels =
                    urls.iter().map(|u| u.as_str().into_connection_info()).collect::<RedisResult<Vec<_>>>()?;
                let login = with_login("redis://unused", config)?.redis_settings().clone();
                let node = SentinelNodeConnectionInfo::default().set_redis_connection_info(login);
                let client = SentinelClient::build(sentinels, master, Some(node), SentinelServerType::Master)?;
                Ok(Connector::Sentinel { client: Box::new(client), options })
            }
            RedisServers::Cluster { urls } => {
                let nodes = urls.iter().map(|u| u.as_str().into_connection_info()).collect::<RedisResult<Vec<_>>>()?;
                let mut builder = redis::cluster::ClusterClient::builder(nodes)
                    .connection_timeout(CONNECT_TIMEOUT)
                    .response_timeout(response)
                    .retries(1);
                if let Some(username) = &config.username {
                    builder = builder.username(username);
                }
                if let Some(password) = &config.password {
                    builder = builder.password(password);
                }
                Ok(Connector::Cluster { client: builder.build()? })
            }
        }
    }

    async fn connect_patiently(&mut self) -> Connections {
        let mut wait = RECONNECT_MIN;
        loop {
            // Names are resolved and sentinels asked inside, so the whole try is bounded as well.
            match bounded(CONNECT_TIMEOUT * 2, self.connect()).await {
                Ok(connections) => return connections,
                Err(e) => tracing::debug!(error = %e, "redis cannot be reached"),
            }
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(RECONNECT_MAX);
        }
    }

    async fn connect(&mut self) -> RedisResult<Connections> {
        let mut each = Vec::with_capacity(CONNECTIONS);
        for _ in 0..CONNECTIONS {
            let mut connection = match self {
                Connector::Single { client, options } => {
                    Connection::Server(client.get_multiplexed_async_connection_with_config(options).await?)
                }
                Connector::Sentinel { client, options } => {
                    Connection::Server(client.get_async_connection_with_config(options).await?)
                }
                Connector::Cluster { client } => Connection::Cluster(client.get_async_connection().await?),
            };
            redis::cmd("PING").query_async::<()>(&mut connection).await?;
            each.push(connection);
        }
        Ok(Connections { each, next: AtomicUsize::new(0), failures: AtomicU32::new(0) })
    }
}

fn with_login(url: &str, config: &RedisConfig) -> RedisResult<ConnectionInfo> {
    let info = url.into_connection_info()?;
    let mut settings = info.redis_settings().clone();
    if let Some(username) = &config.username {
        settings = settings.set_username(username);
    }
    if let Some(password) = &config.password {
        settings = settings.set_password(password);
    }
    Ok(info.set_redis_settings(settings))
}
