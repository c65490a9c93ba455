//! `| line_format "template"`: a new line from labels.

use super::{RowContext, template::Template};
use crate::row::Names;

pub(super) const ERROR_VALUE: &str = "TemplateFormatErr";

#[derive(Clone, Debug)]
pub(crate) struct LineFormat(Template);

impl LineFormat {
    pub(super) fn compile(template: &str, names: &mut Names) -> Result<Self, String> {
        Template::parse(template, names).map(Self).map_err(|e| format!("invalid line template: {e}"))
    }

    pub(super) fn run(&self, row: &mut RowContext<'_>) {
        let mut out = std::mem::take(row.scratch);
        out.clear();
        match self.0.render(row, &mut out) {
            Ok(()) => row.line.replace(&mut out),
            Err(details) => row.labels.set_error(ERROR_VALUE, || details),
        }
        *row.scratch = out;
    }
}
