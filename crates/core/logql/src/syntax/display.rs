//! The canonical text of a query: one line that parses to the same tree. It serves as cache key and
//! in messages.

use std::fmt::{self, Display, Formatter};

use super::{
    ast::{
        Binary, Comparison, Conversion, Expr, Extraction, Grouping, LabelFilter, LabelFormat, LabelFormatSource,
        LabelReplace, LineFilter, LineFilterText, LogExpr, LogRange, MetricExpr, NameOrMatcher, RangeAggregation,
        Stage, Unwrap, VectorAggregation, VectorMatching,
    },
    bytes, duration, format_number, quote,
};

/// Writes `items` with `separator` between them.
pub(super) fn join<T>(
    f: &mut Formatter<'_>,
    items: &[T],
    separator: &str,
    mut write: impl FnMut(&mut Formatter<'_>, &T) -> fmt::Result,
) -> fmt::Result {
    for (i, item) in items.iter().enumerate() {
        if i > 0 {
            f.write_str(separator)?;
        }
        write(f, item)?;
    }
    Ok(())
}

impl Display for Expr {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Log(log) => log.fmt(f),
            Self::Metric(metric) => metric.fmt(f),
        }
    }
}

impl Display for LogExpr {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("{")?;
        join(f, &self.matchers, ", ", |f, matcher| matcher.fmt(f))?;
        f.write_str("}")?;
        self.stages.iter().try_for_each(|stage| write!(f, " {stage}"))
    }
}

impl Display for Stage {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::LineFilter(filter) => filter.fmt(f),
            Self::Json(extractions) => {
                f.write_str("| json")?;
                write_extractions(f, extractions)
            }
            Self::Logfmt { strict, keep_empty, extractions } => {
                f.write_str("| logfmt")?;
                if *strict {
                    f.write_str(" --strict")?;
                }
                if *keep_empty {
                    f.write_str(" --keep-empty")?;
                }
                write_extractions(f, extractions)
            }
            Self::Regexp(pattern) => write!(f, "| regexp {}", quote(pattern)),
            Self::Pattern(pattern) => write!(f, "| pattern {}", quote(pattern)),
            Self::Unpack => f.write_str("| unpack"),
            Self::Decolorize => f.write_str("| decolorize"),
            Self::LabelFilter(filter) => write!(f, "| {filter}"),
            Self::LineFormat(template) => write!(f, "| line_format {}", quote(template)),
            Self::LabelFormat(formats) => {
                f.write_str("| label_format ")?;
                join(f, formats, ",", |f, format| format.fmt(f))
            }
            Self::Drop(items) => {
                f.write_str("| drop ")?;
                join(f, items, ",", |f, item| item.fmt(f))
            }
            Self::Keep(items) => {
                f.write_str("| keep ")?;
                join(f, items, ",", |f, item| item.fmt(f))
            }
        }
    }
}

fn write_extractions(f: &mut Formatter<'_>, extractions: &[Extraction]) -> fmt::Result {
    if !extractions.is_empty() {
        f.write_str(" ")?;
    }
    join(f, extractions, ",", |f, e| write!(f, "{}={}", e.label, quote(&e.source)))
}

impl Display for LineFilter {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.op.symbol())?;
        join(f, &self.alternatives, " or ", |f, text| match text {
            LineFilterText::Text(text) => f.write_str(&quote(text)),
            LineFilterText::Ip(pattern) => write!(f, "ip({})", quote(pattern)),
        })
    }
}

impl Display for LabelFormat {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match &self.source {
            LabelFormatSource::Label(source) => write!(f, "{}={source}", self.label),
            LabelFormatSource::Template(template) => write!(f, "{}={}", self.label, quote(template)),
        }
    }
}

impl Display for NameOrMatcher {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Matcher(matcher) => matcher.fmt(f),
        }
    }
}

impl Display for LabelFilter {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        fn compare<T>(f: &mut Formatter<'_>, c: &Comparison<T>, value: &str) -> fmt::Result {
            write!(f, "{}{}{value}", c.name, c.op.symbol())
        }
        match self {
            Self::Matcher(matcher) => matcher.fmt(f),
            Self::Number(c) => compare(f, c, &format_number(c.value)),
            Self::Duration(c) => compare(f, c, &duration_literal(c.value)),
            Self::Bytes(c) => compare(f, c, &bytes::format(c.value)),
            Self::Ip { name, negative, pattern } => {
                write!(f, "{name}{}ip({})", if *negative { "!=" } else { "=" }, quote(pattern))
            }
            Self::And(filters) => {
                f.write_str("( ")?;
                join(f, filters, " , ", |f, filter| filter.fmt(f))?;
                f.write_str(" )")
            }
            Self::Or(filters) => {
                f.write_str("( ")?;
                join(f, filters, " or ", |f, filter| filter.fmt(f))?;
                f.write_str(" )")
            }
        }
    }
}

/// A number as text that folds to the same number: the language has no literals for NaN and infinities.
fn scalar_literal(value: f64) -> String {
    if value.is_nan() {
        "(0 / 0)".to_owned()
    } else if value.is_infinite() {
        format!("({}1e308 * 10)", if value < 0.0 { "-" } else { "" })
    } else {
        format_number(value)
    }
}

/// A duration as a literal: the lexer has no negative ones, so the sign stands before it.
pub(super) fn duration_literal(nanos: i64) -> String {
    duration::format_go(nanos)
}

impl Display for MetricExpr {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Range(range) => range.fmt(f),
            Self::Vector(vector) => vector.fmt(f),
            Self::Binary(binary) => binary.fmt(f),
            Self::Literal(value) => f.write_str(&scalar_literal(*value)),
            Self::VectorLiteral(value) => write!(f, "vector({})", format_number(*value)),
            Self::LabelReplace(replace) => replace.fmt(f),
        }
    }
}

impl Display for RangeAggregation {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}(", self.op.name())?;
        if let Some(param) = self.param {
            write!(f, "{},", format_number(param))?;
        }
        write!(f, "{})", self.range)?;
        self.grouping.iter().try_for_each(|grouping| write!(f, " {grouping}"))
    }
}

impl Display for LogRange {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.selector.fmt(f)?;
        self.unwrap.iter().try_for_each(|unwrap| write!(f, " {unwrap}"))?;
        write!(f, "{}", RangeSuffix(self))
    }
}

/// `[5m] offset 1h0m0s`
pub(super) struct RangeSuffix<'a>(pub(super) &'a LogRange);

impl Display for RangeSuffix<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "[{}]", duration::format_prometheus(self.0.range_ns))?;
        if self.0.offset_ns != 0 {
            write!(f, " offset {}", duration_literal(self.0.offset_ns))?;
        }
        Ok(())
    }
}

impl Display for Unwrap {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("| unwrap ")?;
        match self.conversion {
            Conversion::Number => f.write_str(&self.label)?,
            Conversion::Bytes => write!(f, "bytes({})", self.label)?,
            Conversion::Duration => write!(f, "duration({})", self.label)?,
            Conversion::DurationSeconds => write!(f, "duration_seconds({})", self.label)?,
        }
        self.filters.iter().try_for_each(|filter| write!(f, " | {filter}"))
    }
}

impl Display for VectorAggregation {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(self.op.name())?;
        self.grouping.iter().try_for_each(|grouping| write!(f, " {grouping} "))?;
        f.write_str("(")?;
        if let Some(k) = self.k {
            write!(f, "{k},")?;
        }
        write!(f, "{})", self.inner)
    }
}

impl Display for Grouping {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(if self.without { "without (" } else { "by (" })?;
        join(f, &self.labels, ",", |f, label| f.write_str(label))?;
        f.write_str(")")
    }
}

impl Display for Binary {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "({} {}{} {})", self.left, self.op.name(), Modifiers(self), self.right)
    }
}

/// What stands between a binary operator and its right side.
pub(super) struct Modifiers<'a>(pub(super) &'a Binary);

impl Display for Modifiers<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if self.0.return_bool {
            f.write_str(" bool")?;
        }
        self.0.matching.iter().try_for_each(|matching| write!(f, " {matching}"))
    }
}

impl Display for VectorMatching {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(if self.on { "on (" } else { "ignoring (" })?;
        join(f, &self.labels, ",", |f, label| f.write_str(label))?;
        f.write_str(")")?;
        if let Some(group) = &self.group {
            f.write_str(if group.left { " group_left (" } else { " group_right (" })?;
            join(f, &group.include, ",", |f, label| f.write_str(label))?;
            f.write_str(")")?;
        }
        Ok(())
    }
}

impl Display for LabelReplace {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let [dst, replacement, src, regex] =
            [&self.dst, &self.replacement, &self.src, &self.regex].map(|text| quote(text));
        write!(f, "label_replace({},{dst},{replacement},{src},{regex})", self.inner)
    }
}
