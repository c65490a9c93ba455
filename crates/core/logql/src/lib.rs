//! LogQL: syntax, plan and vectorised operators.
//!
//! This crate is a boundary: it knows rows in columns ([`skald_model::Rows`]) and nothing of storage,
//! network or clocks. The way through it:
//!
//! - [`syntax`]: text to tree ([`parse`]) and back; what does not parse fails with Loki's words.
//! - [`Matcher`], [`regex_dialect`]: what a selector compares, in Go's dialect of regular expressions.
//! - [`Pipeline`]: the stages of a log query over a batch of rows with a selection; one file per stage
//!   in `stage/`.
//! - [`LogEvaluator`], [`MetricEvaluator`]: rows in, the answer of a query out; `metric/` holds the
//!   families of range aggregations, vector aggregations and binary operators.
//!
//! Errors speak in Loki's texts, because clients match on them: [`ParseError`], [`QueryError`].

#![cfg_attr(test, allow(clippy::unwrap_used))] // A test that unwraps fails as it should.

mod error;
pub mod eval;
mod matcher;
mod metric;
mod pipeline;
mod regex_dialect;
mod row;
mod stage;
pub mod syntax;

pub use error::{QueryError, StatusClass};
pub use eval::{
    LogEntry, LogEvaluator, LogParams, LogResult, LogStream, MetricEvaluator, MetricParams, MetricResult, RangeNeed,
    Sample, Series,
};
pub use matcher::{MatchOp, Matcher};
pub use pipeline::Pipeline;
pub use syntax::{
    ParseError,
    ast::{Expr, LogExpr, MetricExpr},
    format_value, parse, parse_log_selector, parse_matchers, parse_matchers_allow_empty, pretty,
};
