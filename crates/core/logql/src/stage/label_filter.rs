//! `| name op value`: conditions on labels of every type.
//!
//! A label that is missing fails every typed comparison; one that cannot be read keeps the row and
//! marks it with `LabelFilterErr`.

use super::ip::IpMatcher;
use crate::{
    matcher::{MatchOp, Matcher},
    regex_dialect,
    row::{NameId, Names, RowLabels, StreamView},
    syntax::{
        ast::{Comparison, LabelFilter},
        bytes, duration, quote,
    },
};

const ERROR_VALUE: &str = "LabelFilterErr";

/// A compiled label filter.
#[derive(Clone, Debug)]
pub(crate) enum LabelFilterExec {
    Text { name: NameId, test: TextTest, negative: bool },
    Number(NameId, Comparison<f64>),
    Duration(NameId, Comparison<i64>),
    Bytes(NameId, Comparison<u64>),
    Ip { name: NameId, negative: bool, matcher: IpMatcher },
    All(Vec<LabelFilterExec>),
    Any(Vec<LabelFilterExec>),
}

/// How text is compared.
#[derive(Clone, Debug)]
pub(crate) enum TextTest {
    Equal(Box<[u8]>),
    /// Anchored; `.` does not match newlines here.
    Regex(regex::Regex),
}

impl LabelFilterExec {
    /// Compiles a filter.
    ///
    /// # Errors
    /// What is wrong with a regular expression or address.
    pub(crate) fn compile(filter: &LabelFilter, names: &mut Names) -> Result<Self, String> {
        let all = |filters: &[LabelFilter], names: &mut Names| {
            filters.iter().map(|filter| Self::compile(filter, names)).collect::<Result<Vec<_>, _>>()
        };
        Ok(match filter {
            LabelFilter::Matcher(matcher) => Self::text(matcher, names)?,
            LabelFilter::Number(c) => Self::Number(names.id(&c.name), c.clone()),
            LabelFilter::Duration(c) => Self::Duration(names.id(&c.name), c.clone()),
            LabelFilter::Bytes(c) => Self::Bytes(names.id(&c.name), c.clone()),
            LabelFilter::Ip { name, negative, pattern } => {
                Self::Ip { name: names.id(name), negative: *negative, matcher: IpMatcher::compile(pattern)? }
            }
            LabelFilter::And(filters) => Self::All(all(filters, names)?),
            LabelFilter::Or(filters) => Self::Any(all(filters, names)?),
        })
    }

    fn text(matcher: &Matcher, names: &mut Names) -> Result<Self, String> {
        let negative = matches!(matcher.op(), MatchOp::Ne | MatchOp::NotRe);
        let test = match matcher.op() {
            MatchOp::Eq | MatchOp::Ne => TextTest::Equal(matcher.value().as_bytes().into()),
            MatchOp::Re | MatchOp::NotRe => TextTest::Regex(regex_dialect::compile_anchored(matcher.value(), false)?),
        };
        Ok(Self::Text { name: names.id(matcher.name()), test, negative })
    }

    /// Whether the row passes; may mark it with an error.
    pub(crate) fn matches(&self, view: &StreamView<'_>, labels: &mut RowLabels) -> bool {
        match self {
            Self::Text { name, test, negative } => {
                let value = labels.get(view, *name).unwrap_or_default();
                let found = match test {
                    TextTest::Equal(text) => value == &**text,
                    TextTest::Regex(regex) => std::str::from_utf8(value).is_ok_and(|value| regex.find(value).is_some()),
                };
                found != *negative
            }
            Self::Number(name, c) => {
                quantity(view, labels, *name, c, |text| text.parse().ok(), "strconv.ParseFloat: parsing")
            }
            Self::Duration(name, c) => quantity(view, labels, *name, c, duration::parse_go, "time: invalid duration"),
            Self::Bytes(name, c) => quantity(view, labels, *name, c, bytes::parse, "invalid size"),
            Self::Ip { name, negative, matcher } => {
                if labels.error().is_some() {
                    return true;
                }
                labels.get(view, *name).is_some_and(|value| matcher.finds(value) != *negative)
            }
            // Both sides of an `and` are looked at, so that an error in either marks the row.
            Self::All(filters) => filters.iter().filter(|filter| !filter.matches(view, labels)).count() == 0,
            Self::Any(filters) => filters.iter().any(|filter| filter.matches(view, labels)),
        }
    }
}

fn quantity<T: PartialOrd>(
    view: &StreamView<'_>,
    labels: &mut RowLabels,
    name: NameId,
    comparison: &Comparison<T>,
    read: impl Fn(&str) -> Option<T>,
    complaint: &str,
) -> bool {
    // A row with an error passes on: what made the error decides about it, not this comparison.
    if labels.error().is_some() {
        return true;
    }
    let Some(text) = labels.get_str(view, name) else { return false };
    match read(text) {
        Some(value) => comparison.op.holds(&value, &comparison.value),
        None => {
            let details = format!("{complaint} {}", quote(text));
            labels.set_error(ERROR_VALUE, || details);
            true
        }
    }
}
