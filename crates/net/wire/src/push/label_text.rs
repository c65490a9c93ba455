//! Label sets in Prometheus notation: `{app="x", ns="y"}`.

use std::borrow::Cow;

use super::Pair;

/// Where and why a text is no label set. The form is that of Prometheus's parser.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("1:{column}: parse error: {what}")]
pub struct LabelTextError {
    /// The byte at which parsing stopped, counted from 1.
    pub column: usize,
    /// What was found there.
    pub what: String,
}

/// The pairs of `text` in their order. Values are borrowed unless they hold escapes. A trailing comma
/// is allowed, comments are not.
///
/// # Errors
/// At the first byte that does not fit.
pub fn parse_label_text(text: &str) -> Result<Vec<Pair<'_>>, LabelTextError> {
    let mut p = Parser { text, at: 0 };
    let mut pairs = Vec::new();
    p.blanks();
    p.expect(b'{')?;
    loop {
        p.blanks();
        if p.peek() == Some(b'}') {
            p.at += 1;
            break;
        }
        let name = p.name()?;
        p.blanks();
        p.expect(b'=')?;
        p.blanks();
        let value = p.quoted()?;
        pairs.push((name, value));
        p.blanks();
        match p.peek() {
            Some(b',') => p.at += 1,
            Some(b'}') => {}
            _ => return Err(p.unexpected("\",\" or \"}\"")),
        }
    }
    p.blanks();
    if p.at < text.len() {
        return Err(p.unexpected("end of input"));
    }
    Ok(pairs)
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Parser<'a> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn blanks(&mut self) {
        while self.peek().is_some_and(|b| b.is_ascii_whitespace()) {
            self.at += 1;
        }
    }

    fn unexpected(&self, expected: &str) -> LabelTextError {
        let found = match self.text[self.at..].chars().next() {
            Some(c) => format!("unexpected {c:?}, expected {expected}"),
            None => format!("unexpected end of input, expected {expected}"),
        };
        LabelTextError { column: self.at + 1, what: found }
    }

    fn expect(&mut self, byte: u8) -> Result<(), LabelTextError> {
        if self.peek() != Some(byte) {
            return Err(self.unexpected(&format!("{:?}", (byte as char).to_string())));
        }
        self.at += 1;
        Ok(())
    }

    fn name(&mut self) -> Result<Cow<'a, str>, LabelTextError> {
        if matches!(self.peek(), Some(b'"' | b'`')) {
            return self.quoted();
        }
        let start = self.at;
        let name_byte = |b: u8, first: bool| b.is_ascii_alphabetic() || b == b'_' || (!first && b.is_ascii_digit());
        while self.peek().is_some_and(|b| name_byte(b, self.at == start)) {
            self.at += 1;
        }
        if self.at == start {
            return Err(self.unexpected("label name or \"}\""));
        }
        Ok(Cow::Borrowed(&self.text[start..self.at]))
    }

    /// A string in `"…"` with Go's escapes, or raw in backquotes.
    fn quoted(&mut self) -> Result<Cow<'a, str>, LabelTextError> {
        let quote = match self.peek() {
            Some(quote @ (b'"' | b'`' | b'\'')) => quote,
            _ => return Err(self.unexpected("string")),
        };
        let open = self.at;
        let rest = &self.text.as_bytes()[open + 1..];
        let unterminated = || LabelTextError { column: open + 1, what: "unterminated quoted string".into() };
        if quote == b'`' {
            let len = memchr_in(rest, b'`').ok_or_else(unterminated)?;
            self.at = open + len + 2;
            return Ok(Cow::Borrowed(&self.text[open + 1..open + 1 + len]));
        }
        let mut len = 0;
        let mut escaped = false;
        loop {
            match rest.get(len) {
                None | Some(b'\n') => return Err(unterminated()),
                Some(b'\\') => {
                    escaped = true;
                    len += 2;
                }
                Some(&b) if b == quote => break,
                Some(_) => len += 1,
            }
        }
        self.at = open + len + 2;
        let raw = &self.text[open + 1..open + 1 + len];
        if !escaped {
            return Ok(Cow::Borrowed(raw));
        }
        unescape(raw)
            .map(Cow::Owned)
            .ok_or_else(|| LabelTextError { column: open + 1, what: "invalid syntax in quoted string".into() })
    }
}

fn memchr_in(bytes: &[u8], byte: u8) -> Option<usize> {
    bytes.iter().position(|&b| b == byte)
}

/// Go's escapes in an interpreted string; `None` for an unknown one or bytes that are not UTF-8.
fn unescape(raw: &str) -> Option<String> {
    let mut out = Vec::with_capacity(raw.len());
    let bytes = raw.as_bytes();
    let mut i = 0;
    while i < bytes.len() {
        if bytes[i] != b'\\' {
            out.push(bytes[i]);
            i += 1;
            continue;
        }
        let kind = *bytes.get(i + 1)?;
        i += 2;
        let digits = |count: usize, radix: u32| {
            let text = raw.get(i..i + count)?;
            text.bytes().all(|b| (b as char).is_digit(radix)).then(|| u32::from_str_radix(text, radix).ok())?
        };
        match kind {
            b'a' => out.push(7),
            b'b' => out.push(8),
            b'f' => out.push(12),
            b'n' => out.push(b'\n'),
            b'r' => out.push(b'\r'),
            b't' => out.push(b'\t'),
            b'v' => out.push(11),
            b'\\' | b'"' | b'\'' => out.push(kind),
            b'x' => {
                out.push(u8::try_from(digits(2, 16)?).ok()?);
                i += 2;
            }
            b'u' | b'U' => {
                let count = if kind == b'u' { 4 } else { 8 };
                let c = char::from_u32(digits(count, 16)?)?;
                out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                i += count;
            }
            b'0'..=b'7' => {
                i -= 1;
                let value = raw.get(i..i + 3).and_then(|t| u8::from_str_radix(t, 8).ok())?;
                out.push(value);
                i += 3;
            }
            _ => return None,
        }
    }
    String::from_utf8(out).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts() {
        let cases: &[(&str, &[(&str, &str)])] = &[
            ("{}", &[]),
            (r#"{a="b"}"#, &[("a", "b")]),
            (r#" { a = "b" , c = `d\n` , } "#, &[("a", "b"), ("c", "d\\n")]),
            (r#"{a="q\"\\\n\u00e9\x41\101"}"#, &[("a", "q\"\\\né\x41A")]),
            (r#"{_a1="ü"}"#, &[("_a1", "ü")]),
        ];
        for (text, expect) in cases {
            let got = parse_label_text(text).expect(text);
            let got: Vec<_> = got.iter().map(|(n, v)| (&**n, &**v)).collect();
            assert_eq!(got, *expect, "{text}");
        }
    }

    #[test]
    fn refuses() {
        for (text, column) in [
            ("", 1),
            ("{", 2),
            ("a", 1),
            (r#"{a="b""#, 7),
            (r#"{a="b"#, 4),
            (r#"{a="b"} x"#, 9),
            (r#"{1a="b"}"#, 2),
            (r#"{a b="c"}"#, 4),
            (r#"{a="\q"}"#, 4),
            (r#"{a="\u12"}"#, 4),
            (r#"{a="b" c="d"}"#, 8),
            ("{a=\"b\nc\"}", 4),
        ] {
            let error = parse_label_text(text).expect_err(text);
            assert_eq!(error.column, column, "{text}: {error}");
        }
    }
}
