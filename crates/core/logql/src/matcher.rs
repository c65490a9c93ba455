//! Label matchers: `name="value"` and its kin.

use std::{fmt, sync::Arc};

use regex::Regex;
use skald_model::Labels;

use crate::{regex_dialect, syntax::quote};

/// How a matcher compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MatchOp {
    /// `=`
    Eq,
    /// `!=`
    Ne,
    /// `=~`: the regular expression matches the whole value.
    Re,
    /// `!~`
    NotRe,
}

impl MatchOp {
    /// As written in a query.
    pub fn symbol(self) -> &'static str {
        match self {
            Self::Eq => "=",
            Self::Ne => "!=",
            Self::Re => "=~",
            Self::NotRe => "!~",
        }
    }
}

/// A condition on one label. A label that is missing has the empty value.
#[derive(Clone)]
pub struct Matcher {
    name: Arc<str>,
    op: MatchOp,
    value: Arc<str>,
    regex: Option<Arc<Regex>>,
}

impl Matcher {
    /// A matcher; compiles the regular expression if there is one.
    ///
    /// # Errors
    /// What is wrong with the regular expression.
    pub fn new(name: &str, op: MatchOp, value: &str) -> Result<Self, String> {
        let regex = match op {
            MatchOp::Eq | MatchOp::Ne => None,
            // `.` matches newlines in matchers.
            MatchOp::Re | MatchOp::NotRe => Some(Arc::new(regex_dialect::compile_anchored(value, true)?)),
        };
        Ok(Self { name: name.into(), op, value: value.into(), regex })
    }

    /// The label.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The comparison.
    pub fn op(&self) -> MatchOp {
        self.op
    }

    /// The text or regular expression compared with.
    pub fn value(&self) -> &str {
        &self.value
    }

    /// Whether a label with this value passes; pass the empty text for a missing label.
    pub fn matches_value(&self, value: &str) -> bool {
        match (self.op, &self.regex) {
            (MatchOp::Eq, _) => *self.value == *value,
            (MatchOp::Ne, _) => *self.value != *value,
            (op, Some(regex)) => regex.find(value).is_some() == (op == MatchOp::Re),
            (_, None) => false,
        }
    }

    /// Whether a stream with these labels passes.
    pub fn matches(&self, labels: &Labels) -> bool {
        self.matches_value(labels.get(&self.name).unwrap_or(""))
    }

    /// Whether a stream without the label passes.
    pub fn matches_empty(&self) -> bool {
        self.matches_value("")
    }
}

impl PartialEq for Matcher {
    fn eq(&self, other: &Self) -> bool {
        (&self.name, self.op, &self.value) == (&other.name, other.op, &other.value)
    }
}

impl Eq for Matcher {}

impl fmt::Display for Matcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}{}", self.name, self.op.symbol(), quote(&self.value))
    }
}

impl fmt::Debug for Matcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn semantics() {
        use MatchOp::{Eq, Ne, NotRe, Re};
        let cases = [
            (Eq, "x", "x", true),
            (Eq, "", "", true),
            (Ne, "x", "", true),
            (Re, "a.*", "abc", true),
            (Re, "b", "abc", false),
            (Re, "a|b", "bc", false),
            (Re, "a.c", "a\nc", true),
            (Re, "\\d+", "٣", false),
            (NotRe, "b", "abc", true),
            (NotRe, ".*", "", false),
        ];
        for (op, value, input, expect) in cases {
            let matcher = Matcher::new("l", op, value).unwrap();
            assert_eq!(matcher.matches_value(input), expect, "{matcher} on {input:?}");
        }
        assert!(Matcher::new("l", Re, "(").is_err());
    }
}
