//! Queries laid out for people: what fits in a line stays in one, the rest is split with an indent of
//! two blanks.

use super::{
    ast::{Expr, Grouping, LogExpr, LogRange, MetricExpr},
    display::{Modifiers, RangeSuffix},
    quote,
};

/// The longest line before it is split, in characters.
const LINE_CHARS_MAX: usize = 100;

/// The layout of a query.
pub fn pretty(expr: &Expr) -> String {
    match expr {
        Expr::Log(log) => log_lines(log, 0, ""),
        Expr::Metric(metric) => metric_lines(metric, 0),
    }
}

fn indent(level: usize) -> String {
    "  ".repeat(level)
}

fn fits(text: &str, level: usize) -> bool {
    2 * level + text.chars().count() <= LINE_CHARS_MAX
}

/// A pipeline, `suffix` (a range) behind its last stage.
fn log_lines(log: &LogExpr, level: usize, suffix: &str) -> String {
    let flat = format!("{log}{suffix}");
    if fits(&flat, level) {
        return indent(level) + &flat;
    }
    let selector = LogExpr { matchers: log.matchers.clone(), stages: Vec::new() };
    let mut out = indent(level) + &selector.to_string();
    for stage in &log.stages {
        out += &format!("\n{}{stage}", indent(level + 1));
    }
    out + suffix
}

fn range_lines(range: &LogRange, level: usize) -> String {
    let unwrap = range.unwrap.as_ref().map_or_else(String::new, |unwrap| format!(" {unwrap}"));
    let suffix = RangeSuffix(range).to_string();
    let flat = format!("{}{unwrap} {suffix}", range.selector);
    if fits(&flat, level) {
        return indent(level) + &flat;
    }
    let unwrap = range.unwrap.as_ref().map_or_else(String::new, |unwrap| format!("\n{}{unwrap}", indent(level + 1)));
    log_lines(&range.selector, level, "") + &unwrap + " " + &suffix
}

fn grouping_text(grouping: Option<&Grouping>) -> String {
    grouping.map_or_else(String::new, |grouping| format!(" {grouping}"))
}

fn metric_lines(metric: &MetricExpr, level: usize) -> String {
    let flat = metric.to_string();
    if fits(&flat, level) {
        return indent(level) + &flat;
    }
    let pad = indent(level);
    let param = |text: String| format!("{}{text},\n", indent(level + 1));
    match metric {
        MetricExpr::Range(range) => {
            let param = range.param.map_or_else(String::new, |p| param(super::format_number(p)));
            let inner = range_lines(&range.range, level + 1);
            format!("{pad}{}(\n{param}{inner}\n{pad}){}", range.op.name(), grouping_text(range.grouping.as_ref()))
        }
        MetricExpr::Vector(vector) => {
            let param = vector.k.map_or_else(String::new, |k| param(k.to_string()));
            let inner = metric_lines(&vector.inner, level + 1);
            format!("{pad}{}{} (\n{param}{inner}\n{pad})", vector.op.name(), grouping_text(vector.grouping.as_ref()))
        }
        MetricExpr::Binary(binary) => {
            let left = metric_lines(&binary.left, level + 1);
            let right = metric_lines(&binary.right, level + 1);
            format!("{pad}(\n{left}\n{pad}{}{}\n{right}\n{pad})", binary.op.name(), Modifiers(binary))
        }
        MetricExpr::LabelReplace(replace) => {
            let inner = metric_lines(&replace.inner, level + 1);
            let texts = [&replace.dst, &replace.replacement, &replace.src, &replace.regex];
            let texts = texts.map(|text| format!(",\n{}{}", indent(level + 1), quote(text))).concat();
            format!("{pad}label_replace(\n{inner}{texts}\n{pad})")
        }
        MetricExpr::Literal(_) | MetricExpr::VectorLiteral(_) => pad + &flat,
    }
}
