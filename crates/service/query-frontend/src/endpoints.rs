//! The read API, one function per endpoint: parameters in, a body out. HTTP itself is in `routes`.

use std::{collections::BTreeSet, sync::Arc};

use bytes::Bytes;
use skald_logql::Expr;
use skald_model::Direction;
use skald_wire::params::Params;

use crate::{
    QueryError, check,
    engine::{self, Engine},
    request::{InstantRequest, RangeRequest, StreamsRequest},
    response::{self, Stats},
    tasks::Request,
};

/// Which body a request wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Endpoint {
    Query,
    QueryRange,
    Labels,
    LabelValues(String),
    Series,
    IndexStats,
    LegacyQuery,
    LegacyLabels,
    LegacyLabelValues(String),
}

/// What every endpoint may look at.
pub(crate) struct Call {
    pub(crate) request: Request,
    pub(crate) params: Params,
    pub(crate) now_ns: i64,
    /// The client sent `X-Loki-Response-Encoding-Flags: categorize-labels`.
    pub(crate) categorize: bool,
}

/// Answers one request.
pub(crate) async fn answer(engine: Arc<Engine>, endpoint: Endpoint, call: Call) -> Result<Bytes, QueryError> {
    match endpoint {
        Endpoint::Query => instant(&engine, &call).await,
        Endpoint::QueryRange => range(&engine, &call).await,
        Endpoint::LegacyQuery => legacy_query(&engine, &call).await,
        Endpoint::Labels => Ok(response::labels_body(&label_names(&engine, &call).await?).into()),
        Endpoint::LabelValues(name) => Ok(response::labels_body(&label_values(&engine, &call, &name).await?).into()),
        Endpoint::LegacyLabels => Ok(response::legacy_labels_body(&label_names(&engine, &call).await?).into()),
        Endpoint::LegacyLabelValues(name) => {
            Ok(response::legacy_labels_body(&label_values(&engine, &call, &name).await?).into())
        }
        Endpoint::Series => {
            let wanted = StreamsRequest::parse_series(&call.params, call.now_ns)?;
            let (uses, _) = streams(&engine, &call, wanted).await?;
            Ok(response::series_body(uses.keys()).into())
        }
        Endpoint::IndexStats => {
            let wanted = StreamsRequest::parse(&call.params, call.now_ns)?;
            let (uses, pieces) = streams(&engine, &call, wanted).await?;
            Ok(response::index_stats_body(&uses, pieces).into())
        }
    }
}

async fn range(engine: &Engine, call: &Call) -> Result<Bytes, QueryError> {
    let range = RangeRequest::parse(&call.params, call.now_ns)?;
    let expr = engine::parse(&range.query)?;
    let limits = &call.request.limits;
    check::query(&expr, limits)?;
    if matches!(expr, Expr::Log(_)) {
        check::entries(range.limit, limits)?;
    }
    let times = check::time_range(range.start_ns, range.end_ns, call.now_ns, limits)?;
    let range = times.map(|(start_ns, end_ns)| RangeRequest { start_ns, end_ns, ..range.clone() });
    match expr {
        Expr::Log(expr) => {
            let (streams, stats) = match &range {
                Some(range) => engine.log(&call.request, range, &expr).await?,
                None => Default::default(),
            };
            let direction = range.map_or(Direction::Backward, |r| r.direction);
            let categorize = call.categorize;
            encode(move || response::streams_body(&streams, direction, categorize, &stats)).await
        }
        Expr::Metric(expr) => {
            let (series, _, stats) = match &range {
                Some(range) => engine.metric_range(&call.request, range, &expr).await?,
                None => Default::default(),
            };
            encode(move || response::matrix_body(&series, &stats)).await
        }
    }
}

async fn instant(engine: &Engine, call: &Call) -> Result<Bytes, QueryError> {
    let instant = InstantRequest::parse(&call.params, call.now_ns)?;
    let expr = engine::parse(&instant.query)?;
    check::query(&expr, &call.request.limits)?;
    let Expr::Metric(expr) = expr else {
        let text = "log queries are not supported as an instant query type, please change your query to a range query \
                    type";
        return Err(QueryError::bad_request(text));
    };
    let time_ns = instant.time_ns;
    if check::time_range(time_ns, time_ns, call.now_ns, &call.request.limits)?.is_none() {
        return Ok(response::vector_body(&[], &Stats::default()).into());
    }
    let (series, scalar, stats) = engine.metric_instant(&call.request, &instant.query, time_ns, &expr).await?;
    encode(move || match series.first().and_then(|s| s.samples.first()) {
        Some(&(millis, value)) if scalar => response::scalar_body(millis, value, &stats),
        _ => response::vector_body(&series, &stats),
    })
    .await
}

async fn legacy_query(engine: &Engine, call: &Call) -> Result<Bytes, QueryError> {
    let range = RangeRequest::parse_legacy(&call.params, call.now_ns)?;
    let expr = engine::parse(&range.query)?;
    let limits = &call.request.limits;
    check::query(&expr, limits)?;
    let Expr::Log(expr) = expr else {
        return Err(QueryError::bad_request("legacy endpoints only support streams result type"));
    };
    check::entries(range.limit, limits)?;
    let (streams, stats) = match check::time_range(range.start_ns, range.end_ns, call.now_ns, limits)? {
        Some((start_ns, end_ns)) => {
            let range = RangeRequest { start_ns, end_ns, ..range.clone() };
            engine.log(&call.request, &range, &expr).await?
        }
        None => Default::default(),
    };
    encode(move || response::legacy_streams_body(&streams, range.direction, &stats)).await
}

async fn label_names(engine: &Engine, call: &Call) -> Result<BTreeSet<String>, QueryError> {
    let wanted = StreamsRequest::parse(&call.params, call.now_ns)?;
    let (uses, _) = streams(engine, call, wanted).await?;
    Ok(uses.keys().flat_map(|labels| labels.iter().map(|(name, _)| name.to_owned())).collect())
}

async fn label_values(engine: &Engine, call: &Call, name: &str) -> Result<BTreeSet<String>, QueryError> {
    let wanted = StreamsRequest::parse(&call.params, call.now_ns)?;
    let (uses, _) = streams(engine, call, wanted).await?;
    Ok(uses.keys().filter_map(|labels| labels.get(name)).map(str::to_owned).collect())
}

async fn streams(
    engine: &Engine,
    call: &Call,
    wanted: StreamsRequest,
) -> Result<(engine::StreamUses, u64), QueryError> {
    for selector in &wanted.selectors {
        skald_logql::parse_matchers_allow_empty(selector).map_err(|e| QueryError::bad_request(e.to_string()))?;
    }
    match check::time_range(wanted.start_ns, wanted.end_ns, call.now_ns, &call.request.limits)? {
        Some((start_ns, end_ns)) => engine.streams(&call.request, &StreamsRequest { start_ns, end_ns, ..wanted }).await,
        None => Ok(Default::default()),
    }
}

/// Writes a body off the runtime's threads: it may be many megabytes.
async fn encode(write: impl FnOnce() -> Vec<u8> + Send + 'static) -> Result<Bytes, QueryError> {
    let written = tokio::task::spawn_blocking(write).await;
    written.map(Bytes::from).map_err(|e| QueryError::internal(e.to_string()))
}

/// `format_query`: the status and body.
pub(crate) fn format_query(params: &Params) -> (u16, Vec<u8>) {
    match skald_logql::parse(params.get("query")) {
        Ok(expr) => (200, response::format_query_body("success", "data", &skald_logql::pretty(&expr))),
        Err(error) => (400, response::format_query_body("invalid-query", "error", &error.to_string())),
    }
}
