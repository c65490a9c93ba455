//! Rows in, answers out: one file for log queries, one for metric queries, one for merging answers.

mod log;
mod log_result;
mod metric;
mod metric_result;

pub use log::{LogEvaluator, LogParams};
pub use log_result::{LogEntry, LogResult, LogStream};
pub use metric::{MetricEvaluator, MetricParams, RangeNeed};
pub use metric_result::{MetricResult, Sample, Series};
