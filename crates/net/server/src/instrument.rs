//! Durations and counts of requests on both ports, with Loki's route names, and panics made harmless.

use std::{any::Any, sync::Arc, time::Instant};

use axum::{
    extract::{MatchedPath, Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use http::{StatusCode, header};
use prometheus_client::metrics::gauge::Gauge;
use tonic::Code;

use crate::{
    ApiError, Metrics,
    metrics::{RequestLabels, RouteLabels},
};

/// What the middleware needs.
#[derive(Clone)]
pub(crate) struct Instrument {
    pub(crate) metrics: Metrics,
    /// The path put before every HTTP route, left out of route names.
    pub(crate) prefix: Arc<str>,
}

/// Takes a request out of the gauge even when its future is dropped half way.
struct InFlight(Gauge);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// Measures an HTTP request.
pub(crate) async fn http(State(state): State<Instrument>, request: Request, next: Next) -> Response {
    let matched = request.extensions().get::<MatchedPath>();
    // Paths nobody serves share one name, or any scanner could make metrics grow without end.
    let route = matched.map_or_else(|| "other".to_owned(), |path| route_name(path.as_str(), &state.prefix));
    let method = request.method().to_string();
    let ws = if request.headers().contains_key(header::SEC_WEBSOCKET_KEY) { "true" } else { "false" };
    let started = Instant::now();
    let _in_flight = in_flight(&state.metrics, &method, &route);
    let response = next.run(request).await;
    let status_code = response.status().as_str().to_owned();
    let labels = RequestLabels { method, route, status_code, ws };
    state.metrics.own().requests.get_or_create(&labels).observe(started.elapsed().as_secs_f64());
    response
}

/// Measures a gRPC call up to the head of its answer.
pub(crate) async fn grpc(State(state): State<Instrument>, request: Request, next: Next) -> Response {
    let route = match request.extensions().get::<MatchedPath>() {
        Some(_) => request.uri().path().to_owned(),
        None => "other".to_owned(),
    };
    let started = Instant::now();
    let _in_flight = in_flight(&state.metrics, "gRPC", &route);
    let response = next.run(request).await;
    // Calls that fail before they stream carry the code in the head; others in trailers, where the
    // service's own metrics count them.
    let code = response.headers().get("grpc-status").map_or(Code::Ok, |code| Code::from_bytes(code.as_bytes()));
    let status_code = if code == Code::Ok { "success".to_owned() } else { format!("{code:?}") };
    let route = if code == Code::Unimplemented { "other".to_owned() } else { route };
    let labels = RequestLabels { method: "gRPC".to_owned(), route, status_code, ws: "false" };
    state.metrics.own().requests.get_or_create(&labels).observe(started.elapsed().as_secs_f64());
    response
}

fn in_flight(metrics: &Metrics, method: &str, route: &str) -> InFlight {
    let labels = RouteLabels { method: method.to_owned(), route: route.to_owned() };
    let gauge = metrics.own().inflight.get_or_create_owned(&labels);
    gauge.inc();
    InFlight(gauge)
}

/// `/loki/api/v1/label/{name}/values` → `loki_api_v1_label_name_values`.
fn route_name(path: &str, prefix: &str) -> String {
    let path = path.strip_prefix(prefix).unwrap_or(path).trim_matches('/');
    if path.is_empty() {
        return "root".to_owned();
    }
    let mut name = String::with_capacity(path.len());
    for c in path.chars().filter(|c| !matches!(c, '{' | '}' | '*')) {
        name.push(if c.is_ascii_alphanumeric() { c } else { '_' });
    }
    name
}

/// Counts and logs a panic, and answers 500, so that one request's bug is one request's problem.
pub(crate) fn on_panic(metrics: &Metrics, panic: &(dyn Any + Send)) -> Response {
    metrics.own().panics.inc();
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message");
    tracing::error!(panic = text, "request panicked");
    ApiError::query(StatusCode::INTERNAL_SERVER_ERROR, "internal error").into_response()
}

#[cfg(test)]
mod tests {
    use super::route_name;

    #[test]
    fn route_names_are_lokis() {
        for (path, prefix, name) in [
            ("/loki/api/v1/push", "", "loki_api_v1_push"),
            ("/loki/api/v1/label/{name}/values", "", "loki_api_v1_label_name_values"),
            ("/logs/loki/api/v1/tail", "/logs", "loki_api_v1_tail"),
            ("/", "", "root"),
            ("/ingester/prepare_shutdown", "", "ingester_prepare_shutdown"),
        ] {
            assert_eq!(route_name(path, prefix), name, "{path}");
        }
    }
}
