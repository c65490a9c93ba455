//! Values that flow through a template's pipelines.

use crate::syntax::format_number;

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Text(String),
    Int(i64),
    Float(f64),
    Bool(bool),
}

impl Value {
    /// Appends the value as Go prints it.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.text().as_bytes());
    }

    pub(super) fn text(&self) -> std::borrow::Cow<'_, str> {
        match self {
            Self::Text(text) => text.as_str().into(),
            Self::Int(n) => n.to_string().into(),
            Self::Float(n) => format_number(*n).into(),
            Self::Bool(b) => if *b { "true" } else { "false" }.into(),
        }
    }

    /// As a whole number: texts are read, what is no number is 0.
    pub(super) fn int(&self) -> i64 {
        match self {
            Self::Text(text) => text.parse().unwrap_or_else(|_| text.parse::<f64>().map_or(0, |n| n as i64)),
            Self::Int(n) => *n,
            Self::Float(n) => *n as i64,
            Self::Bool(b) => i64::from(*b),
        }
    }

    /// As a number: texts are read, what is no number is 0.
    pub(super) fn float(&self) -> f64 {
        match self {
            Self::Text(text) => text.parse().unwrap_or(0.0),
            Self::Int(n) => *n as f64,
            Self::Float(n) => *n,
            Self::Bool(b) => f64::from(u8::from(*b)),
        }
    }

    /// Go's notion of true: not empty, not zero.
    pub(super) fn truth(&self) -> bool {
        match self {
            Self::Text(text) => !text.is_empty(),
            Self::Int(n) => *n != 0,
            Self::Float(n) => *n != 0.0,
            Self::Bool(b) => *b,
        }
    }
}
