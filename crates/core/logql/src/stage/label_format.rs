//! `| label_format dst=src, dst="template"`: renames and sets labels.
//!
//! Templates of one stage see the labels as they were before the first of them ran.

use super::{RowContext, line_format::ERROR_VALUE, template::Template};
use crate::{
    row::{NameId, Names},
    syntax::ast::{LabelFormat, LabelFormatSource},
};

#[derive(Clone, Debug)]
pub(crate) struct LabelFormats(Vec<(NameId, Source)>);

#[derive(Clone, Debug)]
enum Source {
    Label(NameId),
    Template(Template),
}

impl LabelFormats {
    pub(super) fn compile(formats: &[LabelFormat], names: &mut Names) -> Result<Self, String> {
        let mut out: Vec<(NameId, Source)> = Vec::with_capacity(formats.len());
        for format in formats {
            if format.label == "__error__" {
                return Err("__error__ cannot be formatted".to_owned());
            }
            let label = names.id(&format.label);
            if out.iter().any(|(name, _)| *name == label) {
                return Err(format!("multiple label name '{}' not allowed in a single format operation", format.label));
            }
            let source = match &format.source {
                LabelFormatSource::Label(source) => Source::Label(names.id(source)),
                LabelFormatSource::Template(template) => Source::Template(
                    Template::parse(template, names)
                        .map_err(|e| format!("invalid template for label '{}': {e}", format.label))?,
                ),
            };
            out.push((label, source));
        }
        Ok(Self(out))
    }

    pub(super) fn reads_line(&self) -> bool {
        self.0.iter().any(|(_, source)| matches!(source, Source::Template(template) if template.reads_line()))
    }

    pub(super) fn run(&self, row: &mut RowContext<'_>) {
        // Values of templates wait in `texts` until all templates have seen the labels unchanged by
        // one another; renames take effect in order.
        let mut texts: Vec<(NameId, Result<Vec<u8>, String>)> = Vec::new();
        let mut rendered = false;
        for (label, source) in &self.0 {
            match source {
                Source::Label(source) => {
                    row.scratch.clear();
                    let Some(value) = row.labels.get(row.view, *source) else { continue };
                    row.scratch.extend_from_slice(value);
                    row.labels.overwrite(*label, row.scratch);
                    row.labels.delete(*source);
                }
                Source::Template(_) if rendered => {}
                Source::Template(_) => {
                    rendered = true;
                    for (label, source) in &self.0 {
                        if let Source::Template(template) = source {
                            let mut out = Vec::new();
                            let result = template.render(row, &mut out).map(|()| out);
                            texts.push((*label, result));
                        }
                    }
                }
            }
            if let Some(at) = texts.iter().position(|(name, _)| name == label) {
                match texts.swap_remove(at).1 {
                    Ok(text) => row.labels.overwrite(*label, &text),
                    Err(details) => row.labels.set_error(ERROR_VALUE, || details),
                }
            }
        }
    }
}
