//! Goes through a parsed file and sorts every key into its class.

use yaml_serde::Value;

use crate::{
    Problem,
    keys::{aliases, foreign, locate, nearest, schema},
};

/// A setting found in a file.
pub(crate) struct Leaf {
    /// Its path among our settings.
    pub(crate) path: Vec<String>,
    /// What the file says, in the shape of the setting.
    pub(crate) value: Value,
    /// Where the file says it.
    pub(crate) place: String,
    /// The path as the file has it.
    pub(crate) written: String,
    /// Whether the file used another name of Loki's.
    pub(crate) renamed: bool,
}

/// What one file holds.
pub(crate) struct Walk<'a> {
    schema: &'a Value,
    file: &'a str,
    text: &'a str,
    pub(crate) leaves: Vec<Leaf>,
    pub(crate) warnings: Vec<Problem>,
    pub(crate) problems: Vec<Problem>,
}

impl<'a> Walk<'a> {
    /// For the file `file` with the content `text`, against the keys in `schema`.
    pub(crate) fn new(schema: &'a Value, file: &'a str, text: &'a str) -> Self {
        Self { schema, file, text, leaves: Vec::new(), warnings: Vec::new(), problems: Vec::new() }
    }

    /// Sorts everything below `value`, which stands in the file at `written` and means `path` of ours.
    pub(crate) fn block(&mut self, written: &[String], path: &[String], value: Value) {
        let mapping = match value {
            Value::Mapping(mapping) => mapping,
            // `ingester:` with nothing below it is an empty block.
            Value::Null => return,
            _ => {
                let text = format!("{} is a block of settings, not a value", name(written));
                self.problems.push(Problem::new(self.place(written), text));
                return;
            }
        };
        for (key, value) in mapping {
            let key = match key {
                Value::String(key) => key,
                other => format!("{other:?}"),
            };
            let child_written = child(written, &key);
            let child_path = child(path, &key);
            self.key(&child_written, &child_path, value);
        }
    }

    fn key(&mut self, written: &[String], path: &[String], value: Value) {
        let (ours, renamed) = aliases::resolve(path);
        match schema::node(self.schema, &ours) {
            Some(Value::Mapping(_)) => self.block(written, &ours, value),
            Some(default) => {
                if !value.is_null() {
                    let value = schema::shaped(value, default);
                    let place = self.place(written);
                    self.leaves.push(Leaf { path: ours, value, place, written: written.join("."), renamed });
                }
            }
            None => self.not_ours(written, &ours, value),
        }
    }

    fn not_ours(&mut self, written: &[String], ours: &[String], value: Value) {
        let has_known_children = aliases::leads_on(ours) || foreign::leads_on(ours);
        if value.is_mapping() && has_known_children {
            return self.block(written, ours, value);
        }
        if let Some(entry) = foreign::find(ours) {
            if !value.is_null() && !entry.is_silent(&value) {
                let text = format!("{} has no effect: {}", written.join("."), entry.instead);
                self.warnings.push(Problem::new(self.place(written), text));
            }
            return;
        }
        if value.is_null() && has_known_children {
            return;
        }
        let text = unknown(self.schema, written, ours);
        self.problems.push(Problem::new(self.place(written), text));
    }

    fn place(&self, written: &[String]) -> String {
        match locate::line_of(self.text, written) {
            0 => self.file.to_owned(),
            line => format!("{} line {line}", self.file),
        }
    }
}

/// The sentence about a key nobody knows.
pub(crate) fn unknown(schema: &Value, written: &[String], ours: &[String]) -> String {
    let (last, block) = ours.split_last().expect("a key has a name");
    let own = schema::node(schema, block).and_then(Value::as_mapping);
    let mut known: Vec<&str> = own.into_iter().flat_map(|mapping| mapping.keys().filter_map(Value::as_str)).collect();
    for name in foreign::children(block) {
        known.push(name);
    }
    let suggestion = match nearest::nearest(last, known.into_iter()) {
        Some(candidate) => format!(", did you mean '{candidate}'?"),
        None => String::new(),
    };
    format!("unknown key '{}'{suggestion}", written.join("."))
}

fn child(path: &[String], key: &str) -> Vec<String> {
    path.iter().cloned().chain([key.to_owned()]).collect()
}

fn name(written: &[String]) -> String {
    if written.is_empty() { "the file".to_owned() } else { written.join(".") }
}
