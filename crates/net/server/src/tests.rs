//! A server in this process, spoken to over loopback.

use std::{sync::Arc, time::Duration};

use axum::{Router, routing::get, routing::post};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use skald_config::Config;
use tokio::sync::Notify;
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};

use crate::{
    BuildInfo, GrpcPool, Lifecycle, Metrics, Mount, Server, ServerParts, ServiceState, Tenant, logging::LogHandle,
};

struct Fixture {
    server: Server,
    lifecycle: Lifecycle,
    metrics: Metrics,
    log: LogHandle,
    client: Client<HttpConnector, Full<Bytes>>,
}

/// An answer, as text.
struct Answer {
    status: u16,
    headers: http::HeaderMap,
    body: String,
}

impl Fixture {
    async fn new(change: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config::default();
        config.server.http_listen_address = "127.0.0.1".to_owned();
        (config.server.http_listen_port, config.server.grpc_listen_port) = (0, 0);
        change(&mut config);
        let (lifecycle, metrics, log) = (Lifecycle::new(), Metrics::default(), LogHandle::detached());
        let parts = ServerParts {
            config: Arc::new(config),
            lifecycle: lifecycle.clone(),
            metrics: metrics.clone(),
            log: log.clone(),
            build: BuildInfo::default(),
        };
        let client = Client::builder(TokioExecutor::new()).build_http();
        Self { server: Server::bind(parts).await.unwrap(), lifecycle, metrics, log, client }
    }

    async fn mounted(change: impl FnOnce(&mut Config), http: Router) -> Self {
        let mut fixture = Self::new(change).await;
        fixture.server.mount(Mount { http, links: vec![("/ring", "the ring")], ..Mount::default() }).await;
        fixture
    }

    fn request(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> http::Request<Full<Bytes>> {
        let uri = format!("http://{}{path}", self.server.http_addr());
        let builder = http::Request::builder().method(method).uri(uri);
        let builder = headers.iter().fold(builder, |builder, (name, value)| builder.header(*name, *value));
        builder.body(Full::new(Bytes::from(body.to_owned()))).unwrap()
    }

    async fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let response = self.client.request(self.request(method, path, headers, body)).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let body = String::from_utf8_lossy(&bytes).into_owned();
        Answer { status: parts.status.as_u16(), headers: parts.headers, body }
    }

    async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[], "").await
    }
}

fn routes() -> Router {
    Router::new()
        .route("/whoami", get(|Tenant(tenant): Tenant| async move { tenant.to_string() }))
        .route("/push", post(|body: String| async move { body.len().to_string() }))
        .route(
            "/panic",
            get(|| async {
                if true {
                    panic!("a bug")
                }
            }),
        )
        .route("/large", get(|| async { "x".repeat(10_000) }).layer(crate::gzip()))
}

#[tokio::test]
async fn pages_of_every_process() {
    let fixture = Fixture::mounted(|_| {}, routes()).await;
    // (method, path, body, status, what the answer holds)
    let cases = [
        ("GET", "/ready", "", 200, "ready\n"),
        ("GET", "/services", "", 200, ""),
        ("GET", "/config", "", 200, "http_listen_address: 127.0.0.1"),
        ("GET", "/config?mode=diff", "", 200, "server:\n  http_listen_address: 127.0.0.1\n"),
        ("GET", "/config?mode=defaults", "", 200, "http_listen_port: 3100"),
        ("GET", "/config?mode=x", "", 400, "unknown mode 'x'\n"),
        ("GET", "/metrics", "", 200, "process_resident_memory_bytes"),
        ("GET", "/log_level", "", 200, "{\"message\":\"Current log level is info\"}"),
        ("POST", "/log_level", "log_level=loud", 400, "\"status\":\"failed\""),
        (
            "POST",
            "/log_level",
            "log_level=debug",
            200,
            "{\"status\":\"success\",\"message\":\"Log level set to debug\"}",
        ),
        ("GET", "/loki/api/v1/status/buildinfo", "", 200, "\"goVersion\":"),
        ("GET", "/", "", 200, "<a href=\"/ring\">"),
        ("GET", "/nowhere", "", 404, "404 page not found\n"),
        ("DELETE", "/ready", "", 405, ""),
        ("GET", "/push", "", 405, ""),
    ];
    for (method, path, body, status, expect) in cases {
        let form = [("content-type", "application/x-www-form-urlencoded")];
        let answer = fixture.send(method, path, &form, body).await;
        assert_eq!(answer.status, status, "{method} {path}: {}", answer.body);
        assert!(answer.body.contains(expect), "{method} {path}: {}", answer.body);
    }
    assert_eq!(fixture.log.level().name(), "debug");
}

#[tokio::test]
async fn readiness_follows_the_services() {
    let fixture = Fixture::new(|_| {}).await;
    let service = fixture.lifecycle.register("ingester");
    service.set(ServiceState::Starting);
    let answer = fixture.get("/ready").await;
    assert_eq!((answer.status, answer.body.as_str()), (503, "Some services are not Running:\nStarting: 1\n"));
    assert_eq!(fixture.get("/services").await.body, "ingester => Starting\n");
    // Routes of services that are not there yet ask for patience instead of saying 404.
    let answer = fixture.get("/whoami").await;
    assert_eq!((answer.status, &answer.headers["retry-after"]), (503, &http::HeaderValue::from(1)));
    service.set(ServiceState::Running);
    assert_eq!(fixture.get("/ready").await.status, 200);
    fixture.lifecycle.request_stop();
    assert_eq!(fixture.get("/ready").await.body, "Application is stopping\n");
}

#[tokio::test]
async fn tenants_over_http() {
    let strict = Fixture::mounted(|_| {}, routes()).await;
    let open = Fixture::mounted(|config| config.auth_enabled = false, routes()).await;
    for (fixture, header, status, body) in [
        (&strict, None, 401, "no org id\n"),
        (&strict, Some("team-a"), 200, "team-a"),
        (&strict, Some("a|b"), 400, "multiple org IDs present\n"),
        (&open, None, 200, "fake"),
        (&open, Some("team-a"), 200, "fake"),
    ] {
        let headers: Vec<(&str, &str)> = header.map(|value| ("X-Scope-OrgID", value)).into_iter().collect();
        let answer = fixture.send("GET", "/whoami", &headers, "").await;
        assert_eq!((answer.status, answer.body.as_str()), (status, body), "{header:?}");
    }
}

#[tokio::test]
async fn around_every_request() {
    let fixture = Fixture::mounted(|_| {}, routes()).await;
    let answer = fixture.send("GET", "/ready", &[("x-request-id", "r-1")], "").await;
    assert_eq!(answer.headers["x-request-id"], "r-1");
    assert_eq!(fixture.get("/ready").await.headers["x-request-id"].len(), 16);

    let answer = fixture.get("/panic").await;
    assert_eq!((answer.status, answer.body.as_str()), (500, "internal error"));
    assert_eq!(fixture.send("POST", "/push", &[], &"x".repeat((10 << 20) + 1)).await.status, 413);
    let answer = fixture.send("GET", "/large", &[("accept-encoding", "gzip")], "").await;
    assert_eq!(answer.headers["content-encoding"], "gzip");
    assert!(fixture.get("/large").await.headers.get("content-encoding").is_none());

    let text = fixture.metrics.encode();
    for expect in [
        "loki_panic_total 1",
        "loki_request_duration_seconds_count{method=\"GET\",route=\"panic\",status_code=\"500\",ws=\"false\"} 1",
        "loki_inflight_requests{method=\"GET\",route=\"ready\"} 0",
    ] {
        assert!(text.contains(expect), "{expect} in\n{text}");
    }
}

#[tokio::test]
async fn a_path_prefix_moves_everything() {
    let fixture = Fixture::mounted(|config| config.server.http_path_prefix = "/logs".to_owned(), routes()).await;
    for (path, status) in
        [("/logs/ready", 200), ("/logs", 200), ("/logs/", 308), ("/ready", 404), ("/logs/nowhere", 404)]
    {
        assert_eq!(fixture.get(path).await.status, status, "{path}");
    }
    assert!(fixture.metrics.encode().contains("route=\"ready\""));
}

#[tokio::test]
async fn grpc_health_before_and_after_mounting() {
    let mut fixture = Fixture::new(|_| {}).await;
    let pool = GrpcPool::new();
    let mut client = HealthClient::new(pool.get(&fixture.server.grpc_addr().to_string()).unwrap());
    let ask = || HealthCheckRequest { service: String::new() };
    assert_eq!(client.check(ask()).await.unwrap_err().code(), tonic::Code::Unavailable);
    fixture.server.mount(Mount::default()).await;
    assert_eq!(client.check(ask()).await.unwrap().into_inner().status, 1);
    fixture.server.set_not_serving().await;
    assert_eq!(client.check(ask()).await.unwrap().into_inner().status, 2);
    let text = fixture.metrics.encode();
    assert!(text.contains("route=\"/grpc.health.v1.Health/Check\",status_code=\"success\""), "{text}");
}

#[tokio::test]
async fn a_call_to_another_process_belongs_to_the_same_request() {
    let mut fixture = Fixture::new(|_| {}).await;
    fixture.server.mount(Mount::default()).await;
    let channel = GrpcPool::new().get(&fixture.server.grpc_addr().to_string()).unwrap();
    let mut client = HealthClient::with_interceptor(channel, crate::propagate_request);
    let call = client.check(HealthCheckRequest { service: String::new() });
    let answer = crate::with_request_id("r-17".into(), call).await.unwrap();
    assert_eq!(answer.metadata().get(crate::REQUEST_ID).unwrap(), "r-17");
}

#[tokio::test]
async fn closing_waits_for_requests_under_way() {
    let (entered, finish) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (inner_entered, inner_finish) = (Arc::clone(&entered), Arc::clone(&finish));
    let slow = get(move || async move {
        inner_entered.notify_one();
        inner_finish.notified().await;
        "done"
    });
    let fixture = Arc::new(Fixture::mounted(|_| {}, Router::new().route("/slow", slow)).await);
    let client = Arc::clone(&fixture);
    let request = tokio::spawn(async move { client.get("/slow").await });
    entered.notified().await;
    let closing = Arc::clone(&fixture);
    let closed = tokio::spawn(async move { closing.server.close().await });
    // The port refuses newcomers while the request is still being answered.
    while tokio::net::TcpStream::connect(fixture.server.http_addr()).await.is_ok() {
        tokio::task::yield_now().await;
    }
    assert!(!closed.is_finished());
    finish.notify_one();
    let answer = request.await.unwrap();
    assert_eq!((answer.status, answer.body.as_str()), (200, "done"));
    closed.await.unwrap();
}

#[tokio::test]
async fn closing_does_not_wait_forever() {
    let entered = Arc::new(Notify::new());
    let inner = Arc::clone(&entered);
    let stuck = get(move || async move {
        inner.notify_one();
        std::future::pending::<()>().await;
    });
    let config = |config: &mut Config| config.server.graceful_shutdown_timeout = skald_limits::Period::millis(50);
    let fixture = Arc::new(Fixture::mounted(config, Router::new().route("/stuck", stuck)).await);
    let client = Arc::clone(&fixture);
    let request = tokio::spawn(async move { client.client.request(client.request("GET", "/stuck", &[], "")).await });
    entered.notified().await;
    tokio::time::timeout(Duration::from_secs(60), fixture.server.close()).await.expect("closing is bounded");
    assert!(request.await.unwrap().is_err());
}
