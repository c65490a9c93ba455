//! The functions templates know, by the names and argument orders of Loki's.

use std::ops::RangeInclusive;

use super::value::Value;
use crate::{
    regex_dialect,
    syntax::{bytes, duration, quote},
};

/// Any number of arguments from a smallest one on.
const MANY: usize = usize::MAX;
/// Bound on what one call may build, so that `repeat` cannot eat the memory.
const RESULT_BYTES_MAX: usize = 1 << 20;

type Implementation = fn(&[Value]) -> Result<Value, String>;

/// A function by its place in the table.
#[derive(Clone, Copy, Debug)]
pub(super) struct Function(usize);

impl Function {
    pub(super) fn find(name: &str) -> Option<Self> {
        TABLE.iter().position(|entry| entry.0 == name).map(Self)
    }

    pub(super) fn arity(self) -> RangeInclusive<usize> {
        TABLE[self.0].1.clone()
    }

    pub(super) fn takes_regex(self) -> bool {
        matches!(TABLE[self.0].0, "regexReplaceAll" | "regexReplaceAllLiteral" | "count")
    }

    pub(super) fn call(self, arguments: &[Value]) -> Result<Value, String> {
        (TABLE[self.0].2)(arguments)
    }
}

fn text(value: impl Into<String>) -> Result<Value, String> {
    Ok(Value::Text(value.into()))
}

fn int(value: i64) -> Result<Value, String> {
    Ok(Value::Int(value))
}

fn float(value: f64) -> Result<Value, String> {
    Ok(Value::Float(value))
}

fn truth(value: bool) -> Result<Value, String> {
    Ok(Value::Bool(value))
}

fn set(value: &Value) -> Vec<char> {
    value.text().chars().collect()
}

const TABLE: &[(&str, RangeInclusive<usize>, Implementation)] = &[
    // The old names: the text comes first.
    ("ToLower", 1..=1, |a| text(a[0].text().to_lowercase())),
    ("ToUpper", 1..=1, |a| text(a[0].text().to_uppercase())),
    ("Replace", 4..=4, |a| text(replace_n(&a[0].text(), &a[1].text(), &a[2].text(), a[3].int()))),
    ("Trim", 2..=2, |a| text(a[0].text().trim_matches(&*set(&a[1])))),
    ("TrimLeft", 2..=2, |a| text(a[0].text().trim_start_matches(&*set(&a[1])))),
    ("TrimRight", 2..=2, |a| text(a[0].text().trim_end_matches(&*set(&a[1])))),
    ("TrimPrefix", 2..=2, |a| text(strip_prefix(&a[0].text(), &a[1].text()))),
    ("TrimSuffix", 2..=2, |a| text(strip_suffix(&a[0].text(), &a[1].text()))),
    ("TrimSpace", 1..=1, |a| text(a[0].text().trim())),
    // The text comes last.
    ("lower", 1..=1, |a| text(a[0].text().to_lowercase())),
    ("upper", 1..=1, |a| text(a[0].text().to_uppercase())),
    ("title", 1..=1, |a| text(title(&a[0].text()))),
    ("trim", 1..=1, |a| text(a[0].text().trim())),
    ("trimAll", 2..=2, |a| text(a[1].text().trim_matches(&*set(&a[0])))),
    ("trimPrefix", 2..=2, |a| text(strip_prefix(&a[1].text(), &a[0].text()))),
    ("trimSuffix", 2..=2, |a| text(strip_suffix(&a[1].text(), &a[0].text()))),
    ("replace", 3..=3, |a| text(a[2].text().replace(&*a[0].text(), &a[1].text()))),
    ("contains", 2..=2, |a| truth(a[1].text().contains(&*a[0].text()))),
    ("hasPrefix", 2..=2, |a| truth(a[1].text().starts_with(&*a[0].text()))),
    ("hasSuffix", 2..=2, |a| truth(a[1].text().ends_with(&*a[0].text()))),
    ("trunc", 2..=2, |a| text(trunc(a[0].int(), &a[1].text()))),
    ("substr", 3..=3, |a| text(substr(a[0].int(), a[1].int(), &a[2].text()))),
    ("repeat", 2..=2, |a| repeat(a[0].int(), &a[1].text())),
    ("indent", 2..=2, |a| indent(a[0].int(), &a[1].text(), "")),
    ("nindent", 2..=2, |a| indent(a[0].int(), &a[1].text(), "\n")),
    ("alignLeft", 2..=2, |a| align(a[0].int(), &a[1].text(), true)),
    ("alignRight", 2..=2, |a| align(a[0].int(), &a[1].text(), false)),
    ("default", 1..=2, |a| Ok(a.last().filter(|value| value.truth()).unwrap_or(&a[0]).clone())),
    ("regexReplaceAll", 3..=3, |a| {
        let regex = regex_dialect::compile_text(&a[0].text())?;
        text(regex.replace_all(&a[1].text(), &*a[2].text()).into_owned())
    }),
    ("regexReplaceAllLiteral", 3..=3, |a| {
        let regex = regex_dialect::compile_text(&a[0].text())?;
        text(regex.replace_all(&a[1].text(), regex::NoExpand(&a[2].text())).into_owned())
    }),
    ("count", 2..=2, |a| int(regex_dialect::compile_text(&a[0].text())?.find_iter(&a[1].text()).count() as i64)),
    // Numbers.
    ("int", 1..=1, |a| int(a[0].int())),
    ("float64", 1..=1, |a| float(a[0].float())),
    ("add", 1..=MANY, |a| int(a.iter().fold(0, |n, v| n.wrapping_add(v.int())))),
    ("sub", 2..=2, |a| int(a[0].int().wrapping_sub(a[1].int()))),
    ("mul", 1..=MANY, |a| int(a.iter().fold(1, |n, v| n.wrapping_mul(v.int())))),
    ("div", 2..=2, |a| {
        a[0].int().checked_div(a[1].int()).map(Value::Int).ok_or_else(|| "integer divide by zero".to_owned())
    }),
    ("mod", 2..=2, |a| {
        a[0].int().checked_rem(a[1].int()).map(Value::Int).ok_or_else(|| "integer divide by zero".to_owned())
    }),
    ("addf", 1..=MANY, |a| float(a.iter().map(Value::float).sum())),
    ("subf", 1..=MANY, |a| float(a[1..].iter().fold(a[0].float(), |n, v| n - v.float()))),
    ("mulf", 1..=MANY, |a| float(a.iter().map(Value::float).product())),
    ("divf", 1..=MANY, |a| float(a[1..].iter().fold(a[0].float(), |n, v| n / v.float()))),
    ("max", 1..=MANY, |a| int(a.iter().map(Value::int).fold(i64::MIN, i64::max))),
    ("min", 1..=MANY, |a| int(a.iter().map(Value::int).fold(i64::MAX, i64::min))),
    ("maxf", 1..=MANY, |a| float(a.iter().map(Value::float).fold(f64::NEG_INFINITY, f64::max))),
    ("minf", 1..=MANY, |a| float(a.iter().map(Value::float).fold(f64::INFINITY, f64::min))),
    ("ceil", 1..=1, |a| float(a[0].float().ceil())),
    ("floor", 1..=1, |a| float(a[0].float().floor())),
    ("round", 2..=3, |a| float(round(a[0].float(), a[1].int(), a.get(2).map_or(0.5, Value::float)))),
    ("bytes", 1..=1, |a| {
        let given = a[0].text();
        bytes::parse(&given).map(|n| Value::Float(n as f64)).ok_or_else(|| format!("unhandled size name: {given}"))
    }),
    ("duration", 1..=1, seconds),
    ("duration_seconds", 1..=1, seconds),
    // Comparison and logic.
    ("eq", 2..=MANY, |a| truth(a[1..].iter().any(|v| equal(&a[0], v)))),
    ("ne", 2..=2, |a| truth(!equal(&a[0], &a[1]))),
    ("lt", 2..=2, |a| truth(order(&a[0], &a[1])?.is_lt())),
    ("le", 2..=2, |a| truth(order(&a[0], &a[1])?.is_le())),
    ("gt", 2..=2, |a| truth(order(&a[0], &a[1])?.is_gt())),
    ("ge", 2..=2, |a| truth(order(&a[0], &a[1])?.is_ge())),
    ("and", 1..=MANY, |a| Ok(a.iter().find(|v| !v.truth()).unwrap_or(&a[a.len() - 1]).clone())),
    ("or", 1..=MANY, |a| Ok(a.iter().find(|v| v.truth()).unwrap_or(&a[a.len() - 1]).clone())),
    ("not", 1..=1, |a| truth(!a[0].truth())),
    ("len", 1..=1, |a| int(a[0].text().len() as i64)),
    ("print", 0..=MANY, |a| text(a.iter().map(|v| v.text()).collect::<String>())),
    ("println", 0..=MANY, |a| text(a.iter().map(|v| v.text()).collect::<Vec<_>>().join(" ") + "\n")),
    ("urlencode", 1..=1, |a| text(urlencode(&a[0].text()))),
    ("urldecode", 1..=1, |a| urldecode(&a[0].text()).map(Value::Text)),
];

fn replace_n(source: &str, from: &str, to: &str, count: i64) -> String {
    if count < 0 { source.replace(from, to) } else { source.replacen(from, to, count as usize) }
}

fn strip_prefix(source: &str, prefix: &str) -> String {
    source.strip_prefix(prefix).unwrap_or(source).to_owned()
}

fn strip_suffix(source: &str, suffix: &str) -> String {
    source.strip_suffix(suffix).unwrap_or(source).to_owned()
}

fn title(source: &str) -> String {
    let mut begins = true;
    source
        .chars()
        .flat_map(|c| {
            let first = begins;
            begins = c.is_whitespace();
            if first { c.to_uppercase().collect::<Vec<_>>() } else { vec![c] }
        })
        .collect()
}

/// The first `len` bytes, or the last ones for a negative length, cut at a character.
fn trunc(len: i64, source: &str) -> String {
    let wanted = len.unsigned_abs() as usize;
    if wanted >= source.len() {
        return source.to_owned();
    }
    if len < 0 {
        return source[source.ceil_char_boundary(source.len() - wanted)..].to_owned();
    }
    source[..source.floor_char_boundary(wanted)].to_owned()
}

fn substr(start: i64, end: i64, source: &str) -> String {
    let start = source.floor_char_boundary(start.max(0) as usize);
    let end = if end < 0 { source.len() } else { source.floor_char_boundary(end as usize) };
    source.get(start..end).unwrap_or_default().to_owned()
}

fn repeat(count: i64, source: &str) -> Result<Value, String> {
    let count = count.max(0) as usize;
    if count.saturating_mul(source.len()) > RESULT_BYTES_MAX {
        return Err(format!("repeat: result longer than {RESULT_BYTES_MAX} bytes"));
    }
    text(source.repeat(count))
}

fn indent(spaces: i64, source: &str, before: &str) -> Result<Value, String> {
    let spaces = spaces.max(0) as usize;
    if spaces.saturating_mul(source.len() + 1) > RESULT_BYTES_MAX {
        return Err(format!("indent: result longer than {RESULT_BYTES_MAX} bytes"));
    }
    let pad = " ".repeat(spaces);
    text(format!("{before}{pad}{}", source.replace('\n', &format!("\n{pad}"))))
}

fn align(width: i64, source: &str, left: bool) -> Result<Value, String> {
    let width = width.max(0) as usize;
    if width > RESULT_BYTES_MAX {
        return Err(format!("align: result longer than {RESULT_BYTES_MAX} bytes"));
    }
    let have = source.chars().count();
    if have >= width {
        let skip = if left { 0 } else { have - width };
        return text(source.chars().skip(skip).take(width).collect::<String>());
    }
    let pad = " ".repeat(width - have);
    text(if left { format!("{source}{pad}") } else { format!("{pad}{source}") })
}

fn round(value: f64, places: i64, round_on: f64) -> f64 {
    let scale = 10f64.powi(places.clamp(-300, 300) as i32);
    let digit = value * scale;
    let rounded = if digit.fract() >= round_on { digit.ceil() } else { digit.floor() };
    rounded / scale
}

fn seconds(arguments: &[Value]) -> Result<Value, String> {
    let given = arguments[0].text();
    match duration::parse_go(&given) {
        Some(nanos) => float(nanos as f64 / 1e9),
        None => Err(format!("time: invalid duration {}", quote(&given))),
    }
}

fn equal(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Text(a), Value::Text(b)) => a == b,
        (Value::Bool(a), Value::Bool(b)) => a == b,
        (Value::Text(_) | Value::Bool(_), _) | (_, Value::Text(_) | Value::Bool(_)) => false,
        (a, b) => a.float() == b.float(),
    }
}

fn order(a: &Value, b: &Value) -> Result<std::cmp::Ordering, String> {
    match (a, b) {
        (Value::Text(a), Value::Text(b)) => Ok(a.cmp(b)),
        (Value::Int(a), Value::Int(b)) => Ok(a.cmp(b)),
        (Value::Int(_) | Value::Float(_), Value::Int(_) | Value::Float(_)) => {
            a.float().partial_cmp(&b.float()).ok_or_else(|| "comparison with NaN".to_owned())
        }
        _ => Err("incompatible types for comparison".to_owned()),
    }
}

fn urlencode(source: &str) -> String {
    let mut out = String::with_capacity(source.len());
    for b in source.bytes() {
        match b {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => out.push(char::from(b)),
            b' ' => out.push('+'),
            b => out.push_str(&format!("%{b:02X}")),
        }
    }
    out
}

fn urldecode(source: &str) -> Result<String, String> {
    let mut out = Vec::with_capacity(source.len());
    let bytes = source.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'%' => {
                let hex = bytes.get(at + 1..at + 3).and_then(|h| std::str::from_utf8(h).ok());
                let byte = hex.and_then(|h| u8::from_str_radix(h, 16).ok());
                out.push(byte.ok_or_else(|| format!("invalid URL escape {}", quote(&source[at..])))?);
                at += 3;
            }
            b'+' => {
                out.push(b' ');
                at += 1;
            }
            b => {
                out.push(b);
                at += 1;
            }
        }
    }
    Ok(String::from_utf8_lossy(&out).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results() {
        let t = |s: &str| Value::Text(s.to_owned());
        let cases: Vec<(&str, Vec<Value>, Result<Value, &str>)> = vec![
            ("Replace", vec![t("aaa"), t("a"), t("b"), Value::Int(2)], Ok(t("bba"))),
            ("replace", vec![t("a"), t("b"), t("aa")], Ok(t("bb"))),
            ("trunc", vec![Value::Int(-2), t("abcd")], Ok(t("cd"))),
            ("substr", vec![Value::Int(1), Value::Int(3), t("abcd")], Ok(t("bc"))),
            ("alignRight", vec![Value::Int(3), t("x")], Ok(t("  x"))),
            ("alignLeft", vec![Value::Int(2), t("xyz")], Ok(t("xy"))),
            ("default", vec![t("-"), t("")], Ok(t("-"))),
            ("add", vec![t("1"), Value::Int(2)], Ok(Value::Int(3))),
            ("div", vec![Value::Int(1), Value::Int(0)], Err("integer divide by zero")),
            ("divf", vec![t("1"), Value::Int(4)], Ok(Value::Float(0.25))),
            ("round", vec![t("2.345"), Value::Int(2)], Ok(Value::Float(2.35))),
            ("duration", vec![t("1m30s")], Ok(Value::Float(90.0))),
            ("bytes", vec![t("1KB")], Ok(Value::Float(1000.0))),
            ("regexReplaceAll", vec![t("(a+)b"), t("aab"), t("${1}c")], Ok(t("aac"))),
            ("count", vec![t("a"), t("banana")], Ok(Value::Int(3))),
            ("title", vec![t("ab cd")], Ok(t("Ab Cd"))),
            ("urldecode", vec![t("a%20b+c")], Ok(t("a b c"))),
            ("lt", vec![Value::Int(1), Value::Float(1.5)], Ok(Value::Bool(true))),
            ("substr", vec![Value::Int(9), Value::Int(3), t("abcd")], Ok(t(""))),
        ];
        for (name, arguments, expect) in cases {
            let got = Function::find(name).unwrap().call(&arguments);
            assert_eq!(got, expect.map_err(str::to_owned), "{name} {arguments:?}");
        }
    }
}
