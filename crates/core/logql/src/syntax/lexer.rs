//! From query text to tokens.
//!
//! The rules are those of Go's `text/scanner` with LogQL's additions, because error positions and
//! the few oddities (`//` starts a comment) are visible to users. A token that was recognised by
//! reading ahead (two-character operators, durations, ranges) reports line 0, as clients know it.
//! The first thing that is no token becomes a [`Kind::Error`] token and ends the list: the parser
//! reports it only if it gets that far.

use super::{
    bytes, duration, literal,
    token::{Kind, function},
};

/// A word, literal or operator of a query.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Token {
    pub(crate) kind: Kind,
    pub(crate) value: Value,
    pub(crate) line: u32,
    /// In characters, from 1.
    pub(crate) col: u32,
}

/// What a token carries beside its kind.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    None,
    /// Identifier, string without quotes, flag, function in lower case, or error message.
    Text(String),
    Number(f64),
    /// Nanoseconds of a duration or range.
    Nanos(i64),
    Bytes(u64),
}

/// Splits `query`; the last token is [`Kind::End`] or [`Kind::Error`].
pub(crate) fn tokens(query: &str) -> Vec<Token> {
    let mut lexer = Lexer { text: query, at: 0, line: 1, col: 1 };
    let mut out = Vec::new();
    loop {
        let token = lexer.next();
        let last = matches!(token.kind, Kind::End | Kind::Error);
        out.push(token);
        if last {
            return out;
        }
    }
}

struct Lexer<'a> {
    text: &'a str,
    at: usize,
    line: u32,
    col: u32,
}

impl Lexer<'_> {
    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn bump(&mut self) {
        if let Some(c) = self.peek() {
            self.at += c.len_utf8();
            if c == '\n' {
                self.line += 1;
                self.col = 1;
            } else {
                self.col += 1;
            }
        }
    }

    fn skip(&mut self, bytes: usize) {
        let end = self.at + bytes;
        while self.at < end {
            self.bump();
        }
    }

    fn skip_blank_and_comments(&mut self) {
        loop {
            let rest = self.rest();
            if rest.starts_with([' ', '\t', '\n', '\r']) {
                self.bump();
            } else if rest.starts_with('#') || rest.starts_with("//") {
                self.skip(rest.find('\n').unwrap_or(rest.len()));
            } else if let Some(comment) = rest.strip_prefix("/*") {
                self.skip(comment.find("*/").map_or(rest.len(), |end| end + 4));
            } else {
                return;
            }
        }
    }

    fn next(&mut self) -> Token {
        self.skip_blank_and_comments();
        let (line, col) = (self.line, self.col);
        let (kind, value, read_ahead) = self.scan();
        Token { kind, value, line: if read_ahead { 0 } else { line }, col }
    }

    /// Kind, payload, and whether the position's line is lost by reading ahead.
    fn scan(&mut self) -> (Kind, Value, bool) {
        let Some(c) = self.peek() else { return (Kind::End, Value::None, false) };
        match c {
            '"' => self.quoted(),
            '`' => self.raw(),
            '[' => self.range(),
            '0'..='9' => self.number(),
            '.' if self.rest().as_bytes().get(1).is_some_and(u8::is_ascii_digit) => self.number(),
            c if c == '_' || c.is_alphabetic() => self.word(),
            _ => self.operator(c),
        }
    }

    fn error(&mut self, message: impl Into<String>, read_ahead: bool) -> (Kind, Value, bool) {
        (Kind::Error, Value::Text(message.into()), read_ahead)
    }

    fn quoted(&mut self) -> (Kind, Value, bool) {
        let body = &self.text[self.at + 1..];
        let mut escaped = false;
        let end = body.char_indices().find_map(|(i, c)| {
            if c == '\n' {
                return Some(Err(()));
            }
            let closes = c == '"' && !escaped;
            escaped = c == '\\' && !escaped;
            closes.then_some(Ok(i))
        });
        let Some(Ok(end)) = end else { return self.error("literal not terminated", false) };
        let Some(value) = literal::unquote(&body[..end]) else { return self.error("invalid syntax", false) };
        self.skip(end + 2);
        (Kind::String, Value::Text(value), false)
    }

    fn raw(&mut self) -> (Kind, Value, bool) {
        let body = &self.text[self.at + 1..];
        let Some(end) = body.find('`') else { return self.error("literal not terminated", false) };
        // Go drops carriage returns from raw strings.
        let value = body[..end].replace('\r', "");
        self.skip(end + 2);
        (Kind::String, Value::Text(value), false)
    }

    fn range(&mut self) -> (Kind, Value, bool) {
        let Some(end) = self.rest().find(']') else { return self.error("missing closing ']' in duration", true) };
        let parsed = duration::parse_prometheus(&self.rest()[1..end]);
        match parsed {
            Ok(nanos) => {
                self.skip(end + 1);
                (Kind::Range, Value::Nanos(nanos), true)
            }
            Err(message) => self.error(message, true),
        }
    }

    fn number(&mut self) -> (Kind, Value, bool) {
        let rest = self.rest();
        let plain = number_len(rest);
        let units = |chars: &str| rest[plain..].find(|c: char| !chars.contains(c)).map_or(rest.len(), |n| plain + n);
        let duration_end = units("0123456789.nuµμmshdwy");
        let bytes_end = units("0123456789.bBkKmMgGtTpPiI");
        if duration_end > plain
            && let Some(nanos) = duration::parse_literal(&rest[..duration_end])
        {
            self.skip(duration_end);
            return (Kind::Duration, Value::Nanos(nanos), true);
        }
        if bytes_end > plain
            && let Some(size) = bytes::parse(&rest[..bytes_end])
        {
            self.skip(bytes_end);
            return (Kind::Bytes, Value::Bytes(size), true);
        }
        match rest[..plain].parse::<f64>() {
            // The canonical text could not say it.
            Ok(number) if number.is_infinite() => self.error("number out of range", false),
            Ok(number) => {
                self.skip(plain);
                (Kind::Number, Value::Number(number), false)
            }
            Err(_) => self.error("invalid number", false),
        }
    }

    fn word(&mut self) -> (Kind, Value, bool) {
        let rest = self.rest();
        let end = rest.find(|c: char| c != '_' && !c.is_alphanumeric()).unwrap_or(rest.len());
        let word = rest[..end].to_owned();
        self.skip(end);
        let lower = word.to_lowercase();
        if let Some(kind) = Kind::keyword(&lower) {
            return (kind, Value::Text(word), false);
        }
        if function(&lower).is_some() && self.arguments_follow() {
            return (Kind::Function, Value::Text(lower), false);
        }
        (Kind::Identifier, Value::Text(word), false)
    }

    /// `(`, `by (` or `without (` comes next: the word before it is a function.
    fn arguments_follow(&self) -> bool {
        let rest = self.rest().trim_start();
        let grouped = ["by", "without"].iter().any(|word| {
            let cut = rest.get(..word.len()).filter(|start| start.eq_ignore_ascii_case(word));
            cut.is_some() && rest[word.len()..].trim_start().starts_with('(')
        });
        grouped || rest.starts_with('(')
    }

    fn operator(&mut self, c: char) -> (Kind, Value, bool) {
        const DOUBLE: &[(&str, Kind)] = &[
            ("=~", Kind::Re),
            ("==", Kind::CmpEq),
            ("!=", Kind::NotEq),
            ("!~", Kind::NotRe),
            ("!>", Kind::NotPattern),
            ("|=", Kind::PipeExact),
            ("|~", Kind::PipeMatch),
            ("|>", Kind::PipePattern),
            (">=", Kind::Gte),
            ("<=", Kind::Lte),
        ];
        if let Some((_, kind)) = DOUBLE.iter().find(|(text, _)| self.rest().starts_with(text)) {
            self.skip(2);
            return (*kind, Value::None, true);
        }
        if let Some(flag) = self.rest().strip_prefix("--") {
            let end = flag.find(|c: char| c != '-' && !c.is_ascii_alphanumeric()).unwrap_or(flag.len());
            let name = format!("--{}", &flag[..end]);
            if name == "--strict" || name == "--keep-empty" {
                self.skip(end + 2);
                return (Kind::Flag, Value::Text(name), true);
            }
        }
        let kind = match c {
            '{' => Kind::OpenBrace,
            '}' => Kind::CloseBrace,
            ']' => Kind::CloseBracket,
            '(' => Kind::OpenParen,
            ')' => Kind::CloseParen,
            ',' => Kind::Comma,
            '.' => Kind::Dot,
            '=' => Kind::Eq,
            '|' => Kind::Pipe,
            '<' => Kind::Lt,
            '>' => Kind::Gt,
            '+' => Kind::Add,
            '-' => Kind::Sub,
            '*' => Kind::Mul,
            '/' => Kind::Div,
            '%' => Kind::Mod,
            '^' => Kind::Pow,
            c => return self.error(format!("syntax error: unexpected character {c:?}"), false),
        };
        self.bump();
        (kind, Value::None, false)
    }
}

/// How many bytes a plain decimal number at the start of `text` has.
fn number_len(text: &str) -> usize {
    let bytes = text.as_bytes();
    let digits = |from: usize| from + bytes[from..].iter().take_while(|b| b.is_ascii_digit()).count();
    let mut end = digits(0);
    if bytes.get(end) == Some(&b'.') {
        end = digits(end + 1);
    }
    if matches!(bytes.get(end), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
        let exponent = digits((end + 1 + sign).min(bytes.len()));
        if exponent > end + 1 + sign {
            end = exponent;
        }
    }
    end
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(query: &str) -> Vec<&'static str> {
        tokens(query).iter().map(|t| t.kind.name()).collect()
    }

    #[test]
    fn words_and_operators() {
        let cases: &[(&str, &[&str])] = &[
            (r#"{sum="x"}"#, &["{", "IDENTIFIER", "=", "STRING", "}", "$end"]),
            ("SUM by (a)", &["FUNCTION", "by", "(", "IDENTIFIER", ")", "$end"]),
            ("sum without(a)", &["FUNCTION", "without", "(", "IDENTIFIER", ")", "$end"]),
            ("Rate (", &["FUNCTION", "(", "$end"]),
            ("JSON json", &["json", "json", "$end"]),
            ("# all\n// of\n/* this */ 5", &["NUMBER", "$end"]),
            (
                "5m 5 5KB 5.5 .5 1e3 1.5h 5B",
                &["DURATION", "NUMBER", "BYTES", "NUMBER", "NUMBER", "NUMBER", "DURATION", "BYTES", "$end"],
            ),
            ("[1h30m]", &["RANGE", "$end"]),
            ("--strict --other", &["FUNCTION_FLAG", "-", "-", "IDENTIFIER", "$end"]),
            ("|= |~ |> != !~ !> == >= <=", &["|=", "|~", "|>", "!=", "!~", "!>", "==", ">=", "<=", "$end"]),
            ("`a\\w`", &["STRING", "$end"]),
            ("'a'", &["error"]),
            ("\"a", &["error"]),
            ("[5m", &["error"]),
            ("[1.5h]", &["error"]),
        ];
        for (query, expect) in cases {
            assert_eq!(kinds(query), *expect, "{query}");
        }
    }

    #[test]
    fn columns_count_characters() {
        let tokens = tokens("é {\n  b");
        assert_eq!(tokens.iter().map(|t| (t.line, t.col)).collect::<Vec<_>>(), [(1, 1), (1, 3), (2, 3), (2, 4)]);
    }
}
