//! Checks of what the grammar allows but does not make sense, with the texts clients know.

use super::{
    ParseError,
    ast::{
        Expr, Grouping, LabelFilter, LineFilter, LineFilterOp, LineFilterText, LogExpr, RangeAggregation, RangeOp,
        VectorOp,
    },
    format_number,
};

/// A selector must have a matcher that refuses the empty value, else it would read everything.
pub(super) fn selector(log: &LogExpr) -> Result<(), ParseError> {
    if log.matchers.iter().all(crate::matcher::Matcher::matches_empty) {
        return Err(ParseError::general(
            "queries require at least one regexp or equality matcher that does not have an empty-compatible value. \
             For instance, app=~\".*\" does not meet this requirement, but app=~\".+\" will",
        ));
    }
    Ok(())
}

/// Everything that can be known to fail before there is data: patterns, templates, regular expressions.
pub(super) fn expr(expr: &Expr) -> Result<(), ParseError> {
    for log in expr.selectors() {
        crate::stage::check(log).map_err(ParseError::general)?;
    }
    if let Expr::Metric(metric) = expr {
        crate::metric::check(metric).map_err(ParseError::general)?;
        let mut problem = Ok(());
        metric.for_each_range(&mut |range| {
            let filters = range.range.unwrap.iter().flat_map(|unwrap| &unwrap.filters);
            for filter in filters {
                if problem.is_ok() {
                    problem = label_filter(filter);
                }
            }
        });
        problem?;
    }
    Ok(())
}

fn label_filter(filter: &LabelFilter) -> Result<(), ParseError> {
    crate::stage::check_label_filter(filter).map_err(ParseError::general)
}

/// `ip()` stands only behind `|=` and `!=`.
pub(crate) fn line_filter(filter: &LineFilter) -> Result<(), String> {
    let has_ip = filter.alternatives.iter().any(|text| matches!(text, LineFilterText::Ip(_)));
    if has_ip && !matches!(filter.op, LineFilterOp::Contains | LineFilterOp::NotContains) {
        return Err(format!("ip: invalid match type for line filter: {}", filter.op.symbol()));
    }
    Ok(())
}

pub(super) fn range_aggregation(aggregation: &RangeAggregation) -> Result<(), ParseError> {
    use RangeOp::*;
    let RangeAggregation { op, param, range, grouping } = aggregation;
    let name = op.name();
    let unwraps = range.unwrap.is_some();
    let allowed = match op {
        CountOverTime | BytesOverTime | BytesRate => !unwraps,
        Rate | AbsentOverTime => true,
        _ => unwraps,
    };
    if !allowed {
        let with = if unwraps { "with" } else { "without" };
        return Err(ParseError::general(format!("invalid aggregation {name} {with} unwrap")));
    }
    if grouping.is_some() {
        let groups = matches!(
            op,
            AvgOverTime
                | StddevOverTime
                | StdvarOverTime
                | QuantileOverTime
                | MaxOverTime
                | MinOverTime
                | FirstOverTime
                | LastOverTime
        );
        if !groups {
            return Err(ParseError::general(format!("grouping not allowed for {name} aggregation")));
        }
    }
    match (op, param) {
        (QuantileOverTime, None) => Err(ParseError::general(format!("parameter required for operation {name}"))),
        (QuantileOverTime, Some(_)) | (_, None) => Ok(()),
        (_, Some(param)) => {
            Err(ParseError::general(format!("parameter {} not supported for operation {name}", format_number(*param))))
        }
    }
}

/// The `k` of an aggregation, checked.
pub(super) fn vector_param(
    op: VectorOp,
    param: Option<f64>,
    grouping: Option<&Grouping>,
) -> Result<Option<usize>, ParseError> {
    let name = op.name();
    let error = |message: String| Err(ParseError::general(message));
    let k = match (op, param) {
        (VectorOp::Topk | VectorOp::Bottomk | VectorOp::ApproxTopk, None) => {
            return error(format!("parameter required for operation {name}"));
        }
        (VectorOp::Topk | VectorOp::Bottomk | VectorOp::ApproxTopk, Some(k)) => {
            if k.fract() != 0.0 || k.abs() > 1e15 {
                return error(format!("invalid parameter {name}({},", format_number(k)));
            }
            if k < 1.0 {
                return error(format!("invalid parameter (must be greater than 0) {name}({}", format_number(k)));
            }
            Some(k as usize)
        }
        (_, Some(param)) => {
            return error(format!("unsupported parameter for operation {name}({},", format_number(param)));
        }
        (_, None) => None,
    };
    match (op, grouping) {
        (VectorOp::Sort | VectorOp::SortDesc, Some(_)) => {
            error("sort and sort_desc doesn't allow grouping by ".to_owned())
        }
        (VectorOp::ApproxTopk, Some(_)) => error("approx_topk doesn't allow grouping by ".to_owned()),
        _ => Ok(k),
    }
}
