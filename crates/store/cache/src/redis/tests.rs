//! Against a real `redis-server`, which the test command installs: alone, killed, paused, lying.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};

use super::*;

struct Server {
    process: Child,
    port: u16,
}

impl Server {
    fn start(port: Option<u16>) -> Server {
        let port = port.unwrap_or_else(|| {
            let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
            listener.local_addr().expect("it is bound").port()
        });
        let arguments = ["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--port"];
        let process = Command::new("redis-server")
            .args(arguments)
            .arg(port.to_string())
            .stdout(Stdio::null())
            .spawn()
            .expect("redis-server is installed (Debian: apt-get install redis-server)");
        Server { process, port }
    }

    fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// Stops the process in its tracks, or lets it go on: connections stay open and silent.
    fn signal(&self, name: &str) {
        let sent = Command::new("kill").arg(name).arg(self.process.id().to_string()).status().unwrap();
        assert!(sent.success());
    }

    async fn client(&self) -> redis::aio::MultiplexedConnection {
        let client = redis::Client::open(format!("redis://127.0.0.1:{}", self.port)).unwrap();
        client.get_multiplexed_async_connection().await.unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn config(port: u16) -> RedisConfig {
    RedisConfig::new(RedisServers::Single { url: format!("redis://127.0.0.1:{port}") })
}

async fn start(port: u16) -> RedisCache {
    let cache = RedisCache::start(config(port)).unwrap();
    cache.wait_up().await;
    cache
}

/// Long enough for any machine; only a failing test waits for it.
const DRAIN: Duration = Duration::from_secs(30);

#[tokio::test]
async fn values_come_back_and_foreign_ones_do_not() {
    let server = Server::start(None);
    let cache = start(server.port).await;
    let large = Bytes::from(vec![7; 1_000_000]);
    let table = [("a", Bytes::from_static(b"1")), ("b", Bytes::new()), ("c", large)];
    for (key, value) in &table {
        cache.put(key, value.clone()).await;
    }
    cache.put("too large", vec![0; (2 << 20) + 1].into()).await;
    cache.drain(DRAIN).await;
    for (key, value) in &table {
        assert_eq!(cache.get(key).await.as_ref(), Some(value), "{key}");
    }
    let keys: Vec<String> = (0..100).map(|i| if i % 2 == 0 { "a".to_owned() } else { format!("no {i}") }).collect();
    for (i, value) in cache.get_many(&keys).await.into_iter().enumerate() {
        assert_eq!(value.is_some(), i % 2 == 0, "{i}");
    }

    let mut client = server.client().await;
    let foreign: Vec<u8> = redis::cmd("GET").arg("skald/a").query_async(&mut client).await.unwrap();
    redis::cmd("SET").arg("skald/moved").arg(&foreign).query_async::<()>(&mut client).await.unwrap();
    redis::cmd("SET").arg("skald/other").arg("text").query_async::<()>(&mut client).await.unwrap();
    redis::cmd("APPEND").arg("skald/a").arg("x").query_async::<()>(&mut client).await.unwrap();
    redis::cmd("LPUSH").arg("skald/list").arg("x").query_async::<()>(&mut client).await.unwrap();
    for key in ["moved", "other", "a", "list"] {
        assert_eq!(cache.get(key).await, None, "{key}");
    }
    let ttl: i64 = redis::cmd("PTTL").arg("skald/b").query_async(&mut client).await.unwrap();
    assert!(ttl > 0, "entries expire");
    let stats = &cache.stats()[0];
    assert_eq!((stats.puts, stats.drops, stats.errors, stats.held_bytes), (3, 1, 3, 0));
}

#[tokio::test]
async fn a_killed_server_costs_nothing_and_is_used_again_after_its_restart() {
    let mut server = Server::start(None);
    let cache = start(server.port).await;
    cache.put("k", Bytes::from_static(b"v")).await;
    cache.drain(DRAIN).await;
    assert!(cache.get("k").await.is_some());

    server.kill();
    // The first few find out; from then on nobody is asked.
    while cache.is_up() {
        assert_eq!(cache.get("k").await, None);
    }
    let errors = cache.stats()[0].errors;
    for _ in 0..10_000 {
        assert_eq!(cache.get("k").await, None);
        cache.put("k", Bytes::from_static(b"v")).await;
    }
    let stats = &cache.stats()[0];
    assert_eq!(stats.errors, errors, "no request was made while it was down");
    assert_eq!(stats.drops, 10_000);

    let restarted = Server::start(Some(server.port));
    cache.wait_up().await;
    cache.put("k", Bytes::from_static(b"new")).await;
    cache.drain(DRAIN).await;
    assert_eq!(cache.get("k").await.as_deref(), Some(&b"new"[..]));
    drop(restarted);
}

#[tokio::test]
async fn a_paused_server_is_given_up_after_a_few_timeouts() {
    let server = Server::start(None);
    let cache = start(server.port).await;
    cache.put("k", Bytes::from_static(b"v")).await;
    cache.drain(DRAIN).await;
    server.signal("-STOP");
    let mut asked = 0;
    while cache.is_up() {
        assert_eq!(cache.get("k").await, None);
        asked += 1;
    }
    assert!((1..=3).contains(&asked), "{asked} requests waited for their timeout");
    server.signal("-CONT");
    cache.wait_up().await;
    assert!(cache.get("k").await.is_some());
}

#[tokio::test]
async fn a_server_that_was_never_there_is_a_miss() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let cache = RedisCache::start(config(port)).unwrap();
    assert_eq!(cache.get("k").await, None);
    assert_eq!(cache.get_many(&["a".to_owned(), "b".to_owned()]).await, [None, None]);
    cache.put("k", Bytes::new()).await;
    assert_eq!(cache.stats()[0].drops, 1);
}

#[tokio::test]
async fn configurations_that_cannot_work_are_refused() {
    let bad = "not a url".to_owned();
    let table = [
        RedisServers::Single { url: bad.clone() },
        RedisServers::Sentinel { urls: vec![bad.clone()], master: "m".into() },
        RedisServers::Cluster { urls: vec![bad] },
        RedisServers::Cluster { urls: vec![] },
    ];
    for servers in table {
        assert!(RedisCache::start(RedisConfig::new(servers.clone())).is_err(), "{servers:?}");
    }
    let secret = RedisConfig { password: Some("hunter2".into()), ..config(1) };
    assert!(!format!("{secret:?}").contains("hunter2"));
}
