//! The level of a log line: `detected_level`.
//!
//! Sources in order: a label or metadata pair named as a level, a JSON field, a logfmt field, the
//! first level word in the text. The last three read the line once and stop at the first find, because
//! this runs for every line that is pushed.

mod json;
mod keyword;
mod logfmt;

use std::cell::RefCell;

/// The metadata key that carries the level.
pub(crate) const DETECTED_LEVEL: &str = "detected_level";

/// The level of lines that name none.
const UNKNOWN: &str = "unknown";

/// Nesting of JSON objects that is looked into (Loki's `log_level_from_json_max_depth`).
const JSON_DEPTH_MAX: usize = 2;

/// Finds levels by the field names of one tenant.
#[derive(Debug)]
pub(crate) struct LevelDetector<'n> {
    names: &'n [String],
    /// Bit `n` is set when a name has `n` (below 64) bytes: most keys of a line are told apart by that alone.
    lengths: u64,
    /// Room for a line in lower case.
    lowered: RefCell<Vec<u8>>,
}

impl<'n> LevelDetector<'n> {
    /// `names`: label, metadata and field names that may hold the level, best first.
    pub(crate) fn new(names: &'n [String]) -> Self {
        let lengths = names.iter().fold(0, |mask, name| mask | 1u64.checked_shl(name.len() as u32).unwrap_or(0));
        Self { names, lengths, lowered: RefCell::default() }
    }

    /// The level that pairs name, by the best name among them. Text that is no known level stays as it is.
    pub(crate) fn of_pairs<'p>(&self, get: impl Fn(&str) -> Option<&'p str>) -> Option<&'p str> {
        let value = self.names.iter().find_map(|name| get(name).filter(|v| !v.is_empty()))?;
        Some(normalise(value.as_bytes()).unwrap_or(value))
    }

    /// The level of a line by its content; `unknown` when it names none.
    pub(crate) fn of_line(&self, line: &[u8]) -> &'static str {
        let first = line.iter().find(|b| !b.is_ascii_whitespace());
        let field = match first {
            Some(b'{') => json::find(line, JSON_DEPTH_MAX, |key| self.is_level_name(key)),
            _ => logfmt::find(line, |key| self.is_level_name(key)),
        };
        field.and_then(normalise).or_else(|| keyword::find(line, &mut self.lowered.borrow_mut())).unwrap_or(UNKNOWN)
    }

    fn is_level_name(&self, key: &[u8]) -> bool {
        let possible = key.len() >= 64 || self.lengths & (1 << key.len()) != 0;
        possible && self.names.iter().any(|name| name.len() == key.len() && name.as_bytes().eq_ignore_ascii_case(key))
    }
}

/// The canonical name of a level in any spelling and case.
fn normalise(text: &[u8]) -> Option<&'static str> {
    const SPELLINGS: [(&str, &str); 15] = [
        ("trace", "trace"),
        ("trc", "trace"),
        ("debug", "debug"),
        ("dbg", "debug"),
        ("info", "info"),
        ("inf", "info"),
        ("information", "info"),
        ("warn", "warn"),
        ("wrn", "warn"),
        ("warning", "warn"),
        ("error", "error"),
        ("err", "error"),
        ("critical", "critical"),
        ("fatal", "fatal"),
        (UNKNOWN, UNKNOWN),
    ];
    let found = SPELLINGS.iter().find(|(spelling, _)| spelling.as_bytes().eq_ignore_ascii_case(text));
    found.map(|&(_, level)| level)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> Vec<String> {
        ["level", "severity", "lvl"].map(str::to_owned).to_vec()
    }

    #[test]
    fn lines() {
        let names = names();
        let detector = LevelDetector::new(&names);
        let cases: &[(&str, &str)] = &[
            (r#"{"level":"warn","msg":"error"}"#, "warn"),
            (r#"{"msg":"level","log":{"LEVEL":"ERR"}}"#, "error"),
            (r#"{"a":{"b":{"level":"fatal"}}}"#, "fatal"),
            (r#"{"a":"x\"level\":\"info\"","severity":"Information"}"#, "info"),
            (r#"{"level":30,"msg":"x"}"#, "unknown"),
            (r#"{"msg":"an error occurred"}"#, "error"),
            ("ts=1 level=dbg msg=\"error\"", "debug"),
            ("ts=1 lvl=\"WARNING\" msg=x", "warn"),
            ("level=", "unknown"),
            ("2024-01-01 ERROR failed, then info", "error"),
            ("[info] fine, no error", "info"),
            ("terrors and informational", "unknown"),
            ("", "unknown"),
            ("plain text", "unknown"),
        ];
        for (line, level) in cases {
            assert_eq!(detector.of_line(line.as_bytes()), *level, "{line}");
        }
    }

    #[test]
    fn pairs_go_by_the_best_name() {
        let names = names();
        let detector = LevelDetector::new(&names);
        let pairs = [("lvl", "info"), ("severity", "WARN")];
        let get = |name: &str| pairs.iter().find(|(n, _)| *n == name).map(|&(_, v)| v);
        assert_eq!(detector.of_pairs(get), Some("warn"));
        assert_eq!(detector.of_pairs(|name| (name == "level").then_some("notice")), Some("notice"));
        assert_eq!(detector.of_pairs(|_| None), None);
    }
}
