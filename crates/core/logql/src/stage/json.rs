//! `| json`: the fields of a JSON object as labels, nested ones joined by `_`; arrays are skipped.
//!
//! A scanner of its own over bytes: it never builds a tree, skips what nobody wants without looking
//! inside and stops when all wanted labels are found. Error details are those of the parser Loki uses.

use memchr::memchr2;

use super::{Needed, RowContext, sink::Sink};
use crate::{
    row::{NameId, Names},
    syntax::ast::Extraction,
};

/// How deep objects may nest before the line counts as malformed.
const DEPTH_MAX: usize = 128;

pub(super) const ERROR_VALUE: &str = "JSONParserErr";

const MALFORMED: &str = "Malformed JSON error";
const BAD_STRING: &str = "Value is string, but can't find closing '\"' symbol";
const BAD_ARRAY: &str = "Value is array, but can't find closing ']' symbol";
const BAD_OBJECT: &str = "Value looks like object, but can't find closing '}' symbol";
const BAD_VALUE: &str = "Value looks like Number/Boolean/None, but can't find its end: ',' or '}' symbol";
const UNKNOWN_VALUE: &str = "Unknown value type";
const BAD_ESCAPE: &str = "Encountered an invalid escape sequence in a string";

/// `| json` for all fields.
#[derive(Clone, Debug)]
pub(crate) struct Json {
    needed: Needed,
    path: Vec<u8>,
}

impl Json {
    pub(super) fn new(needed: Needed) -> Self {
        Self { needed, path: Vec::new() }
    }

    pub(super) fn run(&mut self, row: &mut RowContext<'_>) {
        let line = row.line.get(row.original);
        let mut sink = Sink::new(row.labels, row.names, row.view, &self.needed);
        if sink.done() {
            return;
        }
        self.path.clear();
        let mut scanner = Scanner { bytes: line, at: 0 };
        if let Err(details) = object_fields(&mut scanner, &mut self.path, &mut sink, 0) {
            row.labels.set_error(ERROR_VALUE, || details.to_owned());
        }
    }
}

/// Reads an object's fields as labels whose names begin with `path`.
fn object_fields(
    scanner: &mut Scanner<'_>,
    path: &mut Vec<u8>,
    sink: &mut Sink<'_>,
    depth: usize,
) -> Result<(), &'static str> {
    if depth > DEPTH_MAX || !scanner.accept(b'{') {
        return Err(BAD_OBJECT);
    }
    if scanner.accept(b'}') {
        return Ok(());
    }
    loop {
        let key = scanner.string()?;
        if !scanner.accept(b':') {
            return Err(MALFORMED);
        }
        let outer = path.len();
        let blank = !push_key(path, key)?;
        field(scanner, path, sink, depth, blank)?;
        path.truncate(outer);
        if sink.done() {
            return Ok(());
        }
        if scanner.accept(b'}') {
            return Ok(());
        }
        if !scanner.accept(b',') {
            return Err(MALFORMED);
        }
    }
}

/// Appends a key to the path; false when the key is blank.
fn push_key(path: &mut Vec<u8>, key: &[u8]) -> Result<bool, &'static str> {
    if !path.is_empty() {
        path.push(b'_');
    }
    let start = path.len();
    if key.contains(&b'\\') {
        let mut unescaped = Vec::with_capacity(key.len());
        unescape(key, &mut unescaped)?;
        path.extend_from_slice(unescaped.trim_ascii());
    } else {
        path.extend_from_slice(key.trim_ascii());
    }
    Ok(path.len() > start)
}

fn field(
    scanner: &mut Scanner<'_>,
    path: &mut Vec<u8>,
    sink: &mut Sink<'_>,
    depth: usize,
    blank: bool,
) -> Result<(), &'static str> {
    match scanner.peek() {
        Some(b'{') if !blank => object_fields(scanner, path, sink, depth + 1),
        Some(b'"') if !blank => {
            let text = scanner.string()?;
            if let Some(name) = sink.accept(path) {
                let mut result = Ok(());
                sink.add(name, |arena| result = unescape(text, arena));
                result?;
            }
            Ok(())
        }
        Some(b'{' | b'[' | b'"') => scanner.skip_value(),
        _ => {
            let text = scanner.bare()?;
            if text != b"null"
                && !blank
                && let Some(name) = sink.accept(path)
            {
                sink.add(name, |arena| arena.extend_from_slice(text));
            }
            Ok(())
        }
    }
}

/// `| json a="p.q[0]", …`
#[derive(Clone, Debug)]
pub(crate) struct Expressions {
    wanted: Vec<(NameId, Vec<Step>)>,
}

/// One step into a value.
#[derive(Clone, Debug, PartialEq)]
enum Step {
    Field(String),
    Index(usize),
}

impl Expressions {
    pub(super) fn compile(extractions: &[Extraction], names: &mut Names) -> Result<Self, String> {
        let compile = |e: &Extraction| {
            let steps =
                parse_path(&e.source).ok_or_else(|| format!("cannot parse expression [{}]: syntax error", e.source))?;
            Ok((names.id(&e.label), steps))
        };
        Ok(Self { wanted: extractions.iter().map(compile).collect::<Result<_, String>>()? })
    }

    pub(super) fn run(&mut self, row: &mut RowContext<'_>) {
        let line = row.line.get(row.original);
        if !matches!(line.first(), Some(b'{' | b'[' | b'"')) {
            row.labels.set_error(ERROR_VALUE, || MALFORMED.to_owned());
            return;
        }
        for (name, steps) in &self.wanted {
            row.scratch.clear();
            // A path that leads nowhere leaves the label empty.
            if let Some(value) = lookup(line, steps) {
                let _ = write_value(value, row.scratch);
            }
            let name = row.labels.parsed_name(row.view, row.names, *name);
            row.labels.set_parsed(name, row.scratch);
        }
    }
}

/// The text of a value: strings unescaped, `null` empty, everything else as it is.
fn write_value(value: &[u8], out: &mut Vec<u8>) -> Result<(), &'static str> {
    match value {
        b"null" => Ok(()),
        [b'"', body @ .., b'"'] => unescape(body, out),
        raw => {
            out.extend_from_slice(raw);
            Ok(())
        }
    }
}

/// The raw text of the value `steps` lead to.
fn lookup<'a>(line: &'a [u8], steps: &[Step]) -> Option<&'a [u8]> {
    let mut scanner = Scanner { bytes: line, at: 0 };
    for step in steps {
        match step {
            Step::Field(wanted) => {
                if !scanner.accept(b'{') || scanner.accept(b'}') {
                    return None;
                }
                loop {
                    let key = scanner.string().ok()?;
                    if !scanner.accept(b':') {
                        return None;
                    }
                    let found = if key.contains(&b'\\') {
                        let mut unescaped = Vec::new();
                        unescape(key, &mut unescaped).is_ok() && unescaped == wanted.as_bytes()
                    } else {
                        key == wanted.as_bytes()
                    };
                    if found {
                        break;
                    }
                    scanner.skip_value().ok()?;
                    if !scanner.accept(b',') {
                        return None;
                    }
                }
            }
            Step::Index(wanted) => {
                if !scanner.accept(b'[') || scanner.accept(b']') {
                    return None;
                }
                for _ in 0..*wanted {
                    scanner.skip_value().ok()?;
                    if !scanner.accept(b',') {
                        return None;
                    }
                }
            }
        }
    }
    scanner.skip_blank();
    let start = scanner.at;
    scanner.skip_value().ok()?;
    Some(&line[start..scanner.at])
}

/// `a.b["c d"][0]`
fn parse_path(text: &str) -> Option<Vec<Step>> {
    let mut steps = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        if let Some(inner) = rest.strip_prefix('[') {
            let end = inner.find(']')?;
            let body = &inner[..end];
            let quoted = body.strip_prefix('"').and_then(|b| b.strip_suffix('"'));
            steps.push(match quoted {
                Some(name) => Step::Field(name.to_owned()),
                None => Step::Index(body.parse().ok()?),
            });
            rest = &inner[end + 1..];
        } else {
            let field = if steps.is_empty() { rest } else { rest.strip_prefix('.')? };
            let end = field.find(['.', '[']).unwrap_or(field.len());
            let name = &field[..end];
            let valid = name.starts_with(|c: char| c == '_' || c.is_alphabetic())
                && name.chars().all(|c| c == '_' || c == '-' || c.is_alphanumeric());
            if !valid {
                return None;
            }
            steps.push(Step::Field(name.to_owned()));
            rest = &field[end..];
        }
    }
    (!steps.is_empty()).then_some(steps)
}

/// A position in a JSON text.
pub(super) struct Scanner<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) at: usize,
}

impl<'a> Scanner<'a> {
    pub(super) fn skip_blank(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.bytes.get(self.at) {
            self.at += 1;
        }
    }

    /// The next byte that is no blank.
    pub(super) fn peek(&mut self) -> Option<u8> {
        self.skip_blank();
        self.bytes.get(self.at).copied()
    }

    pub(super) fn accept(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    /// A string's text between its quotes, escapes as they are.
    pub(super) fn string(&mut self) -> Result<&'a [u8], &'static str> {
        if !self.accept(b'"') {
            return Err(MALFORMED);
        }
        let start = self.at;
        loop {
            let found = memchr2(b'"', b'\\', &self.bytes[self.at..]).ok_or(BAD_STRING)?;
            self.at += found;
            if self.bytes[self.at] == b'"' {
                self.at += 1;
                return Ok(&self.bytes[start..self.at - 1]);
            }
            self.at += 2;
            if self.at > self.bytes.len() {
                return Err(BAD_STRING);
            }
        }
    }

    /// A number, `true`, `false` or `null`.
    pub(super) fn bare(&mut self) -> Result<&'a [u8], &'static str> {
        self.skip_blank();
        let rest = &self.bytes[self.at..];
        let end = rest
            .iter()
            .position(|b| matches!(b, b',' | b'}' | b']' | b' ' | b'\t' | b'\n' | b'\r'))
            .ok_or(BAD_VALUE)?;
        let text = &rest[..end];
        let known = matches!(text, b"true" | b"false" | b"null") || matches!(text.first(), Some(b'-' | b'0'..=b'9'));
        self.at += end;
        if known { Ok(text) } else { Err(UNKNOWN_VALUE) }
    }

    /// Moves behind a value of any kind without looking closely at what is inside.
    pub(super) fn skip_value(&mut self) -> Result<(), &'static str> {
        match self.peek() {
            Some(b'"') => self.string().map(|_| ()),
            Some(open @ (b'{' | b'[')) => {
                let cut = if open == b'{' { BAD_OBJECT } else { BAD_ARRAY };
                let mut depth = 0usize;
                loop {
                    match self.bytes.get(self.at) {
                        None => return Err(cut),
                        Some(b'"') => {
                            self.string()?;
                            continue;
                        }
                        Some(b'{' | b'[') => depth += 1,
                        Some(b'}' | b']') => depth -= 1,
                        Some(_) => {}
                    }
                    self.at += 1;
                    if depth == 0 {
                        return Ok(());
                    }
                }
            }
            _ => {
                // At the end of an expression's value nothing need follow.
                let rest = &self.bytes[self.at..];
                let end = rest.iter().position(|b| matches!(b, b',' | b'}' | b']' | b' ' | b'\t' | b'\n' | b'\r'));
                let end = end.unwrap_or(rest.len());
                if end == 0 {
                    return Err(MALFORMED);
                }
                self.at += end;
                Ok(())
            }
        }
    }
}

/// Appends a string's text with its escapes resolved.
pub(super) fn unescape(text: &[u8], out: &mut Vec<u8>) -> Result<(), &'static str> {
    let mut rest = text;
    while let Some(at) = memchr::memchr(b'\\', rest) {
        out.extend_from_slice(&rest[..at]);
        let escape = *rest.get(at + 1).ok_or(BAD_ESCAPE)?;
        rest = &rest[at + 2..];
        let byte = match escape {
            b'"' | b'\\' | b'/' => escape,
            b'b' => 8,
            b'f' => 12,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'u' => {
                let (c, used) = unicode_escape(rest).ok_or(BAD_ESCAPE)?;
                out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                rest = &rest[used..];
                continue;
            }
            _ => return Err(BAD_ESCAPE),
        };
        out.push(byte);
    }
    out.extend_from_slice(rest);
    Ok(())
}

/// The character whose `\u` has just been read, and how many bytes it took.
fn unicode_escape(text: &[u8]) -> Option<(char, usize)> {
    let hex = |text: &[u8]| u32::from_str_radix(std::str::from_utf8(text.get(..4)?).ok()?, 16).ok();
    let high = hex(text)?;
    if let Some(c) = char::from_u32(high) {
        return Some((c, 4));
    }
    let low = text[4..].strip_prefix(b"\\u").and_then(hex).filter(|low| (0xdc00..0xe000).contains(low));
    match low {
        Some(low) if high < 0xdc00 => Some((char::from_u32(0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00))?, 10)),
        // Half a pair: what Go makes of it, then a blank as for any broken text.
        _ => Some((' ', 4)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths() {
        let line = br#"{"a":{"b":[10,{"c":"x\ny"}],"d e":null},"f":1.50}"#;
        let cases = [
            ("f", Some("1.50")),
            ("a.b[0]", Some("10")),
            ("a.b[1].c", Some("x\ny")),
            ("a.b[1]", Some(r#"{"c":"x\ny"}"#)),
            (r#"a["d e"]"#, Some("")),
            ("a.x", None),
            ("a.b[7]", None),
            ("f.g", None),
        ];
        for (path, expect) in cases {
            let mut out = Vec::new();
            let found = lookup(line, &parse_path(path).unwrap()).map(|value| write_value(value, &mut out).unwrap());
            assert_eq!(found.map(|()| String::from_utf8(out).unwrap()).as_deref(), expect, "{path}");
        }
        for path in ["", "a..b", "[x]", "a[", "1a", "a b"] {
            assert_eq!(parse_path(path), None, "{path}");
        }
    }

    #[test]
    fn escapes() {
        let cases: [(&str, Result<&str, &str>); 5] = [
            (r#"a\"\\\/\n"#, Ok("a\"\\/\n")),
            (r"\u00e9\ud83d\ude00", Ok("é😀")),
            (r"\ud83d!", Ok(" !")),
            (r"\x", Err(BAD_ESCAPE)),
            (r"\u12", Err(BAD_ESCAPE)),
        ];
        for (text, expect) in cases {
            let mut out = Vec::new();
            let result = unescape(text.as_bytes(), &mut out).map(|()| String::from_utf8(out).unwrap());
            assert_eq!(result.as_deref().map_err(|e| *e), expect, "{text}");
        }
    }
}
