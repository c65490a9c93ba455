//! The push endpoints: from an HTTP request to a push, and from its outcome to a status.

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    body::Body,
    extract::{DefaultBodyLimit, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::post,
};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use skald_model::TenantId;
use skald_server::{ApiError, Tenant};
use skald_wire::push::{PushApi, PushBodyError};

use crate::{
    Distributor,
    push::{PushError, PushRequest},
};

/// When an agent should come back: long enough for a bucket of tokens to fill or a replica to return,
/// short enough that its queue does not overflow.
const RETRY_AFTER: Duration = Duration::from_secs(1);

pub(crate) fn router(distributor: Arc<Distributor>) -> Router {
    Router::new()
        .route("/loki/api/v1/push", post(push_v1))
        .route("/api/prom/push", post(push_legacy))
        // The bound is the tenant-facing setting, with an error of its own.
        .layer(DefaultBodyLimit::disable())
        .with_state(distributor)
}

async fn push_v1(
    state: State<Arc<Distributor>>,
    tenant: Tenant,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    push(state.0, PushApi::V1, tenant.0, headers, body).await
}

async fn push_legacy(
    state: State<Arc<Distributor>>,
    tenant: Tenant,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    push(state.0, PushApi::Legacy, tenant.0, headers, body).await
}

async fn push(
    distributor: Arc<Distributor>,
    api: PushApi,
    tenant: TenantId,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    let Ok(_place) = distributor.inflight.try_acquire() else {
        return Err(ApiError::unavailable("too many pushes at once, try again", RETRY_AFTER));
    };
    distributor.metrics.inflight.inc();
    let outcome = async {
        let body = read(body, &headers, distributor.body_bytes_max).await?;
        let text = |name| headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or_default().to_owned();
        let (content_type, content_encoding) = (text(header::CONTENT_TYPE), text(header::CONTENT_ENCODING));
        let request = PushRequest { tenant, api, content_type, content_encoding, body };
        distributor.push(request).await.map_err(ApiError::from)
    }
    .await;
    distributor.metrics.inflight.dec();
    outcome.map(|()| StatusCode::NO_CONTENT.into_response())
}

/// The whole body, unless it is larger than `max`.
async fn read(body: Body, headers: &HeaderMap, max: usize) -> Result<bytes::Bytes, ApiError> {
    let announced = headers.get(header::CONTENT_LENGTH).and_then(|v| v.to_str().ok()).and_then(|v| v.parse().ok());
    let too_large = || {
        // Without an announcement the size is only known to be more than the bound.
        let size = announced.unwrap_or(max as u64 + 1);
        PushError::Body(PushBodyError::TooLarge { what: "", size, max: max as u64 })
    };
    if announced.is_some_and(|len| len > max as u64) {
        return Err(too_large().into());
    }
    match Limited::new(body, max).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(too_large().into()),
        Err(error) => Err(ApiError::push(StatusCode::BAD_REQUEST, format!("cannot read the body: {error}"))),
    }
}

impl From<PushError> for ApiError {
    fn from(error: PushError) -> Self {
        match error {
            PushError::Body(error @ PushBodyError::TooLarge { .. }) => Self::body_too_large(error.to_string()),
            PushError::Body(error) => Self::push(StatusCode::BAD_REQUEST, error.to_string()),
            PushError::NoStreams => Self::push(
                StatusCode::UNPROCESSABLE_ENTITY,
                "error at least one valid stream is required for ingestion",
            ),
            PushError::Partial(text) => Self::push(StatusCode::BAD_REQUEST, text),
            PushError::Limited(text) => Self::rate_limited(text, RETRY_AFTER),
            PushError::Blocked { status, text } => {
                Self::push(StatusCode::from_u16(status).unwrap_or(StatusCode::FORBIDDEN), text)
            }
            PushError::Busy(text) => Self::unavailable(text, RETRY_AFTER),
            PushError::Unavailable(text) => {
                Self::push(StatusCode::INTERNAL_SERVER_ERROR, text).retry_after(RETRY_AFTER)
            }
        }
    }
}
