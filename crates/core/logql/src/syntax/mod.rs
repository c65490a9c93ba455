//! The syntax of LogQL: text to tree and back.
//!
//! [`parse`] is the way in. The tree is in [`ast`], its text form in `display` (one line, re-parses to
//! the same tree) and [`pretty`] (for people). Whether a tree makes sense is checked in `validate`.

pub mod ast;
pub mod bytes;
mod display;
pub mod duration;
mod lexer;
mod literal;
mod parser;
mod pretty;
mod token;
mod validate;

pub(crate) use literal::{format_number, unquote};
pub use literal::{format_value, quote};
pub use pretty::pretty;
pub(crate) use validate::line_filter as check_line_filter;

use crate::matcher::Matcher;
use ast::{Expr, LogExpr};

/// The longest query, in bytes.
const QUERY_BYTES_MAX: usize = 131_072;

/// Why a text is no query. `Display` is the text clients of Loki know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseError {
    /// Line from 1; 0 where the position is not known or was lost by reading ahead.
    pub line: u32,
    /// Column from 1 in characters; 0 where the position is not known.
    pub col: u32,
    /// What is wrong.
    pub message: String,
}

impl ParseError {
    /// An error about the query as a whole.
    pub(crate) fn general(message: impl Into<String>) -> Self {
        Self { line: 0, col: 0, message: message.into() }
    }
}

impl std::fmt::Display for ParseError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.line, self.col) {
            (0, 0) => write!(f, "parse error : {}", self.message),
            (line, col) => write!(f, "parse error at line {line}, col {col}: {}", self.message),
        }
    }
}

impl std::error::Error for ParseError {}

/// Parses and checks a query.
///
/// # Errors
/// The first thing that is wrong with it.
pub fn parse(query: &str) -> Result<Expr, ParseError> {
    let expr = parse_unchecked(query)?;
    for selector in expr.selectors() {
        validate::selector(selector)?;
    }
    validate::expr(&expr)?;
    Ok(expr)
}

/// Parses and checks a query that must answer with log lines.
///
/// # Errors
/// The first thing that is wrong with it.
pub fn parse_log_selector(query: &str) -> Result<LogExpr, ParseError> {
    match parse(query)? {
        Expr::Log(log) => Ok(log),
        Expr::Metric(_) => Err(ParseError::general("only log selector is supported")),
    }
}

/// Parses a selector without a pipeline; one matcher must refuse the empty value.
///
/// # Errors
/// The first thing that is wrong with it.
pub fn parse_matchers(query: &str) -> Result<Vec<Matcher>, ParseError> {
    let log = bare_selector(query)?;
    validate::selector(&log)?;
    Ok(log.matchers)
}

/// Parses a selector without a pipeline; `{}` and selectors that match every stream are allowed.
///
/// # Errors
/// The first thing that is wrong with it.
pub fn parse_matchers_allow_empty(query: &str) -> Result<Vec<Matcher>, ParseError> {
    Ok(bare_selector(query)?.matchers)
}

fn bare_selector(query: &str) -> Result<LogExpr, ParseError> {
    match parse_unchecked(query)? {
        Expr::Log(log) if log.stages.is_empty() => Ok(log),
        _ => Err(ParseError::general("only label matchers is supported")),
    }
}

fn parse_unchecked(query: &str) -> Result<Expr, ParseError> {
    if query.len() >= QUERY_BYTES_MAX {
        return Err(ParseError::general(format!("input size too long ({} > {QUERY_BYTES_MAX})", query.len())));
    }
    parser::parse(query)
}

#[cfg(test)]
mod tests;
