//! The ingester's public routes: what operators and rollout tools ask for.

use std::sync::Arc;

use axum::{
    Router,
    extract::{Query, State},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{any, get},
};
use serde::Deserialize;

use crate::service::{Ingester, StopOptions};

/// The routes.
pub(crate) fn router(ingester: Arc<Ingester>) -> Router {
    Router::new()
        .route("/flush", get(flush).post(flush))
        .route("/ingester/shutdown", any(shutdown))
        .route("/ingester/prepare_shutdown", get(prepared).post(prepare).delete(unprepare))
        .with_state(ingester)
}

/// Begins to flush everything; the answer does not wait for it.
async fn flush(State(ingester): State<Arc<Ingester>>) -> StatusCode {
    tokio::spawn(async move { ingester.freeze().await });
    StatusCode::NO_CONTENT
}

#[derive(Deserialize)]
#[serde(default)]
struct ShutdownParams {
    flush: bool,
    delete_ring_tokens: bool,
    terminate: bool,
}

impl Default for ShutdownParams {
    fn default() -> Self {
        Self { flush: true, delete_ring_tokens: false, terminate: true }
    }
}

async fn shutdown(State(ingester): State<Arc<Ingester>>, Query(params): Query<ShutdownParams>) -> Response {
    if ingester.is_stopping() {
        return (StatusCode::SERVICE_UNAVAILABLE, "ingester is not running\n").into_response();
    }
    let options = StopOptions { flush: params.flush, delete_token: params.delete_ring_tokens };
    // A task of its own: a client that hangs up must not leave the ingester half stopped.
    let stopping = tokio::spawn(async move {
        ingester.stop(options).await;
        if params.terminate {
            ingester.terminate();
        }
    });
    match stopping.await {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")).into_response(),
    }
}

async fn prepared(State(ingester): State<Arc<Ingester>>) -> &'static str {
    if ingester.is_prepared() { "set\n" } else { "unset\n" }
}

async fn prepare(State(ingester): State<Arc<Ingester>>) -> Response {
    answer(ingester.set_prepared(true).await)
}

async fn unprepare(State(ingester): State<Arc<Ingester>>) -> Response {
    answer(ingester.set_prepared(false).await)
}

fn answer(done: std::io::Result<()>) -> Response {
    match done {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")).into_response(),
    }
}
