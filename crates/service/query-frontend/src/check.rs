//! Whether a tenant may ask this: the limits that are checked before anything is run. Pure.

use skald_limits::Limits;
use skald_logql::{Expr, LogExpr, Matcher, MetricExpr, syntax::duration::format_prometheus};

use crate::QueryError;

/// Checks the selectors and ranges of a query, whatever its time.
pub(crate) fn query(expr: &Expr, limits: &Limits) -> Result<(), QueryError> {
    for LogExpr { matchers, .. } in expr.selectors() {
        selector(matchers, limits)?;
    }
    let range_max = limits.max_query_range.as_nanos();
    if let Expr::Metric(metric) = expr
        && range_max > 0
    {
        let mut exceeding = None;
        metric.for_each_range(&mut |r| {
            if r.range.range_ns > range_max {
                exceeding = Some(r.range.range_ns);
            }
        });
        if let Some(range) = exceeding {
            let (range, limit) = (format_prometheus(range), format_prometheus(range_max));
            return Err(QueryError::bad_request(format!("[interval] value exceeds limit: [{range}] > [{limit}]")));
        }
    }
    Ok(())
}

/// Checks one selector.
fn selector(matchers: &[Matcher], limits: &Limits) -> Result<(), QueryError> {
    let (count, max) = (matchers.len(), limits.max_streams_matchers_per_query as usize);
    if max > 0 && count > max {
        let text = format!("max streams matchers per query exceeded, matchers-count > limit ({count} > {max})");
        return Err(QueryError::bad_request(text));
    }
    let mut present: Vec<&str> = matchers.iter().map(Matcher::name).collect();
    let missing: Vec<&str> =
        limits.required_labels.iter().map(String::as_str).filter(|name| !present.contains(name)).collect();
    if !missing.is_empty() {
        return Err(QueryError::bad_request(format!(
            "stream selector is missing required matchers [{}], labels present in the query were [{}]",
            missing.join(", "),
            present.join(", "),
        )));
    }
    let required = limits.minimum_labels_number as usize;
    present.sort_unstable();
    present.dedup();
    if present.len() < required {
        return Err(QueryError::bad_request(format!(
            "stream selector has less label matchers than required: (present: [{}], number_present: {}, \
             required_number_label_matchers: {required})",
            present.join(", "),
            present.len(),
        )));
    }
    Ok(())
}

/// Checks how many entries a log query asks for.
pub(crate) fn entries(limit: u64, limits: &Limits) -> Result<(), QueryError> {
    let max = u64::from(limits.max_entries_limit_per_query);
    if max > 0 && limit > max {
        return Err(QueryError::bad_request(format!(
            "max entries limit per query exceeded, limit > max_entries_limit_per_query ({limit} > {max})"
        )));
    }
    Ok(())
}

/// Checks the length of a time range, and moves its start to where the tenant may look back to.
/// `None`: nothing of the range is left.
pub(crate) fn time_range(
    start_ns: i64,
    end_ns: i64,
    now_ns: i64,
    limits: &Limits,
) -> Result<Option<(i64, i64)>, QueryError> {
    let lookback = limits.max_query_lookback.as_nanos();
    let earliest = if lookback > 0 { now_ns.saturating_sub(lookback) } else { i64::MIN };
    if end_ns < earliest {
        return Ok(None);
    }
    let start_ns = start_ns.max(earliest);
    let (length, max) = (end_ns.saturating_sub(start_ns), limits.max_query_length.as_nanos());
    if max > 0 && length > max {
        let (length, max) = (format_prometheus(length / 1_000_000 * 1_000_000), format_prometheus(max));
        return Err(QueryError::bad_request(format!(
            "the query time range exceeds the limit (query length: {length}, limit: {max})"
        )));
    }
    Ok(Some((start_ns, end_ns)))
}

/// True when the order of the result's series is part of the answer: `sort` or `sort_desc` anywhere.
pub(crate) fn keeps_order(expr: &MetricExpr) -> bool {
    use skald_logql::syntax::ast::VectorOp;
    match expr {
        MetricExpr::Vector(vector) => {
            matches!(vector.op, VectorOp::Sort | VectorOp::SortDesc) || keeps_order(&vector.inner)
        }
        MetricExpr::Binary(binary) => keeps_order(&binary.left) || keeps_order(&binary.right),
        MetricExpr::LabelReplace(replace) => keeps_order(&replace.inner),
        MetricExpr::Range(_) | MetricExpr::Literal(_) | MetricExpr::VectorLiteral(_) => false,
    }
}

/// How far before and after its steps a metric query reads rows, in nanoseconds: at least the longest
/// range, more with offsets.
pub(crate) fn reach(expr: &MetricExpr) -> (i64, i64) {
    let (mut before, mut after) = (0i64, 0i64);
    expr.for_each_range(&mut |r| {
        before = before.max(r.range.range_ns.saturating_add(r.range.offset_ns));
        after = after.max(r.range.offset_ns.saturating_neg());
    });
    (before, after)
}

#[cfg(test)]
mod tests {
    use skald_limits::Period;

    use super::*;

    fn checked(text: &str, limits: &Limits) -> String {
        query(&skald_logql::parse(text).unwrap(), limits).err().map_or(String::new(), |e| e.message)
    }

    #[test]
    fn queries_against_limits() {
        let limits = Limits {
            max_streams_matchers_per_query: 2,
            max_query_range: Period::hours(1),
            required_labels: vec!["app".into(), "ns".into()],
            ..Limits::default()
        };
        let few = Limits { minimum_labels_number: 2, ..Limits::default() };
        let table: &[(&str, &Limits, &str)] = &[
            (r#"{app="x", ns="y"}"#, &limits, ""),
            (
                r#"{app="x", ns="y", z="1"}"#,
                &limits,
                "max streams matchers per query exceeded, matchers-count > limit (3 > 2)",
            ),
            (
                r#"{app="x", z="y"}"#,
                &limits,
                "stream selector is missing required matchers [ns], labels present in the query were [app, z]",
            ),
            (
                r#"rate({app="x", ns="y"}[1h]) + rate({app="x", ns="y"}[2h])"#,
                &limits,
                "[interval] value exceeds limit: [2h] > [1h]",
            ),
            (
                r#"{app="x"}"#,
                &few,
                "stream selector has less label matchers than required: (present: [app], number_present: 1, \
                 required_number_label_matchers: 2)",
            ),
        ];
        for (text, limits, expect) in table {
            assert_eq!(checked(text, limits), *expect, "{text}");
        }
    }

    #[test]
    fn ranges_of_time() {
        const HOUR: i64 = 3_600_000_000_000;
        let limits =
            Limits { max_query_length: Period::hours(2), max_query_lookback: Period::hours(4), ..Limits::default() };
        let now = 100 * HOUR;
        let text = |r: Result<Option<(i64, i64)>, QueryError>| r.map_err(|e| e.message);
        assert_eq!(text(time_range(now - HOUR, now, now, &limits)), Ok(Some((now - HOUR, now))));
        assert_eq!(text(time_range(0, now - 3 * HOUR, now, &limits)), Ok(Some((now - 4 * HOUR, now - 3 * HOUR))));
        assert_eq!(text(time_range(0, now - 5 * HOUR, now, &limits)), Ok(None));
        let expect = "the query time range exceeds the limit (query length: 3h, limit: 2h)";
        assert_eq!(text(time_range(now - 3 * HOUR, now, now, &limits)), Err(expect.to_owned()));
        assert_eq!(
            entries(5001, &limits).unwrap_err().message,
            "max entries limit per query exceeded, limit > max_entries_limit_per_query (5001 > 5000)"
        );
        assert!(entries(5000, &limits).is_ok());
    }

    #[test]
    fn properties_of_metric_queries() {
        let table = [
            (r#"sum(rate({a="b"}[5m]))"#, false, (300, 0)),
            (r#"sort(sum(rate({a="b"}[5m] offset 1m)))"#, true, (360, 0)),
            (r#"1 + sort_desc(rate({a="b"}[1m] offset -2m))"#, true, (0, 120)),
            ("vector(1)", false, (0, 0)),
        ];
        for (text, ordered, (before, after)) in table {
            let Expr::Metric(expr) = skald_logql::parse(text).unwrap() else { panic!("{text}") };
            assert_eq!(keeps_order(&expr), ordered, "{text}");
            assert_eq!(reach(&expr), (before * 1_000_000_000, after * 1_000_000_000), "{text}");
        }
    }
}
