//! The frontend through its router, with a scheduler in the test's hands.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use async_trait::async_trait;
use axum::{
    body::Body,
    http::{Request, header},
};
use parking_lot::Mutex;
use prometheus_client::registry::Registry;
use skald_cache::{Cache, MemoryCache, MemoryConfig};
use skald_config::LimitsHandle;
use skald_limits::{Limits, LimitsTable, Period};
use skald_model::Labels;
use skald_wire::{
    RpcError,
    api::{RpcStream, SchedulerApi},
    labels_to_bytes,
    pb::{self, query_task::Task, task_outcome::Outcome},
};
use tower::ServiceExt;

use crate::{QueryFrontend, QueryFrontendParts};

const SECOND: i64 = 1_000_000_000;
const HOUR: i64 = 3_600 * SECOND;
/// 2023-11-14T22:00:00Z.
const NOW: i64 = 1_699_999_200 * SECOND;

type Answer = Box<dyn Fn(&Task) -> Result<Outcome, RpcError> + Send + Sync>;

/// Answers tasks by a function and remembers them.
struct Scheduler {
    answer: Answer,
    tasks: Mutex<Vec<Task>>,
}

#[async_trait]
impl SchedulerApi for Scheduler {
    async fn execute(&self, request: pb::ExecuteRequest) -> Result<pb::TaskOutcome, RpcError> {
        let task = request.task.and_then(|t| t.task).unwrap();
        self.tasks.lock().push(task.clone());
        let outcome = (self.answer)(&task)?;
        Ok(pb::TaskOutcome { outcome: Some(outcome), stats: Some(pb::TaskStats { rows: 1, ..Default::default() }) })
    }

    async fn work(&self, _: RpcStream<pb::WorkerMessage>) -> Result<RpcStream<pb::SchedulerMessage>, RpcError> {
        Err(RpcError::Unavailable("no queriers here".into()))
    }
}

struct World {
    scheduler: Arc<Scheduler>,
    frontend: Arc<QueryFrontend>,
}

impl World {
    fn new(limits: Limits, answer: impl Fn(&Task) -> Result<Outcome, RpcError> + Send + Sync + 'static) -> Self {
        let scheduler = Arc::new(Scheduler { answer: Box::new(answer), tasks: Mutex::default() });
        let api: Arc<dyn SchedulerApi> = scheduler.clone();
        let cache: Arc<dyn Cache> = Arc::new(MemoryCache::new(MemoryConfig::default()));
        let frontend = QueryFrontend::start(QueryFrontendParts {
            schedulers: Arc::new(move || vec![api.clone()]),
            limits: LimitsHandle::new(LimitsTable::new(limits)),
            cache: Some(cache),
            max_retries: 2,
            align_queries_with_step: false,
            log_queries_longer_than: std::time::Duration::ZERO,
            clock: Arc::new(|| NOW),
            registry: &mut Registry::default(),
        });
        Self { scheduler, frontend }
    }

    /// Status and body without statistics.
    async fn get(&self, uri: &str, headers: &[(&str, &str)]) -> (u16, String) {
        let mut request = Request::get(uri).header("x-scope-orgid", "t");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.send(request.body(Body::empty()).unwrap()).await
    }

    async fn send(&self, request: Request<Body>) -> (u16, String) {
        let response = self.frontend.router().oneshot(request).await.unwrap();
        let status = response.status().as_u16();
        let bytes = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        (status, text.split(",\"stats\":").next().unwrap().to_owned())
    }

    fn take_tasks(&self) -> Vec<Task> {
        std::mem::take(&mut *self.scheduler.tasks.lock())
    }
}

fn app() -> bytes::Bytes {
    labels_to_bytes(&Labels::from_pairs([("app", "x")]))
}

/// A log querier with one line per hour in `{app="x"}`.
fn hourly(task: &Task) -> Result<Outcome, RpcError> {
    let Task::Log(task) = task else { panic!("not a log task: {task:?}") };
    let mut times: Vec<i64> = (task.from_ns.div_euclid(HOUR)..=task.to_ns.div_euclid(HOUR))
        .map(|h| h * HOUR + SECOND)
        .filter(|t| (task.from_ns..task.to_ns).contains(t))
        .collect();
    if task.backward {
        times.reverse();
    }
    times.truncate(task.limit as usize);
    let entries = times.into_iter().map(|timestamp_ns| pb::LogEntry {
        timestamp_ns,
        line: bytes::Bytes::from_static(b"l"),
        labels: app(),
        ..Default::default()
    });
    let stream = pb::LogStream { stream: app(), entries: entries.collect() };
    Ok(Outcome::Log(pb::LogOutcome { streams: if stream.entries.is_empty() { Vec::new() } else { vec![stream] } }))
}

#[tokio::test]
async fn log_queries_stop_at_the_limit() {
    let world = World::new(Limits::default(), hourly);
    let uri = format!("/loki/api/v1/query_range?query={{app=%22x%22}}&limit=2&start={}&end={NOW}", NOW - 10 * HOUR);
    let (status, body) = world.get(&uri, &[]).await;
    let time = |hours: i64| NOW - hours * HOUR + SECOND;
    let expect = format!(
        "{{\"status\":\"success\",\"data\":{{\"resultType\":\"streams\",\"result\":[{{\"stream\":{{\"app\":\"x\"}},\
         \"values\":[[\"{}\",\"l\"],[\"{}\",\"l\"]]}}]",
        time(1),
        time(2)
    );
    assert_eq!((status, body), (200, expect));
    // One part, then two at a time: the newest three of ten.
    assert_eq!(world.take_tasks().len(), 3);
    let (_, body) = world
        .get(&format!("{uri}&direction=forward"), &[("X-Loki-Response-Encoding-Flags", "categorize-labels")])
        .await;
    let expect = format!("\"values\":[[\"{}\",\"l\",{{}}],[\"{}\",\"l\",{{}}]]}}]", time(10), time(9));
    assert!(
        body.contains("\"encodingFlags\":[\"categorize-labels\"],\"result\":[") && body.ends_with(&expect),
        "{body}"
    );
}

#[tokio::test]
async fn forms_and_query_strings_are_one() {
    let world = World::new(Limits::default(), hourly);
    let request = Request::post("/loki/api/v1/query_range?limit=1")
        .header("x-scope-orgid", "t")
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(Body::from("query=%7Bapp%3D%22x%22%7D&since=2h"))
        .unwrap();
    let (status, body) = world.send(request).await;
    assert_eq!(status, 200, "{body}");
    assert!(body.contains("\"values\":[[\""), "{body}");
}

#[tokio::test]
async fn errors_as_clients_know_them() {
    let limits = Limits { max_query_length: Period::hours(24), ..Limits::default() };
    let world = World::new(limits, |task| match task {
        Task::Streams(_) => Err(RpcError::Exhausted("too many outstanding requests".into())),
        Task::Metric(_) => Ok(Outcome::Error(pb::TaskError { status: 504, message: "deadline exceeded".into() })),
        _ => Err(RpcError::Unavailable("down".into())),
    });
    let app = "query={app=%22x%22}";
    let table: &[(String, u16, &str)] = &[
        (format!("/loki/api/v1/query?{app}"), 400, "log queries are not supported as an instant query type"),
        (format!("/loki/api/v1/query_range?{app}&limit=5001"), 400, "max entries limit per query exceeded"),
        (format!("/loki/api/v1/query_range?{app}&start=1&end=999999&step=1"), 400, "exceeded maximum resolution"),
        (
            format!("/loki/api/v1/query_range?{app}&since=25h"),
            400,
            "the query time range exceeds the limit (query length: 1d1h, limit: 1d)",
        ),
        ("/loki/api/v1/query_range?query={app".into(), 400, "parse error at line 1, col"),
        (format!("/loki/api/v1/query_range?{app}&limit=0"), 400, "limit must be a positive value"),
        (format!("/loki/api/v1/query_range?{app}"), 503, "down"),
        ("/loki/api/v1/labels".into(), 429, "too many outstanding requests"),
        ("/loki/api/v1/query?query=rate({app=%22x%22}[1m])".into(), 504, "request timed out, decrease"),
        (
            "/api/prom/query?query=rate({app=%22x%22}[1m])".into(),
            400,
            "legacy endpoints only support streams result type",
        ),
    ];
    for (uri, status, text) in table {
        let (got, body) = world.get(uri, &[]).await;
        assert_eq!(got, *status, "{uri}: {body}");
        assert!(body.starts_with(text) && !body.ends_with('\n'), "{uri}: {body}");
    }
    let request = Request::get("/loki/api/v1/labels").body(Body::empty()).unwrap();
    assert_eq!(world.send(request).await, (401, "no org id\n".into()));
}

#[tokio::test]
async fn failures_on_our_side_are_tried_again() {
    let failures = AtomicUsize::new(0);
    let world = World::new(Limits::default(), move |task| {
        if failures.fetch_add(1, Ordering::Relaxed) < 2 {
            Err(RpcError::Unavailable("down".into()))
        } else {
            hourly(task)
        }
    });
    let (status, body) = world.get("/loki/api/v1/query_range?query={app=%22x%22}&since=30m", &[]).await;
    assert_eq!(status, 200, "{body}");
}

/// A metric querier: each step's value is its own time in seconds; counts steps.
fn clockwork(
    steps: Arc<AtomicUsize>,
    fingerprint: Arc<AtomicUsize>,
    memory_from: i64,
) -> impl Fn(&Task) -> Result<Outcome, RpcError> {
    move |task| match task {
        Task::Metric(task) => {
            let times: Vec<i64> = (task.start_ns..=task.end_ns).step_by(task.step_ns as usize).collect();
            steps.fetch_add(times.len(), Ordering::Relaxed);
            let timestamps_ms = times.iter().map(|t| t / 1_000_000).collect();
            let values = times.iter().map(|t| (t / SECOND) as f64).collect();
            let series = pb::MetricSeries { labels: app(), timestamps_ms, values };
            Ok(Outcome::Metric(pb::MetricOutcome { scalar: false, series: vec![series] }))
        }
        Task::Freshness(selection) => Ok(Outcome::Freshness(pb::FreshnessOutcome {
            fingerprint: fingerprint.load(Ordering::Relaxed) as u64,
            rows_in_memory: selection.to_ns > memory_from,
        })),
        other => panic!("unexpected task {other:?}"),
    }
}

#[tokio::test]
async fn cached_results_are_used_while_nothing_changes() {
    let (steps, fingerprint) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(1)));
    let world = World::new(Limits::default(), clockwork(steps.clone(), fingerprint.clone(), NOW - HOUR));
    let query = "/loki/api/v1/query_range?query=rate({app=%22x%22}[1m])&step=600";
    let uri = |from: i64| format!("{query}&start={}&end={}", NOW - from * HOUR, NOW - SECOND);
    let run = async |uri: String, headers: &'static [(&'static str, &'static str)]| {
        steps.store(0, Ordering::Relaxed);
        let (status, body) = world.get(&uri, headers).await;
        assert_eq!(status, 200, "{body}");
        (steps.load(Ordering::Relaxed), body)
    };
    // Three hours of six steps, and the end moved to the next step.
    let (computed, first) = run(uri(3), &[]).await;
    assert_eq!(computed, 19);
    // Only hours that no ingester holds rows of come from the cache.
    assert_eq!(run(uri(3), &[]).await, (7, first.clone()));
    // An hour more: that hour is computed.
    assert_eq!(run(uri(4), &[]).await.0, 13);
    assert_eq!(run(uri(4), &[]).await.0, 7);
    assert_eq!(run(uri(3), &[("cache-control", "No-Cache")]).await, (19, first.clone()));
    // A commit makes everything before it worthless.
    fingerprint.store(2, Ordering::Relaxed);
    assert_eq!(run(uri(3), &[]).await, (19, first.clone()));
    assert_eq!(run(uri(3), &[]).await, (7, first));
}

#[tokio::test]
async fn instants_series_and_labels() {
    let world = World::new(Limits::default(), |task| match task {
        Task::Metric(task) => Ok(Outcome::Metric(pb::MetricOutcome {
            scalar: task.query.starts_with('1'),
            series: vec![pb::MetricSeries {
                labels: labels_to_bytes(&Labels::empty()),
                timestamps_ms: vec![task.start_ns / 1_000_000],
                values: vec![2.0],
            }],
        })),
        Task::Streams(selection) => {
            let stream = |name: &str| pb::StreamUse {
                labels: labels_to_bytes(&Labels::from_pairs([("app", name), ("ns", "n")])),
                rows: 2,
                bytes: 20,
            };
            let streams = if selection.matchers == "{}" { vec![stream("x"), stream("y")] } else { vec![stream("x")] };
            Ok(Outcome::Streams(pb::StreamsOutcome { streams, chunks: 3 }))
        }
        other => panic!("unexpected task {other:?}"),
    });
    let table = [
        (
            "/loki/api/v1/query?query=vector(1)%2Bvector(1)&time=4",
            r#"{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[4,"2"]}]"#,
        ),
        (
            "/loki/api/v1/query?query=1%2B1&time=4",
            r#"{"status":"success","data":{"resultType":"scalar","result":[4,"2"]"#,
        ),
        ("/loki/api/v1/labels", "{\"status\":\"success\",\"data\":[\"app\",\"ns\"]}\n"),
        ("/loki/api/v1/label?query={app=%22x%22}", "{\"status\":\"success\",\"data\":[\"app\",\"ns\"]}\n"),
        ("/loki/api/v1/label/app/values", "{\"status\":\"success\",\"data\":[\"x\",\"y\"]}\n"),
        ("/loki/api/v1/label/nope/values", "{\"status\":\"success\"}\n"),
        ("/api/prom/label/app/values", "{\"values\":[\"x\",\"y\"]}\n"),
        (
            "/loki/api/v1/series?match[]={app=%22x%22}&match[]={app=%22x%22}",
            "{\"status\":\"success\",\"data\":[{\"app\":\"x\",\"ns\":\"n\"}]}\n",
        ),
        ("/loki/api/v1/index/stats?query={app=%22x%22}", "{\"streams\":1,\"chunks\":3,\"bytes\":20,\"entries\":2}\n"),
    ];
    for (uri, expect) in table {
        assert_eq!(world.get(uri, &[]).await, (200, expect.to_owned()), "{uri}");
    }
    let (status, body) = world.get("/loki/api/v1/format_query?query={app=%22x%22", &[]).await;
    assert_eq!(status, 400);
    assert!(body.starts_with("{\"status\":\"invalid-query\",\"error\":\"parse error"), "{body}");
}

#[tokio::test]
async fn a_dropped_request_drops_its_tasks() {
    struct Never(Arc<AtomicUsize>);
    struct Count(Arc<AtomicUsize>);
    impl Drop for Count {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
    #[async_trait]
    impl SchedulerApi for Never {
        async fn execute(&self, _: pb::ExecuteRequest) -> Result<pb::TaskOutcome, RpcError> {
            let _count = Count(self.0.clone());
            std::future::pending().await
        }
        async fn work(&self, _: RpcStream<pb::WorkerMessage>) -> Result<RpcStream<pb::SchedulerMessage>, RpcError> {
            Err(RpcError::Cancelled)
        }
    }
    let dropped = Arc::new(AtomicUsize::new(0));
    let api: Arc<dyn SchedulerApi> = Arc::new(Never(dropped.clone()));
    let frontend = QueryFrontend::start(QueryFrontendParts {
        schedulers: Arc::new(move || vec![api.clone()]),
        limits: LimitsHandle::default(),
        cache: None,
        max_retries: 2,
        align_queries_with_step: false,
        log_queries_longer_than: std::time::Duration::ZERO,
        clock: Arc::new(|| NOW),
        registry: &mut Registry::default(),
    });
    let uri = "/loki/api/v1/query_range?query={app=%22x%22}|=%22y%22&since=3h";
    let request = Request::get(uri).header("x-scope-orgid", "t").body(Body::empty()).unwrap();
    let mut answer = Box::pin(frontend.router().oneshot(request));
    assert!(futures::poll!(&mut answer).is_pending());
    drop(answer);
    assert_eq!(dropped.load(Ordering::Relaxed), 3);
}
