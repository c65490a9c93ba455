//! The overrides file: limits of tenants that differ from `limits_config`.
//!
//! ```yaml
//! overrides:
//!   team-a:
//!     ingestion_rate_mb: 20
//! ```
//!
//! A tenant starts from `limits_config` and changes the keys it lists; lists are replaced whole.
//! Unknown keys are errors, Loki's that mean nothing here are warnings, as in the configuration file.

use std::collections::HashSet;

use skald_limits::{Limits, LimitsTable};
use skald_model::TenantId;
use yaml_serde::Value;

use crate::{
    Config, ConfigError, Problem,
    keys::{schema, walk::Walk},
    load::{apply, parse_yaml},
};

/// Loki's blocks of this file that mean nothing here.
const FOREIGN: [(&str, &str); 2] = [
    ("configs", "operational settings per tenant are not part of this version"),
    ("multi_kv_config", "the ring travels by gossip only"),
];

/// Reads the overrides in `text`, which came from `file` (for messages), on top of `base`.
///
/// # Errors
/// Every problem of the file; the caller keeps the table it has.
pub fn parse(file: &str, text: &str, base: &Limits) -> Result<(LimitsTable, Vec<Problem>), ConfigError> {
    let config = Config { limits_config: base.clone(), ..Config::default() };
    let tree = schema::of(&config);
    let mut walk = Walk::new(&tree, file, text);
    let mut tenants = Vec::new();
    let mut seen = HashSet::new();

    for (block, value) in entries(parse_yaml(file, text)?, file)? {
        if let Some((_, reason)) = FOREIGN.iter().find(|(name, _)| *name == block) {
            walk.warnings.push(Problem::new(file, format!("{block} has no effect: {reason}")));
            continue;
        }
        if block != "overrides" {
            let text = format!("unknown key '{block}', expected 'overrides'");
            walk.problems.push(Problem::new(file, text));
            continue;
        }
        for (name, settings) in entries(value, file)? {
            let tenant = match TenantId::new(&name) {
                Ok(tenant) if seen.insert(tenant.clone()) => tenant,
                Ok(tenant) => {
                    walk.problems.push(Problem::new(file, format!("tenant '{tenant}' stands twice")));
                    continue;
                }
                Err(error) => {
                    walk.problems.push(Problem::new(file, error.to_string()));
                    continue;
                }
            };
            let written = ["overrides".to_owned(), name];
            walk.block(&written, &["limits_config".to_owned()], settings);
            let mut merged = tree.clone();
            let leaves = std::mem::take(&mut walk.leaves);
            apply(&mut merged, leaves, &config, &mut walk.problems);
            if let Ok(merged) = yaml_serde::from_value::<Config>(merged) {
                let limits = merged.limits_config;
                let place = format!("{file} tenant {tenant}");
                walk.problems.extend(limits.problems().into_iter().map(|text| Problem::new(&place, text)));
                tenants.push((tenant, limits));
            }
        }
    }
    if walk.problems.is_empty() {
        Ok((LimitsTable::with_tenants(base.clone(), tenants), walk.warnings))
    } else {
        Err(ConfigError { problems: walk.problems })
    }
}

/// The entries of a block; an empty block has none.
fn entries(value: Value, file: &str) -> Result<Vec<(String, Value)>, ConfigError> {
    let mapping = match value {
        Value::Null => return Ok(Vec::new()),
        Value::Mapping(mapping) => mapping,
        _ => return Err(ConfigError::one(file, "expected a block with the key 'overrides'")),
    };
    let text = |key: Value| match key {
        Value::String(key) => key,
        // Tenants are often numbers.
        Value::Number(number) => number.to_string(),
        other => format!("{other:?}"),
    };
    Ok(mapping.into_iter().map(|(key, value)| (text(key), value)).collect())
}

#[cfg(test)]
mod tests {
    use super::parse;
    use skald_limits::{ByteSize, Limits};
    use skald_model::TenantId;

    #[test]
    fn tenants_start_from_the_base() {
        let base = Limits { max_query_series: 9, ..Limits::default() };
        let text = "overrides:\n  a: {ingestion_rate_mb: 20, retention_period: 744h}\n  29:\n    max_line_size: 1MB\n  c:\nconfigs:\n  a: {log_push_request: true}\n";
        let (table, warnings) = parse("o.yaml", text, &base).unwrap();
        let of = |name: &str| table.for_tenant(&TenantId::new(name).unwrap()).clone();
        assert_eq!((of("a").ingestion_rate_mb, of("a").max_query_series), (20.0, 9));
        assert_eq!(of("29").max_line_size, ByteSize::mib(1));
        assert_eq!(*of("c"), base);
        assert_eq!(*of("z"), base);
        let warnings: Vec<String> = warnings.iter().map(ToString::to_string).collect();
        assert_eq!(warnings.len(), 2, "{warnings:?}");
        assert!(warnings[0].starts_with("o.yaml line 2: overrides.a.retention_period has no effect"), "{warnings:?}");
    }

    #[test]
    fn every_problem_is_named() {
        let cases = [
            (
                "overrides:\n  a:\n    max_line_sise: 1MB\n",
                "o.yaml line 3: unknown key 'overrides.a.max_line_sise', did you mean 'max_line_size'?",
            ),
            ("overrides:\n  a:\n    max_line_size: big\n", "o.yaml line 3: overrides.a.max_line_size"),
            ("overides: {}\n", "unknown key 'overides', expected 'overrides'"),
            ("overrides:\n  a/b: {}\n", "tenant ID 'a/b' contains unsupported character '/'"),
            ("overrides:\n  a: {query_timeout: 0s}\n", "query_timeout must be greater than 0"),
            ("overrides: 5\n", "expected a block"),
            ("overrides: [\n", "o.yaml"),
        ];
        for (text, expect) in cases {
            let error = parse("o.yaml", text, &Limits::default()).unwrap_err().to_string();
            assert!(error.contains(expect), "{text}: {error}");
        }
        assert!(parse("o.yaml", "", &Limits::default()).is_ok());
    }
}
