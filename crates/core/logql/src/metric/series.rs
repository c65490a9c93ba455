//! Labels with one value per step.

use skald_model::Labels;

/// Stands where a series has no value at a step. A NaN with a payload of its own, so that it is not
/// taken for a NaN that was computed.
pub(crate) const ABSENT: f64 = f64::from_bits(0x7ff8_0000_5ca1_d000);

/// True for [`ABSENT`] and nothing else.
#[inline]
pub(crate) fn is_absent(value: f64) -> bool {
    value.to_bits() == ABSENT.to_bits()
}

/// One series over all steps of a query.
#[derive(Clone, Debug)]
pub(crate) struct StepSeries {
    pub(crate) labels: Labels,
    /// One per step; [`ABSENT`] where there is none.
    pub(crate) values: Vec<f64>,
}

impl StepSeries {
    /// True when no step has a value.
    pub(crate) fn is_empty(&self) -> bool {
        self.values.iter().all(|value| is_absent(*value))
    }

    /// Applies `f` to every value that is there.
    pub(crate) fn map(&mut self, mut f: impl FnMut(f64) -> f64) {
        for value in self.values.iter_mut().filter(|value| !is_absent(**value)) {
            *value = f(*value);
        }
    }
}
