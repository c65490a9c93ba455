//! `label_replace(vector, "dst", "replacement", "src", "regex")`.

use skald_model::{Labels, LabelsBuilder};

use super::StepSeries;
use crate::{regex_dialect, syntax::ast::LabelReplace};

/// Checks the regular expression and the label to set.
pub(super) fn check(replace: &LabelReplace) -> Result<(), String> {
    regex_dialect::compile_anchored(&replace.regex, false)
        .map_err(|_| format!("invalid regex in label_replace: {}", replace.regex))?;
    let valid = replace.dst.starts_with(|c: char| c == '_' || c.is_ascii_alphabetic())
        && replace.dst.chars().all(|c| c == '_' || c.is_ascii_alphanumeric());
    if valid { Ok(()) } else { Err(format!("invalid destination label name in label_replace: {}", replace.dst)) }
}

/// Sets `dst` where `src` matches; an empty replacement deletes it. Series that become equal stay apart.
///
/// # Errors
/// The regular expression does not compile.
pub(crate) fn label_replace(replace: &LabelReplace, mut series: Vec<StepSeries>) -> Result<Vec<StepSeries>, String> {
    let regex = regex_dialect::compile_anchored(&replace.regex, false)?;
    let mut builder = LabelsBuilder::new();
    let mut value = String::new();
    for series in &mut series {
        let source = series.labels.get(&replace.src).unwrap_or("");
        let Some(captures) = regex.captures(source) else { continue };
        value.clear();
        captures.expand(&replace.replacement, &mut value);
        series.labels = with_label(&series.labels, &replace.dst, &value, &mut builder);
    }
    Ok(series)
}

fn with_label(labels: &Labels, name: &str, value: &str, builder: &mut LabelsBuilder) -> Labels {
    builder.clear();
    labels.iter().filter(|(n, _)| *n != name).for_each(|(n, v)| builder.push(n, v));
    builder.push(name, value);
    builder.build()
}
