//! Arithmetic and comparison of two numbers, and of a number with all series of a vector.

use super::{ABSENT, StepSeries, is_absent};
use crate::syntax::ast::{Binary, BinaryOp};

/// `left op right` for two numbers; comparisons answer 1 or 0. Set operators have no numbers and answer NaN.
pub(crate) fn scalar_op(op: BinaryOp, left: f64, right: f64) -> f64 {
    if let Some(comparison) = op.comparison() {
        return f64::from(u8::from(comparison.holds(&left, &right)));
    }
    match op {
        BinaryOp::Add => left + right,
        BinaryOp::Sub => left - right,
        BinaryOp::Mul => left * right,
        // Dividing by zero is NaN here, unlike in PromQL.
        BinaryOp::Div | BinaryOp::Mod if right == 0.0 => f64::NAN,
        BinaryOp::Div => left / right,
        BinaryOp::Mod => left % right,
        BinaryOp::Pow => left.powf(right),
        _ => f64::NAN,
    }
}

/// What an operator makes of two values that are there: comparisons without `bool` keep `kept` or nothing.
pub(super) fn combine(binary: &Binary, left: f64, right: f64, kept: f64) -> f64 {
    match binary.op.comparison() {
        Some(comparison) if !binary.return_bool => {
            if comparison.holds(&left, &right) {
                kept
            } else {
                ABSENT
            }
        }
        _ => scalar_op(binary.op, left, right),
    }
}

/// `vector op number`, keeping labels.
pub(crate) fn vector_with_scalar(binary: &Binary, mut series: Vec<StepSeries>, right: f64) -> Vec<StepSeries> {
    series.iter_mut().for_each(|series| series.map(|value| combine(binary, value, right, value)));
    series.retain(|series| !series.is_empty());
    series
}

/// `number op vector`; a comparison keeps the vector's value.
pub(crate) fn scalar_with_vector(binary: &Binary, left: f64, mut series: Vec<StepSeries>) -> Vec<StepSeries> {
    series.iter_mut().for_each(|series| series.map(|value| combine(binary, left, value, value)));
    series.retain(|series| !series.is_empty());
    series
}

/// Both values where both are there.
pub(super) fn combine_present(binary: &Binary, left: f64, right: f64) -> f64 {
    if is_absent(left) || is_absent(right) { ABSENT } else { combine(binary, left, right, left) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers() {
        use BinaryOp::*;
        let cases = [
            (Add, 1.0, 2.0, 3.0),
            (Mod, 7.0, 4.0, 3.0),
            (Mod, -7.0, 4.0, -3.0),
            (Pow, 2.0, 10.0, 1024.0),
            (Gt, 1.0, 2.0, 0.0),
            (Lte, 2.0, 2.0, 1.0),
        ];
        for (op, left, right, expect) in cases {
            assert_eq!(scalar_op(op, left, right), expect, "{left} {} {right}", op.name());
        }
        assert!(scalar_op(Div, 1.0, 0.0).is_nan() && scalar_op(Mod, 1.0, 0.0).is_nan());
    }
}
