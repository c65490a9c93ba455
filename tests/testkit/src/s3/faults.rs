//! Faults of the S3 server, decided per request before and after the real work, and its counters.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use hyper::body::Incoming;
use parking_lot::Mutex;
use s3s::Body;
use s3s::service::S3Service;
use tokio::sync::watch;

use super::backend::{Backend, Objects};

/// What happens to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is served.
    Serve,
    /// It is answered 503 `SlowDown` without effect.
    Refuse,
    /// It is answered 500 `InternalError` after it took effect.
    FailAfter,
    /// It takes effect, and the connection closes without an answer.
    DropAnswer,
    /// The connection closes without effect.
    DropRequest,
}

/// Requests that came in, by HTTP method, and bytes of object bodies that went out and in are the
/// business of the client's counters, not of these.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Requests by method (`GET`, `PUT`, ...), faults included.
    pub requests: BTreeMap<String, u64>,
    /// Requests that a fault struck.
    pub faults: u64,
}

impl Counts {
    /// Requests of one method.
    pub fn of(&self, method: &str) -> u64 {
        self.requests.get(method).copied().unwrap_or(0)
    }

    /// All requests.
    pub fn total(&self) -> u64 {
        self.requests.values().sum()
    }
}

/// Decides by method and path, which begins with the bucket.
type Decide = Box<dyn FnMut(&str, &str) -> Verdict + Send>;

/// The control side of a server. Clones share it.
#[derive(Clone)]
pub struct S3Handle {
    objects: Arc<Objects>,
    state: Arc<Mutex<State>>,
    paused: watch::Sender<bool>,
}

struct State {
    decide: Decide,
    /// So many requests to strike with this verdict, before `decide` is asked.
    next: (u64, Verdict),
    latency: Duration,
    counts: Counts,
}

impl Default for S3Handle {
    fn default() -> Self {
        let state = State {
            decide: Box::new(|_, _| Verdict::Serve),
            next: (0, Verdict::Serve),
            latency: Duration::ZERO,
            counts: Counts::default(),
        };
        S3Handle { objects: Arc::default(), state: Arc::new(Mutex::new(state)), paused: watch::Sender::new(false) }
    }
}

impl S3Handle {
    /// Strikes the next `requests` requests, whatever they are.
    pub fn fail_next(&self, requests: u64, verdict: Verdict) {
        self.state.lock().next = (requests, verdict);
    }

    /// Refuses every request until [`S3Handle::heal`].
    pub fn fail_all(&self) {
        self.decide(|_, _| Verdict::Refuse);
    }

    /// Asks `decide` for every request, by method and path (`/bucket/key`).
    pub fn decide(&self, decide: impl FnMut(&str, &str) -> Verdict + Send + 'static) {
        self.state.lock().decide = Box::new(decide);
    }

    /// Delays every answer.
    pub fn set_latency(&self, latency: Duration) {
        self.state.lock().latency = latency;
    }

    /// Holds every request that comes, until [`S3Handle::resume`].
    pub fn pause(&self) {
        self.paused.send_replace(true);
    }

    /// Lets held requests go on.
    pub fn resume(&self) {
        self.paused.send_replace(false);
    }

    /// No faults any more; held requests go on.
    pub fn heal(&self) {
        let mut state = self.state.lock();
        state.decide = Box::new(|_, _| Verdict::Serve);
        state.next = (0, Verdict::Serve);
        state.latency = Duration::ZERO;
        drop(state);
        self.resume();
    }

    /// The counters so far.
    pub fn counts(&self) -> Counts {
        self.state.lock().counts.clone()
    }

    /// The keys of a bucket with their sizes, in order.
    pub fn objects(&self, bucket: &str) -> Vec<(String, u64)> {
        self.objects.list(bucket)
    }

    /// The content of an object.
    pub fn object(&self, bucket: &str, key: &str) -> Option<Bytes> {
        self.objects.body(bucket, key)
    }

    pub(super) fn backend(&self) -> Backend {
        Backend::new(self.objects.clone())
    }

    fn judge(&self, method: &str, path: &str) -> (Verdict, Duration) {
        let mut state = self.state.lock();
        *state.counts.requests.entry(method.to_owned()).or_default() += 1;
        let verdict = if state.next.0 > 0 {
            state.next.0 -= 1;
            state.next.1
        } else {
            (state.decide)(method, path)
        };
        state.counts.faults += u64::from(verdict != Verdict::Serve);
        (verdict, state.latency)
    }

    pub(super) async fn serve(
        &self,
        service: &S3Service,
        request: Request<Incoming>,
    ) -> Result<Response<Body>, anyhow::Error> {
        let (verdict, latency) = self.judge(request.method().as_str(), request.uri().path());
        // The sender lives in `self`.
        let _ = self.paused.subscribe().wait_for(|paused| !paused).await;
        tokio::time::sleep(latency).await;
        match verdict {
            Verdict::DropRequest => anyhow::bail!("the request is dropped, as asked for"),
            Verdict::Refuse => {
                // Read to the end: a client that is still sending might not see the answer.
                let _ = http_body_util::BodyExt::collect(request.into_body()).await;
                Ok(error_answer(503, "SlowDown"))
            }
            Verdict::Serve => self.call(service, request).await,
            Verdict::FailAfter => {
                self.call(service, request).await?;
                Ok(error_answer(500, "InternalError"))
            }
            Verdict::DropAnswer => {
                self.call(service, request).await?;
                anyhow::bail!("the answer is dropped, as asked for")
            }
        }
    }

    async fn call(&self, service: &S3Service, request: Request<Incoming>) -> Result<Response<Body>, anyhow::Error> {
        let answer = service.call(request.map(Body::from)).await;
        answer.map_err(|e| anyhow::anyhow!("{e:?}"))
    }
}

fn error_answer(status: u16, code: &str) -> Response<Body> {
    let text = format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?><Error><Code>{code}</Code></Error>");
    let answer = Response::builder().status(status).header("content-type", "application/xml");
    answer.body(Body::from(Bytes::from(text))).expect("status and header are valid")
}
