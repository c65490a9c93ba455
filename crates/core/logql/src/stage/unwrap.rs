//! `| unwrap label`: the sample's value from a label's text.

use super::LabelFilterExec;
use crate::{
    row::{NameId, Names, RowLabels, StreamView},
    syntax::{
        ast::{Conversion, Unwrap},
        bytes, duration, quote,
    },
};

const ERROR_VALUE: &str = "SampleExtractionErr";

/// A compiled unwrap.
#[derive(Clone, Debug)]
pub(crate) struct UnwrapExec {
    /// The label that holds the value.
    pub(crate) label: NameId,
    conversion: Conversion,
    filters: Vec<LabelFilterExec>,
}

impl UnwrapExec {
    pub(crate) fn compile(unwrap: &Unwrap, names: &mut Names) -> Result<Self, String> {
        Ok(Self {
            label: names.id(&unwrap.label),
            conversion: unwrap.conversion,
            filters: unwrap
                .filters
                .iter()
                .map(|filter| LabelFilterExec::compile(filter, names))
                .collect::<Result<_, _>>()?,
        })
    }

    /// The row's value; `None` where there is none or a filter drops the row. A value that cannot be
    /// read is 0 and marks the row.
    pub(crate) fn value(&self, view: &StreamView<'_>, labels: &mut RowLabels) -> Option<f64> {
        let text = labels.get_str(view, self.label).filter(|text| !text.is_empty())?;
        let value = match self.conversion {
            Conversion::Number => text.parse().ok(),
            Conversion::Bytes => bytes::parse(text).map(|bytes| bytes as f64),
            Conversion::Duration | Conversion::DurationSeconds => {
                duration::parse_go(text).map(|nanos| nanos as f64 / 1e9)
            }
        };
        if value.is_none() {
            let details = format!("cannot convert {} to a number", quote(text));
            labels.set_error(ERROR_VALUE, || details);
        }
        self.filters.iter().all(|filter| filter.matches(view, labels)).then_some(value.unwrap_or(0.0))
    }
}
