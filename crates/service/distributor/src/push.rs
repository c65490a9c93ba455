//! The path of one push, as a list of steps.
//!
//! 1. open and parse the body, check every entry, encode (off the async threads)
//! 2. blocked tenants, tenant rate limit: all or nothing
//! 3. replicas from the ring, calls, quorum
//! 4. the answer: 204, or the text that says what was refused

use std::sync::Arc;

use bytes::Bytes;
use skald_limits::{IngestionRateStrategy, Limits};
use skald_model::{StreamBatch, TenantId, Timestamp};
use skald_wire::push::{Payload, PayloadLimits, PushApi, PushBodyError};

use crate::{
    Distributor,
    admission::{self, Admitted},
    rejection::Reason,
    replicate::ReplicateError,
};

/// Pushes worked on at once. One holds its body and its encoded rows, so this bounds memory together
/// with the size of a body; agents are told to come back.
pub(crate) const INFLIGHT_PUSHES_MAX: usize = 1024;

/// A push as it came.
pub(crate) struct PushRequest {
    pub(crate) tenant: TenantId,
    pub(crate) api: PushApi,
    pub(crate) content_type: String,
    pub(crate) content_encoding: String,
    pub(crate) body: Bytes,
}

/// Why a push was not taken as a whole.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum PushError {
    /// 413 or 400.
    Body(PushBodyError),
    /// 422: the body names no stream.
    NoStreams,
    /// 400: these parts were refused, the others are stored.
    Partial(String),
    /// 429: nothing was stored, or streams were refused by their ingesters; retry later.
    Limited(String),
    /// The tenant is blocked: the configured status.
    Blocked { status: u16, text: String },
    /// 503: no room for another push; retry.
    Busy(String),
    /// 500: fewer than a quorum of replicas; retry.
    Unavailable(String),
}

/// What leaves the blocking part of a push.
struct Prepared {
    number: u64,
    batches: Vec<StreamBatch>,
    /// The text of what was refused, when something was.
    refused: Option<(bool, String)>,
}

impl Distributor {
    /// Takes one push.
    pub(crate) async fn push(self: &Arc<Self>, request: PushRequest) -> Result<(), PushError> {
        let limits = self.limits.for_tenant(&request.tenant);
        let view = self.ingesters(&request.tenant, &limits);
        let tenant = request.tenant.clone();
        let this = Arc::clone(self);
        let prepared = tokio::task::spawn_blocking(move || this.prepare(request, &limits))
            .await
            .map_err(|_| PushError::Unavailable("the push could not be decoded".into()))??;
        if !prepared.batches.is_empty() {
            let stored = self.replicator.replicate(&view, &tenant, prepared.number, prepared.batches).await;
            stored.map_err(|error| self.replicate_error(&tenant, error))?;
        }
        match prepared.refused {
            None => Ok(()),
            Some((true, text)) => Err(PushError::Limited(text)),
            Some((false, text)) => Err(PushError::Partial(text)),
        }
    }

    /// Everything before the network: decoding, checks, limits, encoding.
    fn prepare(&self, request: PushRequest, limits: &Limits) -> Result<Prepared, PushError> {
        let PushRequest { tenant, api, content_type, content_encoding, body } = request;
        let now = Timestamp((self.clock)());
        let bounds = PayloadLimits { body_bytes_max: self.body_bytes_max, decompressed_bytes_max: self.body_bytes_max };
        let payload = Payload::open(api, &content_type, &content_encoding, body, bounds).map_err(|error| {
            if let PushBodyError::TooLarge { size, .. } = error {
                self.metrics.discarded(&tenant, Reason::BodyTooLarge.label(), 0, size);
            }
            PushError::Body(error)
        })?;
        let body = payload.parse().map_err(PushError::Body)?;
        if body.streams.is_empty() {
            return Err(PushError::NoStreams);
        }
        let admitted = admission::admit(&body, &tenant, limits, &self.stream_rates, now);
        self.check_blocked(&tenant, limits, now, &admitted)?;
        self.check_rate(&tenant, limits, now, &admitted)?;
        self.metrics.admitted(&tenant, &admitted);
        let refused = (!admitted.rejections.is_empty()).then(|| {
            let limited = admitted.rejections.counts().all(|(reason, ..)| reason == Reason::PerStreamRateLimit);
            (limited, admitted.rejections.text())
        });
        if admitted.is_empty() {
            return Ok(Prepared { number: 0, batches: Vec::new(), refused });
        }
        let (number, batches) = admitted.encode(&self.numbering, now);
        Ok(Prepared { number, batches, refused })
    }

    fn check_blocked(
        &self,
        tenant: &TenantId,
        limits: &Limits,
        now: Timestamp,
        admitted: &Admitted,
    ) -> Result<(), PushError> {
        let until = match limits.block_ingestion_until.parse::<jiff::Timestamp>() {
            Ok(until) if until.as_nanosecond() > i128::from(now.as_nanos()) => until,
            _ => return Ok(()),
        };
        self.metrics.refused(tenant, Reason::Blocked, admitted);
        let status = limits.block_ingestion_status_code;
        let text = format!("ingestion blocked for user '{tenant}' until '{until}' with status code '{status}'");
        Err(PushError::Blocked { status, text })
    }

    fn check_rate(
        &self,
        tenant: &TenantId,
        limits: &Limits,
        now: Timestamp,
        admitted: &Admitted,
    ) -> Result<(), PushError> {
        let mut rate = limits.ingestion_rate_bytes();
        if limits.ingestion_rate_strategy == IngestionRateStrategy::Global {
            rate /= self.healthy_distributors().max(1) as f64;
        }
        if self.tenant_rates.allow(tenant, rate, limits.ingestion_burst_bytes(), now, admitted.bytes) {
            return Ok(());
        }
        self.metrics.refused(tenant, Reason::RateLimited, admitted);
        let (lines, bytes, limit) = (admitted.lines, admitted.bytes, rate as u64);
        Err(PushError::Limited(format!(
            "ingestion rate limit exceeded for user {tenant} (limit: {limit} bytes/sec) while attempting to ingest '{lines}' lines totaling '{bytes}' bytes, reduce log volume or contact your Skald administrator to see if the limit can be increased"
        )))
    }

    fn replicate_error(&self, tenant: &TenantId, error: ReplicateError) -> PushError {
        match error {
            ReplicateError::Refused { status: 429, reason, text } => {
                self.metrics.discarded(tenant, &reason, 1, 0);
                PushError::Limited(text)
            }
            ReplicateError::Refused { reason, text, .. } => {
                self.metrics.discarded(tenant, &reason, 1, 0);
                PushError::Partial(text)
            }
            ReplicateError::Ring(error) => PushError::Unavailable(error.to_string()),
            ReplicateError::Quorum(text) => PushError::Unavailable(text),
            ReplicateError::Busy => PushError::Busy("too many bytes on their way to ingesters, try again".into()),
        }
    }
}
