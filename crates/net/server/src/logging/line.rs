//! One log line being written: fields in order, in logfmt or JSON.

use std::fmt::{self, Write};

use skald_config::LogFormat;
use tracing::field::{Field, Visit};

/// A line, or the fields of a span that lines inside it repeat.
pub(super) struct Line {
    format: LogFormat,
    text: String,
}

impl Line {
    pub(super) fn new(format: LogFormat) -> Self {
        Self { format, text: String::new() }
    }

    /// Adds `key` with a text value.
    pub(super) fn text(&mut self, key: &str, value: &str) {
        self.key(key);
        match self.format {
            LogFormat::Logfmt => push_logfmt(&mut self.text, value),
            LogFormat::Json => push_json(&mut self.text, value),
        }
    }

    /// Adds `key` with a value that needs no quotes in either format.
    fn bare(&mut self, key: &str, value: impl fmt::Display) {
        self.key(key);
        write!(self.text, "{value}").expect("writing to a string does not fail");
    }

    /// Adds fields that were written before, with the same format.
    pub(super) fn append(&mut self, fields: &Self) {
        if !fields.text.is_empty() {
            self.separator();
            self.text.push_str(&fields.text);
        }
    }

    /// The finished line with its newline.
    pub(super) fn finish(self) -> String {
        match self.format {
            LogFormat::Logfmt => self.text + "\n",
            LogFormat::Json => format!("{{{}}}\n", self.text),
        }
    }

    fn separator(&mut self) {
        if !self.text.is_empty() {
            self.text.push(if self.format == LogFormat::Json { ',' } else { ' ' });
        }
    }

    fn key(&mut self, key: &str) {
        self.separator();
        match self.format {
            LogFormat::Logfmt => {
                self.text.push_str(key);
                self.text.push('=');
            }
            LogFormat::Json => {
                push_json(&mut self.text, key);
                self.text.push(':');
            }
        }
    }
}

/// Loki's logs call the message `msg`, and dashboards look for it there.
fn name(field: &Field) -> &str {
    if field.name() == "message" { "msg" } else { field.name() }
}

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.text(name(field), &format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.text(name(field), value);
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        self.text(name(field), &value.to_string());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.bare(name(field), value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.bare(name(field), value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.bare(name(field), value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        // JSON knows no infinities.
        if value.is_finite() { self.bare(name(field), value) } else { self.text(name(field), &value.to_string()) }
    }
}

fn push_logfmt(out: &mut String, value: &str) {
    let plain = !value.is_empty() && value.chars().all(|c| c > ' ' && !matches!(c, '"' | '=' | '\\' | '\u{7f}'));
    if plain { out.push_str(value) } else { push_json(out, value) }
}

/// `value` in JSON's quotes, which logfmt shares.
fn push_json(out: &mut String, value: &str) {
    out.push_str(&serde_json::to_string(value).expect("a text is valid JSON"));
}

#[cfg(test)]
mod tests {
    use super::{Line, LogFormat};

    #[test]
    fn quoting() {
        let cases = [
            ("plain", "k=plain\n", "{\"k\":\"plain\"}\n"),
            ("two words", "k=\"two words\"\n", "{\"k\":\"two words\"}\n"),
            ("", "k=\"\"\n", "{\"k\":\"\"}\n"),
            ("a=b", "k=\"a=b\"\n", "{\"k\":\"a=b\"}\n"),
            ("say \"hi\"\n", "k=\"say \\\"hi\\\"\\n\"\n", "{\"k\":\"say \\\"hi\\\"\\n\"}\n"),
            ("grüße", "k=grüße\n", "{\"k\":\"grüße\"}\n"),
        ];
        for (value, logfmt, json) in cases {
            for (format, expect) in [(LogFormat::Logfmt, logfmt), (LogFormat::Json, json)] {
                let mut line = Line::new(format);
                line.text("k", value);
                assert_eq!(line.finish(), expect);
            }
        }
    }
}
