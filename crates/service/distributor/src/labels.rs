//! The label set of a pushed stream: `service_name` added, canonical, checked against the limits.

use std::borrow::Cow;

use skald_limits::Limits;
use skald_model::{Labels, LabelsBuilder, SERVICE_NAME_LABEL};

use crate::rejection::{Reason, Rejection};

/// The service of streams that name none.
const UNKNOWN_SERVICE: &str = "unknown_service";

/// The label that tells apart the streams a hot stream was split into.
pub(crate) const STREAM_SHARD_LABEL: &str = "__stream_shard__";

/// Makes the canonical label set of `pairs`.
///
/// # Errors
/// When a limit of the tenant is broken; all entries of the stream go with it.
pub(crate) fn admit(pairs: &[(Cow<'_, str>, Cow<'_, str>)], limits: &Limits) -> Result<Labels, Rejection> {
    let mut builder = LabelsBuilder::new();
    for (name, value) in pairs {
        builder.push(name, value);
    }
    if builder.build().is_empty() {
        return Err(Rejection::new(
            Reason::MissingLabels,
            "error at least one label pair is required per stream".into(),
        ));
    }
    check(pairs, builder.build(), limits)?;
    let discover = &limits.discover_service_name;
    if !discover.is_empty() && builder.get(SERVICE_NAME_LABEL).is_none() {
        let service = discover.iter().find_map(|name| builder.get(name)).unwrap_or(UNKNOWN_SERVICE).to_owned();
        builder.push(SERVICE_NAME_LABEL, &service);
    }
    Ok(builder.build())
}

fn check(pairs: &[(Cow<'_, str>, Cow<'_, str>)], labels: Labels, limits: &Limits) -> Result<(), Rejection> {
    let reject = |reason, text| Err(Rejection::new(reason, text));
    let counted = labels.iter().filter(|&(name, _)| name != SERVICE_NAME_LABEL).count();
    if counted > limits.max_label_names_per_series as usize {
        let limit = limits.max_label_names_per_series;
        let text = format!("entry for stream '{labels}' has {counted} label names; limit {limit}");
        return reject(Reason::MaxLabelNames, text);
    }
    let mut names: Vec<&str> = Vec::with_capacity(pairs.len());
    for (name, value) in pairs.iter().filter(|(_, value)| !value.is_empty()) {
        if !valid_name(name) {
            let text = format!("error parsing labels '{labels}' with error: invalid label name {name:?}");
            return reject(Reason::InvalidLabels, text);
        }
        if name.len() > limits.max_label_name_length as usize {
            return reject(Reason::LabelNameTooLong, format!("stream '{labels}' has label name too long: '{name}'"));
        }
        if value.len() > limits.max_label_value_length as usize {
            return reject(Reason::LabelValueTooLong, format!("stream '{labels}' has label value too long: '{value}'"));
        }
        if names.contains(&&**name) {
            return reject(
                Reason::DuplicateLabelNames,
                format!("stream '{labels}' has duplicate label name: '{name}'"),
            );
        }
        names.push(name);
    }
    let missing: Vec<&str> =
        limits.enforced_labels.iter().map(String::as_str).filter(|name| labels.get(name).is_none()).collect();
    if !missing.is_empty() {
        let text = format!("missing required labels '{}' for stream '{labels}'", missing.join(","));
        return reject(Reason::MissingEnforcedLabels, text);
    }
    Ok(())
}

fn valid_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes.next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_')
        && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// A metadata name as a valid label name: every other character becomes `_`, a leading digit gets `key_` before it.
pub(crate) fn normalise_name(name: &str) -> Cow<'_, str> {
    if valid_name(name) {
        return Cow::Borrowed(name);
    }
    let mut out: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    if out.starts_with(|c: char| c.is_ascii_digit()) {
        out.insert_str(0, "key_");
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(pairs: &[(&str, &str)], limits: &Limits) -> String {
        let pairs: Vec<_> = pairs.iter().map(|&(n, v)| (Cow::Borrowed(n), Cow::Borrowed(v))).collect();
        match admit(&pairs, limits) {
            Ok(labels) => labels.to_string(),
            Err(rejection) => rejection.text().to_owned(),
        }
    }

    #[test]
    fn service_name_is_found_or_unknown() {
        let limits = Limits::default();
        let off = Limits { discover_service_name: Vec::new(), ..Limits::default() };
        type Case<'a> = (&'a [(&'a str, &'a str)], &'a Limits, &'a str);
        let cases: &[Case<'_>] = &[
            (&[("app", "x")], &limits, r#"{app="x", service_name="x"}"#),
            (&[("job", "j"), ("container", "c")], &limits, r#"{container="c", job="j", service_name="c"}"#),
            (&[("z", "1")], &limits, r#"{service_name="unknown_service", z="1"}"#),
            (&[("service_name", "s"), ("app", "x")], &limits, r#"{app="x", service_name="s"}"#),
            (&[("app", "x"), ("empty", "")], &off, r#"{app="x"}"#),
        ];
        for (pairs, limits, expect) in cases {
            assert_eq!(outcome(pairs, limits), *expect);
        }
    }

    #[test]
    fn limits_hold() {
        let limits = Limits {
            max_label_names_per_series: 2,
            max_label_name_length: 5,
            max_label_value_length: 3,
            enforced_labels: vec!["team".into()],
            discover_service_name: Vec::new(),
            ..Limits::default()
        };
        let cases: &[(&[(&str, &str)], &str)] = &[
            (&[], "error at least one label pair is required per stream"),
            (&[("a", "")], "error at least one label pair is required per stream"),
            (
                &[("a", "1"), ("b", "2"), ("c", "3")],
                r#"entry for stream '{a="1", b="2", c="3"}' has 3 label names; limit 2"#,
            ),
            (&[("abcdef", "1")], r#"stream '{abcdef="1"}' has label name too long: 'abcdef'"#),
            (&[("a", "1234")], r#"stream '{a="1234"}' has label value too long: '1234'"#),
            (&[("a", "1"), ("a", "2")], r#"stream '{a="2"}' has duplicate label name: 'a'"#),
            (&[("a b", "1")], r#"error parsing labels '{a b="1"}' with error: invalid label name "a b""#),
            (&[("a", "1")], r#"missing required labels 'team' for stream '{a="1"}'"#),
            (&[("team", "x")], r#"{team="x"}"#),
        ];
        for (pairs, expect) in cases {
            assert_eq!(outcome(pairs, &limits), *expect);
        }
    }

    #[test]
    fn metadata_names() {
        for (name, expect) in [("a.b-c", "a_b_c"), ("1st", "key_1st"), ("ok_1", "ok_1"), ("é", "_")] {
            assert_eq!(normalise_name(name), expect);
        }
    }
}
