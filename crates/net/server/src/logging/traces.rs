//! Export of traces: the spans around requests go in batches to a collector that speaks OTLP over gRPC.
//!
//! Batches are made and sent by a thread of their own; a collector that is slow or away costs spans,
//! never requests. What ties the spans of several processes together is the W3C trace context in the
//! metadata of calls between them, see [`crate::propagate_request`].

use std::time::Duration;

use opentelemetry::trace::TracerProvider;
use opentelemetry_otlp::{SpanExporter, WithExportConfig};
use opentelemetry_sdk::{
    Resource,
    trace::{SdkTracer, SdkTracerProvider},
};

use super::LogError;

/// How long one batch may take; a collector that needs longer is not there.
const EXPORT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long the end of the process waits for the last batch.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(5);

/// The way to the collector.
#[derive(Clone)]
pub(super) struct Traces(SdkTracerProvider);

impl Traces {
    /// Exports to `endpoint`, such as `http://collector:4317`, in the name of `service`. Connecting
    /// happens with the first batch. Must be called inside a tokio runtime of more than one thread.
    pub(super) fn to(endpoint: &str, service: &str) -> Result<Self, LogError> {
        let refused = |reason: String| LogError::Traces { endpoint: endpoint.to_owned(), reason };
        if endpoint.starts_with("https:") {
            return Err(refused("only http is supported, put a local collector in between".to_owned()));
        }
        let exporter =
            SpanExporter::builder().with_tonic().with_endpoint(endpoint).with_timeout(EXPORT_TIMEOUT).build();
        let exporter = exporter.map_err(|error| refused(error.to_string()))?;
        let resource = Resource::builder().with_service_name(service.to_owned()).build();
        Ok(Self(SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource).build()))
    }

    pub(super) fn tracer(&self) -> SdkTracer {
        self.0.tracer("skald")
    }

    /// Sends what is left and ends the export. Blocks.
    pub(super) fn shutdown(&self) {
        if let Err(error) = self.0.shutdown_with_timeout(SHUTDOWN_TIMEOUT) {
            tracing::warn!(%error, "the last traces were not exported");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use axum::{Router, body::Bytes, extract::State, http::HeaderMap, response::IntoResponse};
    use parking_lot::Mutex;
    use tracing_subscriber::layer::SubscriberExt;

    use super::*;
    use crate::serve::{Port, Switch};

    type Batches = Arc<Mutex<Vec<Bytes>>>;

    /// A collector: keeps the bodies of calls, and answers each with an empty message.
    async fn collector() -> (Port, Batches) {
        let batches = Batches::default();
        let export = |State(batches): State<Batches>, body: Bytes| async move {
            batches.lock().push(body);
            let trailers = HeaderMap::from_iter([("grpc-status".parse().unwrap(), "0".parse().unwrap())]);
            let frames = [
                Ok::<_, std::convert::Infallible>(http_body::Frame::data(Bytes::from_static(&[0; 5]))),
                Ok(http_body::Frame::trailers(trailers)),
            ];
            let body = http_body_util::StreamBody::new(futures::stream::iter(frames));
            ([("content-type", "application/grpc")], axum::body::Body::new(body)).into_response()
        };
        let path = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
        let router = Router::new().route(path, axum::routing::post(export)).with_state(Arc::clone(&batches));
        (Port::open("127.0.0.1:0".parse().unwrap(), Switch::new(router)).await.unwrap(), batches)
    }

    fn contains(bytes: &[u8], text: &str) -> bool {
        bytes.windows(text.len()).any(|window| window == text.as_bytes())
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn spans_reach_the_collector_with_their_service_and_request() {
        let (port, batches) = collector().await;
        let traces = Traces::to(&format!("http://{}", port.addr), "skald-test").unwrap();
        let layer = tracing_opentelemetry::layer().with_tracer(traces.tracer());
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
            tracing::error_span!("request", request_id = "r-17").in_scope(|| {});
        });
        tokio::task::spawn_blocking(move || traces.shutdown()).await.unwrap();
        let bytes = batches.lock().concat();
        for text in ["skald-test", "request", "r-17"] {
            assert!(contains(&bytes, text), "{text}");
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn endpoints_that_cannot_be_one() {
        for endpoint in ["https://collector:4317", "http://no spaces"] {
            assert!(matches!(Traces::to(endpoint, "x"), Err(LogError::Traces { .. })), "{endpoint}");
        }
    }
}
