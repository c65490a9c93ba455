//! Parameters of a tail.

use skald_logql::LogExpr;
use skald_wire::params::{self, Params};

/// Lines replayed when the request does not say.
const LIMIT_DEFAULT: i64 = 100;

/// How far back the replay begins when the request does not say.
const SINCE_DEFAULT_NS: i64 = 3_600_000_000_000;

/// The longest delay a client may ask for, in seconds.
const DELAY_MAX: i64 = 5;

/// A checked request for a tail.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct TailParams {
    pub(super) query: String,
    pub(super) expr: LogExpr,
    pub(super) start_ns: i64,
    pub(super) limit: u64,
    pub(super) delay_secs: u64,
}

impl TailParams {
    pub(super) fn parse(query_string: &str, now_ns: i64) -> Result<Self, String> {
        let params = Params::parse("", query_string)?;
        let mut query = params.get("query").to_owned();
        if !params.get("regexp").is_empty() {
            query = format!("{query} |~ {:?}", params.get("regexp"));
        }
        let expr = skald_logql::parse_log_selector(&query).map_err(|error| error.to_string())?;
        let start_ns = params::time(params.get("start"), now_ns.saturating_sub(SINCE_DEFAULT_NS))?;
        let limit = params::integer(params.get("limit"), LIMIT_DEFAULT)?;
        let limit = u64::try_from(limit).ok().filter(|&l| l > 0).ok_or("limit must be a positive value")?;
        let delay = params::integer(params.get("delay_for"), 0)?;
        if delay > DELAY_MAX {
            return Err(format!("delay_for can't be greater than {DELAY_MAX}"));
        }
        Ok(Self { query, expr, start_ns, limit, delay_secs: u64::try_from(delay).unwrap_or(0) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters() {
        let parsed = TailParams::parse("query={a=\"b\"}&limit=5&start=7&delay_for=3&regexp=x", 100).unwrap();
        assert_eq!((parsed.limit, parsed.start_ns, parsed.delay_secs), (5, 7_000_000_000, 3));
        assert_eq!(parsed.query, "{a=\"b\"} |~ \"x\"");
        let now = 7_200_000_000_000;
        let parsed = TailParams::parse("query={a=\"b\"}", now).unwrap();
        assert_eq!((parsed.limit, parsed.start_ns, parsed.delay_secs), (100, now / 2, 0));
        for (query_string, expect) in [
            ("query={a=\"b\"}&limit=0", "limit must be a positive value"),
            ("query={a=\"b\"}&delay_for=6", "delay_for can't be greater than 5"),
        ] {
            assert_eq!(TailParams::parse(query_string, 0).unwrap_err(), expect);
        }
        assert!(TailParams::parse("query=rate({a=\"b\"}[1m])", 0).is_err());
    }
}
