//! The read API over HTTP: methods, headers, bodies and statuses; [`crate::endpoints`] has the content.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    Router,
    body::Body,
    extract::{Path, State},
    http::{HeaderMap, HeaderValue, Method, Request as HttpRequest, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{MethodRouter, get},
};
use bytes::Bytes;
use skald_server::{ApiError, Tenant};
use skald_wire::params::Params;

use crate::{
    QueryError,
    endpoints::{self, Call, Endpoint},
    service::Shared,
    tasks::Request,
};

/// The largest form body (`frontend.max_body_size` of Loki).
const BODY_BYTES_MAX: usize = 10 << 20;

const ENCODING_FLAGS: &str = "x-loki-response-encoding-flags";
const REQUEST_ID: &str = "x-request-id";

type App = State<Arc<Shared>>;

/// All routes of the frontend.
pub(crate) fn router(shared: Arc<Shared>) -> Router {
    let labels = || read(Endpoint::Labels);
    Router::new()
        .route("/loki/api/v1/query", read(Endpoint::Query))
        .route("/loki/api/v1/query_range", read(Endpoint::QueryRange))
        .route("/loki/api/v1/labels", labels())
        .route("/loki/api/v1/label", labels())
        .route("/loki/api/v1/label/{name}/values", read_named(Endpoint::LabelValues))
        .route("/loki/api/v1/series", read(Endpoint::Series))
        .route("/loki/api/v1/index/stats", read(Endpoint::IndexStats))
        .route("/loki/api/v1/format_query", get(format_query).post(format_query))
        .route("/api/prom/query", read(Endpoint::LegacyQuery))
        .route("/api/prom/label", read(Endpoint::LegacyLabels))
        .route("/api/prom/label/{name}/values", read_named(Endpoint::LegacyLabelValues))
        .route("/api/prom/series", read(Endpoint::Series))
        .with_state(shared)
}

fn read(endpoint: Endpoint) -> MethodRouter<Arc<Shared>> {
    let handler = move |State(shared): App, Tenant(tenant): Tenant, request: HttpRequest<Body>| {
        let endpoint = endpoint.clone();
        async move { serve(shared, tenant, endpoint, request).await }
    };
    get(handler.clone()).post(handler)
}

fn read_named(endpoint: fn(String) -> Endpoint) -> MethodRouter<Arc<Shared>> {
    let handler = move |State(shared): App,
                        Tenant(tenant): Tenant,
                        Path(name): Path<String>,
                        request: HttpRequest<Body>| async move {
        serve(shared, tenant, endpoint(name), request).await
    };
    get(handler).post(handler)
}

async fn serve(
    shared: Arc<Shared>,
    tenant: skald_model::TenantId,
    endpoint: Endpoint,
    request: HttpRequest<Body>,
) -> Response {
    // Dropped without an answer, it counts a client that went away.
    let mut unanswered = Unanswered { shared: shared.clone(), armed: true };
    let answer = serve_inner(&shared, tenant, endpoint, request).await;
    unanswered.armed = false;
    match answer {
        Ok(body) => json(StatusCode::OK, body),
        Err(error) => refusal(error).into_response(),
    }
}

async fn serve_inner(
    shared: &Shared,
    tenant: skald_model::TenantId,
    endpoint: Endpoint,
    request: HttpRequest<Body>,
) -> Result<Bytes, QueryError> {
    let (parts, body) = request.into_parts();
    let params = params(&parts.method, &parts.headers, parts.uri.query(), body).await?;
    let limits = shared.limits.for_tenant(&tenant);
    let timeout = limits.query_timeout.duration();
    let header = |name: &str| parts.headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or("");
    let call = Call {
        request: Request {
            tenant,
            limits,
            id: header(REQUEST_ID).to_owned(),
            deadline: Instant::now() + timeout,
            no_cache: header(header::CACHE_CONTROL.as_str()).trim().eq_ignore_ascii_case("no-cache"),
        },
        params,
        now_ns: (shared.clock)(),
        categorize: header(ENCODING_FLAGS).split(',').any(|flag| flag.trim() == "categorize-labels"),
    };
    let (id, tenant) = (call.request.id.clone(), call.request.tenant.clone());
    let started = Instant::now();
    let answer = tokio::time::timeout(timeout, endpoints::answer(shared.engine.clone(), endpoint.clone(), call)).await;
    let answer = answer.unwrap_or_else(|_| Err(QueryError::timed_out()));
    log(shared.log_queries_longer_than, &endpoint, &id, &tenant, started.elapsed(), &answer);
    answer
}

fn log(
    slow_after: Duration,
    endpoint: &Endpoint,
    request_id: &str,
    tenant: &skald_model::TenantId,
    took: Duration,
    answer: &Result<Bytes, QueryError>,
) {
    let ms = took.as_millis() as u64;
    match answer {
        Err(error) if error.status >= 500 => {
            tracing::error!(?endpoint, request_id, %tenant, ms, status = error.status, %error, "query failed");
        }
        _ if !slow_after.is_zero() && took >= slow_after => {
            tracing::info!(?endpoint, request_id, %tenant, ms, "slow query");
        }
        _ => tracing::debug!(?endpoint, request_id, %tenant, ms, "query"),
    }
}

/// Counts requests whose future is dropped: that is how a client that goes away is seen.
struct Unanswered {
    shared: Arc<Shared>,
    armed: bool,
}

impl Drop for Unanswered {
    fn drop(&mut self) {
        if self.armed {
            self.shared.engine.metrics.cancelled.inc();
        }
    }
}

/// The parameters of a request: the query string, and the body of a form.
async fn params(
    method: &Method,
    headers: &HeaderMap,
    query_string: Option<&str>,
    body: Body,
) -> Result<Params, QueryError> {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or("");
    let is_form = content_type.split(';').next().unwrap_or("").trim() == "application/x-www-form-urlencoded";
    let mut form = Bytes::new();
    if *method == Method::POST && is_form {
        form = axum::body::to_bytes(body, BODY_BYTES_MAX)
            .await
            .map_err(|error| QueryError::bad_request(format!("cannot read the body: {error}")))?;
    }
    let form = std::str::from_utf8(&form).map_err(|_| QueryError::bad_request("parameters must be UTF-8"))?;
    Params::parse(form, query_string.unwrap_or("")).map_err(QueryError::bad_request)
}

async fn format_query(request: HttpRequest<Body>) -> Response {
    let (parts, body) = request.into_parts();
    match params(&parts.method, &parts.headers, parts.uri.query(), body).await {
        Ok(params) => {
            let (status, body) = endpoints::format_query(&params);
            json(StatusCode::from_u16(status).unwrap_or(StatusCode::OK), body.into())
        }
        Err(error) => refusal(error).into_response(),
    }
}

fn json(status: StatusCode, body: Bytes) -> Response {
    let content_type = HeaderValue::from_static("application/json; charset=UTF-8");
    (status, [(header::CONTENT_TYPE, content_type)], body).into_response()
}

fn refusal(error: QueryError) -> ApiError {
    let status = StatusCode::from_u16(error.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    ApiError::query(status, error.message)
}
