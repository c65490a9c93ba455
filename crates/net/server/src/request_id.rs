//! One id per request, from the edge to the last service: taken from `x-request-id` or made, put into
//! every log line of the request, answered to the client, and sent along with outgoing gRPC calls. The
//! trace that a request belongs to (`traceparent`) goes the same way.

use std::{
    hash::{BuildHasher, Hasher, RandomState},
    sync::Arc,
};

use axum::{extract::Request, middleware::Next, response::Response};
use http::{HeaderMap, HeaderName, HeaderValue};
use opentelemetry::propagation::{Extractor, Injector, TextMapPropagator};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tonic::metadata::{MetadataKey, MetadataMap};
use tracing::{Instrument, Span};
use tracing_opentelemetry::OpenTelemetrySpanExt;

/// The header over HTTP and the metadata key over gRPC.
pub const REQUEST_ID: &str = "x-request-id";

/// Longer ids are replaced: they would fill logs.
const REQUEST_ID_BYTES_MAX: usize = 128;

tokio::task_local! {
    static CURRENT: Arc<str>;
}

/// The id of the request this task works for. A task that was spawned has none unless it was wrapped
/// in [`with_request_id`].
pub fn current_request_id() -> Option<Arc<str>> {
    CURRENT.try_with(Arc::clone).ok()
}

/// Runs `work` as part of the request `id`, which came by another way than a header; an empty one is none.
pub async fn with_request_id<F: Future>(id: Arc<str>, work: F) -> F::Output {
    if id.is_empty() {
        return work.await;
    }
    let span = request_span(&id);
    CURRENT.scope(id, work).instrument(span).await
}

/// Makes `work` part of the current request, wherever it runs; for tasks spawned on a request's behalf.
pub fn in_current_request<F: Future>(work: F) -> impl Future<Output = F::Output> {
    let (id, span) = (current_request_id(), Span::current());
    async move {
        match id {
            Some(id) => CURRENT.scope(id, work).await,
            None => work.await,
        }
    }
    .instrument(span)
}

/// An error only by its level: at a lower one the log level would decide whether lines carry the id.
fn request_span(id: &str) -> Span {
    tracing::error_span!("request", request_id = %id)
}

/// Sends the current id along with a gRPC call, if there is one.
pub fn put_request_id(metadata: &mut MetadataMap) {
    if let Some(id) = current_request_id()
        && let Ok(value) = id.parse()
    {
        metadata.insert(REQUEST_ID, value);
    }
}

/// A tonic interceptor for every call to another process: it sends the id and the trace of the current
/// request along, by which the callee's log lines and spans belong to the same request.
///
/// # Errors
/// None; the type is tonic's.
// The error is tonic's, and as large as tonic made it.
#[allow(clippy::result_large_err)]
pub fn propagate_request(mut request: tonic::Request<()>) -> Result<tonic::Request<()>, tonic::Status> {
    put_request_id(request.metadata_mut());
    let context = Span::current().context();
    TraceContextPropagator::new().inject_context(&context, &mut Outgoing(request.metadata_mut()));
    Ok(request)
}

/// The middleware around every route of both ports.
pub(crate) async fn middleware(request: Request, next: Next) -> Response {
    let id = accepted(request.headers()).unwrap_or_else(fresh);
    let span = request_span(&id);
    let caller = TraceContextPropagator::new().extract(&Incoming(request.headers()));
    // It fails when traces are not exported.
    let _ = span.set_parent(caller);
    span.set_attribute("url.path", request.uri().path().to_owned());
    let mut response = CURRENT.scope(Arc::clone(&id), next.run(request)).instrument(span.clone()).await;
    span.set_attribute("http.response.status_code", i64::from(response.status().as_u16()));
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(HeaderName::from_static(REQUEST_ID), value);
    }
    response
}

/// The trace context in the headers of a request.
struct Incoming<'a>(&'a HeaderMap);

impl Extractor for Incoming<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.to_str().ok()
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(HeaderName::as_str).collect()
    }
}

/// The trace context in the metadata of a call.
struct Outgoing<'a>(&'a mut MetadataMap);

impl Injector for Outgoing<'_> {
    fn set(&mut self, key: &str, value: String) {
        if let (Ok(key), Ok(value)) = (MetadataKey::from_bytes(key.as_bytes()), value.parse()) {
            self.0.insert(key, value);
        }
    }
}

/// The client's id, if it may stand in a log line.
fn accepted(headers: &HeaderMap) -> Option<Arc<str>> {
    let id = headers.get(REQUEST_ID)?.to_str().ok()?;
    let clean = !id.is_empty() && id.len() <= REQUEST_ID_BYTES_MAX && id.bytes().all(|b| b.is_ascii_graphic());
    clean.then(|| id.into())
}

/// 16 random hex digits. `RandomState` is seeded per process and steps with every use.
fn fresh() -> Arc<str> {
    format!("{:016x}", RandomState::new().build_hasher().finish()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_from_clients() {
        let long = "x".repeat(129);
        for (header, accept) in [("abc-1", true), ("", false), ("a b", false), (long.as_str(), false)] {
            let mut headers = HeaderMap::new();
            headers.insert(REQUEST_ID, header.parse().unwrap());
            assert_eq!(accepted(&headers).is_some(), accept, "{header}");
        }
        assert_ne!(fresh(), fresh());
    }

    #[tokio::test]
    async fn outgoing_calls_carry_the_id() {
        let mut metadata = MetadataMap::new();
        put_request_id(&mut metadata);
        assert!(metadata.get(REQUEST_ID).is_none());
        with_request_id("".into(), async { put_request_id(&mut metadata) }).await;
        assert!(metadata.get(REQUEST_ID).is_none());
        with_request_id("r1".into(), async { put_request_id(&mut metadata) }).await;
        assert_eq!(metadata.get(REQUEST_ID).unwrap(), "r1");
        let spawned = async { tokio::spawn(in_current_request(async { current_request_id() })).await };
        assert_eq!(with_request_id("r2".into(), spawned).await.unwrap().as_deref(), Some("r2"));
    }

    #[tokio::test]
    async fn a_trace_goes_on_in_the_process_that_is_called() {
        use opentelemetry::trace::{TraceContextExt, TracerProvider};
        use tracing_subscriber::layer::SubscriberExt;

        let provider = opentelemetry_sdk::trace::SdkTracerProvider::builder().build();
        let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("test"));
        let _guard = tracing::subscriber::set_default(tracing_subscriber::registry().with(layer));

        let caller = tracing::error_span!("request");
        let call = caller.in_scope(|| propagate_request(tonic::Request::new(()))).unwrap();
        let context = TraceContextPropagator::new().extract(&Incoming(&call.metadata().clone().into_headers()));
        let trace = caller.context().span().span_context().trace_id();
        assert_eq!(context.span().span_context().trace_id(), trace);

        let callee = tracing::error_span!("request");
        callee.set_parent(context).unwrap();
        assert_eq!(callee.context().span().span_context().trace_id(), trace);
    }
}
