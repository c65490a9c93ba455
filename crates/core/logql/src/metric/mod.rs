//! Numbers over time: windows, aggregations and operators on dense step-indexed series.
//!
//! - [`grid`]: which bucket of time a sample falls into, and which buckets make a step's window.
//! - [`range`]: the families of range aggregations, one file each.
//! - [`series`]: what all operators work on: labels and one value per step.
//! - [`vector`], [`topk`], [`binary`], [`label_replace`]: the operators.

mod binary;
mod grid;
mod label_replace;
mod matching;
mod range;
mod series;
mod topk;
mod vector;

pub(crate) use binary::{scalar_op, scalar_with_vector, vector_with_scalar};
pub(crate) use grid::{Grid, Steps};
pub(crate) use label_replace::label_replace;
pub(crate) use matching::vector_with_vector;
pub(crate) use range::{RangeStore, RunValues, new_store};
pub(crate) use series::{ABSENT, StepSeries, is_absent};
pub(crate) use vector::aggregate;

use crate::syntax::ast::MetricExpr;

/// Checks what can be known to fail before there is data.
///
/// # Errors
/// The first problem.
pub(crate) fn check(metric: &MetricExpr) -> Result<(), String> {
    match metric {
        MetricExpr::Range(_) | MetricExpr::Literal(_) | MetricExpr::VectorLiteral(_) => Ok(()),
        MetricExpr::Vector(vector) => check(&vector.inner),
        MetricExpr::Binary(binary) => check(&binary.left).and_then(|()| check(&binary.right)),
        MetricExpr::LabelReplace(replace) => {
            label_replace::check(replace)?;
            check(&replace.inner)
        }
    }
}
