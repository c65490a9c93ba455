//! The configuration as text: what `/config` and `-print-config-stderr` show. Secrets are masked by
//! their type.

use yaml_serde::{Mapping, Value};

use crate::{Config, keys::schema};

/// The whole of `config` as YAML.
pub fn as_yaml(config: &Config) -> String {
    text(&schema::of(config))
}

/// What of `config` differs from the defaults, as YAML.
pub fn diff_yaml(config: &Config) -> String {
    match difference(&schema::of(config), &schema::of(&Config::default())) {
        Some(tree) => text(&tree),
        None => "{}\n".to_owned(),
    }
}

fn text(tree: &Value) -> String {
    yaml_serde::to_string(tree).expect("a tree of YAML values prints")
}

fn difference(value: &Value, default: &Value) -> Option<Value> {
    let (Value::Mapping(ours), Value::Mapping(defaults)) = (value, default) else {
        return (value != default).then(|| value.clone());
    };
    let mut changed = Mapping::new();
    for (key, value) in ours {
        let default = defaults.get(key).unwrap_or(&Value::Null);
        if let Some(child) = difference(value, default) {
            changed.insert(key.clone(), child);
        }
    }
    (!changed.is_empty()).then_some(Value::Mapping(changed))
}
