//! The stages of a pipeline, compiled: one file per stage.
//!
//! A stage sees one row at a time ([`RowContext`]); what can run over whole columns is taken out of
//! the list before ([`crate::pipeline`]). Compilation needs to know which labels later stages and the
//! query's answer use ([`Needed`]): parsers extract only those.

mod decolorize;
mod drop_keep;
mod ip;
mod json;
mod label_filter;
mod label_format;
mod line_filter;
mod line_format;
mod logfmt;
mod needed;
mod pattern;
mod pattern_filter;
mod regexp;
mod sink;
pub(crate) mod template;
mod unpack;
pub(crate) mod unwrap;

pub(crate) use label_filter::LabelFilterExec;
pub(crate) use line_filter::LineFilterExec;
pub(crate) use needed::Needed;

use crate::{
    row::{LineBuffer, Names, RowLabels, StreamView},
    syntax::ast::{LabelFilter, LogExpr, Stage},
};

/// A row on its way through the stages.
pub(crate) struct RowContext<'a> {
    /// The line as stored; `line` may hold another.
    pub(crate) original: &'a [u8],
    /// Nanoseconds since the epoch.
    pub(crate) timestamp: i64,
    pub(crate) view: &'a StreamView<'a>,
    pub(crate) line: &'a mut LineBuffer,
    pub(crate) labels: &'a mut RowLabels,
    pub(crate) names: &'a mut Names,
    /// Memory for whoever builds a line or value.
    pub(crate) scratch: &'a mut Vec<u8>,
}

/// A compiled stage.
#[derive(Clone, Debug)]
pub(crate) enum StageExec {
    LineFilter(LineFilterExec),
    Json(json::Json),
    JsonExpressions(json::Expressions),
    Logfmt(logfmt::Logfmt),
    Regexp(regexp::Regexp),
    Pattern(pattern::Pattern),
    Unpack,
    Decolorize,
    LabelFilter(LabelFilterExec),
    LineFormat(line_format::LineFormat),
    LabelFormat(label_format::LabelFormats),
    Drop(drop_keep::Drop),
    Keep(drop_keep::Keep),
}

impl StageExec {
    /// Applies the stage; false drops the row.
    #[inline]
    pub(crate) fn run(&mut self, row: &mut RowContext<'_>) -> bool {
        match self {
            Self::LineFilter(filter) => return filter.matches(row.line.get(row.original)),
            Self::LabelFilter(filter) => return filter.matches(row.view, row.labels),
            Self::Json(stage) => stage.run(row),
            Self::JsonExpressions(stage) => stage.run(row),
            Self::Logfmt(stage) => stage.run(row),
            Self::Regexp(stage) => stage.run(row),
            Self::Pattern(stage) => stage.run(row),
            Self::Unpack => unpack::run(row),
            Self::Decolorize => decolorize::run(row),
            Self::LineFormat(stage) => stage.run(row),
            Self::LabelFormat(stage) => stage.run(row),
            Self::Drop(stage) => stage.run(row),
            Self::Keep(stage) => stage.run(row),
        }
        true
    }

    /// True when the stage may replace the line.
    pub(crate) fn changes_line(&self) -> bool {
        matches!(self, Self::Unpack | Self::Decolorize | Self::LineFormat(_))
    }

    /// True when the stage reads the line.
    pub(crate) fn reads_line(&self) -> bool {
        match self {
            Self::LineFilter(_)
            | Self::Json(_)
            | Self::JsonExpressions(_)
            | Self::Logfmt(_)
            | Self::Regexp(_)
            | Self::Pattern(_)
            | Self::Unpack
            | Self::Decolorize => true,
            Self::LineFormat(_) => true,
            Self::LabelFormat(formats) => formats.reads_line(),
            Self::LabelFilter(_) | Self::Drop(_) | Self::Keep(_) => false,
        }
    }
}

/// Compiles the stages of `log`; `needed` is what the query's answer uses of the labels. Parsers
/// nobody needs are left out.
///
/// # Errors
/// What is wrong with a pattern, expression, template or regular expression.
pub(crate) fn compile(log: &LogExpr, names: &mut Names, needed: Needed) -> Result<Vec<StageExec>, String> {
    let mut needed = needed;
    let mut out = Vec::with_capacity(log.stages.len());
    for stage in log.stages.iter().rev() {
        let exec = compile_one(stage, names, &needed)?;
        needed.before(stage, names)?;
        out.extend(exec);
    }
    out.reverse();
    Ok(out)
}

fn compile_one(stage: &Stage, names: &mut Names, needed: &Needed) -> Result<Option<StageExec>, String> {
    let unneeded = needed.nothing();
    Ok(Some(match stage {
        Stage::LineFilter(filter) => StageExec::LineFilter(LineFilterExec::compile(filter)?),
        Stage::Json(extractions) if extractions.is_empty() => {
            if unneeded {
                return Ok(None);
            }
            StageExec::Json(json::Json::new(needed.clone()))
        }
        Stage::Json(extractions) => StageExec::JsonExpressions(json::Expressions::compile(extractions, names)?),
        Stage::Logfmt { strict, keep_empty, extractions } => {
            if unneeded && extractions.is_empty() {
                return Ok(None);
            }
            StageExec::Logfmt(logfmt::Logfmt::compile(*strict, *keep_empty, extractions, names, needed.clone()))
        }
        Stage::Regexp(pattern) => {
            let stage =
                regexp::Regexp::compile(pattern, names, needed).map_err(|e| format!("invalid regexp parser: {e}"))?;
            StageExec::Regexp(stage)
        }
        Stage::Pattern(pattern) => {
            let stage = pattern::Pattern::compile(pattern, names, needed)
                .map_err(|e| format!("invalid pattern parser: {e}"))?;
            StageExec::Pattern(stage)
        }
        Stage::Unpack => StageExec::Unpack,
        Stage::Decolorize => StageExec::Decolorize,
        Stage::LabelFilter(filter) => StageExec::LabelFilter(LabelFilterExec::compile(filter, names)?),
        Stage::LineFormat(template) => StageExec::LineFormat(line_format::LineFormat::compile(template, names)?),
        Stage::LabelFormat(formats) => StageExec::LabelFormat(label_format::LabelFormats::compile(formats, names)?),
        Stage::Drop(items) => StageExec::Drop(drop_keep::Drop::compile(items, names)),
        Stage::Keep(items) => StageExec::Keep(drop_keep::Keep::compile(items, names)),
    }))
}

/// Checks everything of the stages that can be known to fail before there is data.
///
/// # Errors
/// The first problem.
pub(crate) fn check(log: &LogExpr) -> Result<(), String> {
    compile(log, &mut Names::new(), Needed::All).map(|_| ())
}

/// The same for one label filter.
///
/// # Errors
/// The first problem.
pub(crate) fn check_label_filter(filter: &LabelFilter) -> Result<(), String> {
    LabelFilterExec::compile(filter, &mut Names::new()).map(|_| ())
}
