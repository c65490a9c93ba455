//! One id per request, from the edge to the last service: taken from `x-request-id` or made, put into
//! every log line of the request, answered to the client, and sent along with outgoing gRPC calls.

use std::{
    hash::{BuildHasher, Hasher, RandomState},
    sync::Arc,
};

use axum::{extract::Request, middleware::Next, response::Response};
use http::{HeaderMap, HeaderName, HeaderValue};
use tonic::metadata::MetadataMap;
use tracing::Instrument;

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

/// Runs `work` as part of the request `id`; for tasks spawned on a request's behalf.
pub async fn with_request_id<F: Future>(id: Arc<str>, work: F) -> F::Output {
    CURRENT.scope(id, work).await
}

/// Sends the current id along with a gRPC call, if there is one.
pub fn put_request_id(metadata: &mut MetadataMap) {
    if let Some(id) = current_request_id()
        && let Ok(value) = id.parse()
    {
        metadata.insert(REQUEST_ID, value);
    }
}

/// A tonic interceptor that calls [`put_request_id`].
///
/// # Errors
/// None; the type is tonic's.
pub fn propagate_request_id(mut request: tonic::Request<()>) -> Result<tonic::Request<()>, tonic::Status> {
    put_request_id(request.metadata_mut());
    Ok(request)
}

/// The middleware around every route of both ports.
pub(crate) async fn middleware(request: Request, next: Next) -> Response {
    let id = accepted(request.headers()).unwrap_or_else(fresh);
    let span = tracing::info_span!("request", request_id = %id);
    let mut response = CURRENT.scope(Arc::clone(&id), next.run(request)).instrument(span).await;
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(HeaderName::from_static(REQUEST_ID), value);
    }
    response
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
        with_request_id("r1".into(), async { put_request_id(&mut metadata) }).await;
        assert_eq!(metadata.get(REQUEST_ID).unwrap(), "r1");
    }
}
