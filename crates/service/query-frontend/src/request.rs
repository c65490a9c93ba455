//! What the read endpoints ask for, from their parameters; defaults and checks as Loki has them.
//!
//! Only what can be known without the query's tree and without the tenant's limits is checked here;
//! [`crate::check`] does the rest.

use skald_model::Direction;
use skald_wire::params::{self, Params};

use crate::QueryError;

const SECOND_NS: i64 = 1_000_000_000;

/// How far back a request without `start` and `since` looks.
const SINCE_DEFAULT_NS: i64 = 3_600 * SECOND_NS;

/// Entries returned when the request does not say.
const LIMIT_DEFAULT: i64 = 100;

/// Steps that a request may ask for, whatever the query.
const POINTS_MAX: i64 = 11_000;

/// `query_range` and the legacy `query`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RangeRequest {
    pub(crate) query: String,
    pub(crate) start_ns: i64,
    pub(crate) end_ns: i64,
    pub(crate) step_ns: i64,
    pub(crate) interval_ns: i64,
    pub(crate) limit: u64,
    pub(crate) direction: Direction,
}

/// `query`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct InstantRequest {
    pub(crate) query: String,
    pub(crate) time_ns: i64,
    pub(crate) limit: u64,
}

/// `labels`, `label/…/values`, `series` and `index/stats`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StreamsRequest {
    /// Selectors, one of which must match; empty: every stream.
    pub(crate) selectors: Vec<String>,
    pub(crate) start_ns: i64,
    pub(crate) end_ns: i64,
}

impl RangeRequest {
    pub(crate) fn parse(params: &Params, now_ns: i64) -> Result<Self, QueryError> {
        let (start_ns, end_ns) = bounds(params, now_ns)?;
        if end_ns < start_ns {
            return Err(QueryError::bad_request("end timestamp must not be before or equal to start time"));
        }
        let limit = limit(params)?;
        let direction = direction(params)?;
        let step_ns = match params.get("step") {
            "" => (end_ns.saturating_sub(start_ns) / (250 * SECOND_NS)).max(1) * SECOND_NS,
            // Steps are whole milliseconds.
            text => params::seconds_or_duration(text).map_err(QueryError::bad_request)? / 1_000_000 * 1_000_000,
        };
        if step_ns <= 0 {
            let text = "zero or negative query resolution step widths are not accepted. Try a positive integer";
            return Err(QueryError::bad_request(text));
        }
        if end_ns.saturating_sub(start_ns) / step_ns > POINTS_MAX {
            let text = "exceeded maximum resolution of 11,000 points per time series. Try increasing the value of the \
                        step parameter";
            return Err(QueryError::bad_request(text));
        }
        let interval_ns = match params.get("interval") {
            "" => 0,
            text => params::seconds_or_duration(text).map_err(QueryError::bad_request)?,
        };
        if interval_ns < 0 {
            return Err(QueryError::bad_request("interval must be >= 0"));
        }
        let query = with_regexp(params.get("query"), "");
        Ok(Self { query, start_ns, end_ns, step_ns, interval_ns, limit, direction })
    }

    /// As [`RangeRequest::parse`], with the parameter `regexp` of the legacy endpoint.
    pub(crate) fn parse_legacy(params: &Params, now_ns: i64) -> Result<Self, QueryError> {
        let request = Self::parse(params, now_ns)?;
        Ok(Self { query: with_regexp(&request.query, params.get("regexp")), ..request })
    }
}

impl InstantRequest {
    pub(crate) fn parse(params: &Params, now_ns: i64) -> Result<Self, QueryError> {
        let time_ns = params::time(params.get("time"), now_ns).map_err(QueryError::bad_request)?;
        let limit = limit(params)?;
        direction(params)?;
        Ok(Self { query: params.get("query").to_owned(), time_ns, limit })
    }
}

impl StreamsRequest {
    /// With the selector in `query`, which may be absent.
    pub(crate) fn parse(params: &Params, now_ns: i64) -> Result<Self, QueryError> {
        let query = params.get("query");
        let selectors = if query.is_empty() { Vec::new() } else { vec![query.to_owned()] };
        Self::with_selectors(params, now_ns, selectors)
    }

    /// With the selectors in `match` and `match[]`.
    pub(crate) fn parse_series(params: &Params, now_ns: i64) -> Result<Self, QueryError> {
        let mut selectors: Vec<String> = params.all("match").chain(params.all("match[]")).map(str::to_owned).collect();
        selectors.sort();
        selectors.dedup();
        Self::with_selectors(params, now_ns, selectors)
    }

    fn with_selectors(params: &Params, now_ns: i64, selectors: Vec<String>) -> Result<Self, QueryError> {
        let (start_ns, end_ns) = bounds(params, now_ns)?;
        if end_ns < start_ns {
            return Err(QueryError::bad_request("end timestamp must not be before or equal to start time"));
        }
        Ok(Self { selectors, start_ns, end_ns })
    }
}

fn bounds(params: &Params, now_ns: i64) -> Result<(i64, i64), QueryError> {
    let of = |name: &'static str| {
        move |error: String| QueryError::bad_request(format!("could not parse '{name}' parameter: {error}"))
    };
    let since_ns = match params.get("since") {
        "" => SINCE_DEFAULT_NS,
        text => params::duration(text).map_err(of("since"))?,
    };
    let end_ns = params::time(params.get("end"), now_ns).map_err(of("end"))?;
    let start_default = end_ns.min(now_ns).saturating_sub(since_ns);
    let start_ns = params::time(params.get("start"), start_default).map_err(of("start"))?;
    Ok((start_ns, end_ns))
}

fn limit(params: &Params) -> Result<u64, QueryError> {
    let limit = params::integer(params.get("limit"), LIMIT_DEFAULT).map_err(QueryError::bad_request)?;
    match u64::try_from(limit) {
        Ok(limit) if limit > 0 => Ok(limit),
        _ => Err(QueryError::bad_request("limit must be a positive value")),
    }
}

fn direction(params: &Params) -> Result<Direction, QueryError> {
    match params.get("direction") {
        "" => Ok(Direction::Backward),
        text if text.eq_ignore_ascii_case("forward") => Ok(Direction::Forward),
        text if text.eq_ignore_ascii_case("backward") => Ok(Direction::Backward),
        text => Err(QueryError::bad_request(format!("invalid direction '{text}'"))),
    }
}

/// The legacy parameter narrows the query by one more line filter.
fn with_regexp(query: &str, regexp: &str) -> String {
    if regexp.is_empty() {
        return query.to_owned();
    }
    let mut quoted = String::with_capacity(regexp.len() + 2);
    for c in regexp.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            '\n' => quoted.push_str("\\n"),
            c => quoted.push(c),
        }
    }
    format!("{query} |~ \"{quoted}\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_700_000_000 * SECOND_NS;

    fn range(query_string: &str) -> Result<RangeRequest, String> {
        RangeRequest::parse(&Params::parse("", query_string).unwrap(), NOW).map_err(|e| e.message)
    }

    #[test]
    fn range_defaults() {
        let request = range("query=x").unwrap();
        let expect = RangeRequest {
            query: "x".into(),
            start_ns: NOW - 3_600 * SECOND_NS,
            end_ns: NOW,
            step_ns: 14 * SECOND_NS,
            interval_ns: 0,
            limit: 100,
            direction: Direction::Backward,
        };
        assert_eq!(request, expect);
        // An end in the future does not move the start there.
        let request = range("end=1700003600&since=30m").unwrap();
        assert_eq!(request.start_ns, NOW - 1_800 * SECOND_NS);
        assert_eq!(range("start=1&end=2").unwrap().step_ns, SECOND_NS);
        assert_eq!(range("step=1500500us").unwrap().step_ns, 1_500_000_000);
        assert_eq!(range("direction=FORWARD").unwrap().direction, Direction::Forward);
        assert!(range("start=5&end=5").is_ok());
    }

    #[test]
    fn range_errors() {
        let table = [
            ("start=x", "could not parse 'start' parameter: strconv.ParseInt: parsing \"x\": invalid syntax"),
            ("end=x", "could not parse 'end' parameter: strconv.ParseInt: parsing \"x\": invalid syntax"),
            ("since=x", "could not parse 'since' parameter: not a valid duration string: \"x\""),
            ("start=2&end=1", "end timestamp must not be before or equal to start time"),
            ("step=0", "zero or negative query resolution step widths are not accepted. Try a positive integer"),
            ("step=-1", "zero or negative query resolution step widths are not accepted. Try a positive integer"),
            ("step=x", "cannot parse \"x\" to a valid duration"),
            (
                "start=0&end=11001&step=1",
                "exceeded maximum resolution of 11,000 points per time series. Try increasing the value of the step \
                 parameter",
            ),
            ("limit=0", "limit must be a positive value"),
            ("limit=-1", "limit must be a positive value"),
            ("limit=x", "strconv.Atoi: parsing \"x\": invalid syntax"),
            ("direction=x", "invalid direction 'x'"),
            ("interval=-1", "interval must be >= 0"),
        ];
        for (query_string, expect) in table {
            assert_eq!(range(query_string).unwrap_err(), expect, "{query_string}");
        }
        assert!(range("start=0&end=11000&step=1").is_ok());
    }

    #[test]
    fn other_requests() {
        let params = Params::parse("", "time=4&query=vector(1)&match=a&match[]=b&match[]=a&regexp=x%22y").unwrap();
        let instant = InstantRequest::parse(&params, NOW).unwrap();
        assert_eq!((instant.time_ns, instant.query.as_str(), instant.limit), (4 * SECOND_NS, "vector(1)", 100));
        assert_eq!(StreamsRequest::parse_series(&params, NOW).unwrap().selectors, ["a", "b"]);
        assert_eq!(StreamsRequest::parse(&params, NOW).unwrap().selectors, ["vector(1)"]);
        assert_eq!(RangeRequest::parse_legacy(&params, NOW).unwrap().query, "vector(1) |~ \"x\\\"y\"");
    }
}
