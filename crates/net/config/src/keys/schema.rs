//! The keys that are ours, read off the serialised defaults, and values brought into their shape.

use yaml_serde::{Mapping, Value};

use crate::Config;

/// The defaults as a tree: a mapping is a block, everything else a setting.
pub(crate) fn of(config: &Config) -> Value {
    yaml_serde::to_value(config).expect("the configuration holds nothing YAML cannot express")
}

/// The node at `path`.
pub(crate) fn node<'a>(schema: &'a Value, path: &[String]) -> Option<&'a Value> {
    path.iter().try_fold(schema, |node, key| node.as_mapping()?.get(key.as_str()))
}

/// Puts `value` at `path`, making blocks on the way.
pub(crate) fn set(tree: &mut Value, path: &[String], value: Value) {
    let Some((last, blocks)) = path.split_last() else { return };
    let mut node = tree;
    for key in blocks {
        if !node.is_mapping() {
            *node = Value::Mapping(Mapping::new());
        }
        let Value::Mapping(mapping) = node else { return };
        node = mapping.entry(Value::from(key.as_str())).or_insert_with(|| Value::Mapping(Mapping::new()));
    }
    if let Value::Mapping(mapping) = node {
        mapping.insert(Value::from(last.as_str()), value);
    }
}

/// Every setting's path.
#[cfg(test)]
pub(crate) fn leaves(schema: &Value) -> Vec<String> {
    match schema {
        Value::Mapping(mapping) => mapping
            .iter()
            .flat_map(|(key, node)| {
                let key = key.as_str().unwrap_or_default().to_owned();
                leaves(node).into_iter().map(move |rest| match rest.as_str() {
                    "" => key.clone(),
                    _ => format!("{key}.{rest}"),
                })
            })
            .collect(),
        _ => vec![String::new()],
    }
}

/// Brings `value` into the shape of `default` where people and Go's YAML write it otherwise: `yes` for
/// true, a bare number for a text, a text with commas for a list.
pub(crate) fn shaped(value: Value, default: &Value) -> Value {
    match (default, value) {
        (Value::Bool(_), Value::String(text)) => match text.as_str() {
            "yes" | "Yes" | "YES" | "on" | "On" | "ON" | "true" => Value::Bool(true),
            "no" | "No" | "NO" | "off" | "Off" | "OFF" | "false" => Value::Bool(false),
            _ => Value::String(text),
        },
        (Value::String(_), Value::Bool(value)) => Value::String(value.to_string()),
        // Durations and sizes serialise as texts; their own parsers decide on numbers.
        (Value::String(_), Value::Number(number)) => Value::String(number.to_string()),
        (Value::Sequence(_), Value::String(text)) => {
            Value::Sequence(text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(Value::from).collect())
        }
        (_, value) => value,
    }
}
