//! Live tail: `GET /loki/api/v1/tail`, a websocket with Loki's messages and close codes.
//!
//! First lines that are stored already, oldest first, then lines as ingesters receive them: merged
//! from all that may hold rows of the tenant, each line once. A reader that is too slow loses lines and
//! is told which; nothing here grows with it.
//!
//! - `request`: parameters. `feed`: the ingesters' streams. `outbox`: messages, and what is dropped
//!   (pure). `session`: one tail from the upgrade to the close frame.

mod feed;
mod outbox;
mod request;
mod session;

use std::{collections::HashMap, sync::Arc, time::Duration};

use axum::{
    Router,
    extract::{State, WebSocketUpgrade},
    http::{HeaderMap, StatusCode, Uri},
    response::{IntoResponse, Response},
    routing::get,
};
use parking_lot::Mutex;
use skald_model::TenantId;
use skald_server::{ApiError, Clock, Tenant};
use tokio_util::sync::CancellationToken;

use crate::querier::Querier;
use request::TailParams;

/// What all tails share.
pub(crate) struct TailHub {
    pub(crate) querier: Arc<Querier>,
    pub(crate) max_duration: Duration,
    pub(crate) clock: Clock,
    pub(crate) shutdown: CancellationToken,
    active: Mutex<HashMap<TenantId, u32>>,
}

impl TailHub {
    pub(crate) fn new(
        querier: Arc<Querier>,
        max_duration: Duration,
        clock: Clock,
        shutdown: CancellationToken,
    ) -> Self {
        Self { querier, max_duration, clock, shutdown, active: Mutex::default() }
    }

    /// Counts one more tail of the tenant.
    ///
    /// # Errors
    /// The reason for the close frame, when it has too many.
    fn enter(self: &Arc<Self>, tenant: &TenantId) -> Result<Seat, String> {
        let max = self.querier.limits.for_tenant(tenant).max_concurrent_tail_requests;
        let mut active = self.active.lock();
        let count = active.entry(tenant.clone()).or_insert(0);
        if max > 0 && *count >= max {
            return Err(format!("max concurrent tail requests limit exceeded, count > limit ({} > {max})", *count + 1));
        }
        *count += 1;
        self.querier.metrics.tail_active.inc();
        Ok(Seat { hub: self.clone(), tenant: tenant.clone() })
    }
}

/// One active tail.
struct Seat {
    hub: Arc<TailHub>,
    tenant: TenantId,
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut active = self.hub.active.lock();
        if let Some(count) = active.get_mut(&self.tenant) {
            *count -= 1;
            if *count == 0 {
                active.remove(&self.tenant);
            }
        }
        self.hub.querier.metrics.tail_active.dec();
    }
}

/// The routes of live tail.
pub(crate) fn router(hub: Arc<TailHub>) -> Router {
    Router::new().route("/loki/api/v1/tail", get(tail)).route("/api/prom/tail", get(tail)).with_state(hub)
}

async fn tail(
    State(hub): State<Arc<TailHub>>,
    Tenant(tenant): Tenant,
    headers: HeaderMap,
    uri: Uri,
    upgrade: Result<WebSocketUpgrade, axum::extract::ws::rejection::WebSocketUpgradeRejection>,
) -> Response {
    let params = match TailParams::parse(uri.query().unwrap_or(""), (hub.clock)()) {
        Ok(params) => params,
        Err(message) => return ApiError::query(StatusCode::BAD_REQUEST, message).into_response(),
    };
    let upgrade = match upgrade {
        Ok(upgrade) => upgrade,
        Err(rejection) => return rejection.into_response(),
    };
    let flags = headers.get("x-loki-response-encoding-flags").and_then(|v| v.to_str().ok()).unwrap_or("");
    let categorize = flags.split(',').any(|flag| flag.trim() == "categorize-labels");
    upgrade.on_upgrade(move |socket| async move {
        // The limit is told after the upgrade: clients show the reason of a close frame, not of a refused upgrade.
        match hub.enter(&tenant) {
            Ok(_seat) => session::run(&hub, tenant, params, categorize, socket).await,
            Err(reason) => session::close(socket, &reason).await,
        }
    })
}
