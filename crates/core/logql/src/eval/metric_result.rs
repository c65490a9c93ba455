//! The answer of a metric query.

use skald_model::Labels;

/// One value of an instant query.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// Whose value.
    pub labels: Labels,
    /// Milliseconds since the epoch.
    pub timestamp_ms: i64,
    /// The value.
    pub value: f64,
}

/// The values of one series of a range query.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// Whose values.
    pub labels: Labels,
    /// Milliseconds since the epoch and value, ascending; steps without a value are left out.
    pub points: Vec<(i64, f64)>,
}

/// The answer of a metric query.
#[derive(Clone, Debug, PartialEq)]
pub enum MetricResult {
    /// Of an instant query whose expression is a number.
    Scalar {
        /// Milliseconds since the epoch.
        timestamp_ms: i64,
        /// The number.
        value: f64,
    },
    /// Of an instant query: by labels, or by value where the query sorts.
    Vector(Vec<Sample>),
    /// Of a range query: by labels; no series is empty.
    Matrix(Vec<Series>),
}
