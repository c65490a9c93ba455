//! Regular expressions of Go's dialect (RE2), compiled with the `regex` crate.
//!
//! The two dialects differ where it is not visible at once: `\d`, `\w`, `\s`, `\b` are ASCII in Go,
//! `[a&&b]` and `\<` mean something else, a stray `{` is literal in Go. [`translate`] rewrites a Go
//! pattern so that both mean the same, and refuses what Go refuses.

use regex::{Regex, RegexBuilder, bytes};

/// Bound on one compiled program: hostile patterns fail instead of eating memory.
const COMPILED_BYTES_MAX: usize = 10 << 20;
/// Go's bound on `{n,m}`.
const REPEAT_MAX: u32 = 1000;

/// Compiles a pattern that must match a whole text.
pub(crate) fn compile_anchored(pattern: &str, dot_matches_newline: bool) -> Result<Regex, String> {
    let translated = translate(pattern)?;
    RegexBuilder::new(&format!("^(?:{translated})$"))
        .dot_matches_new_line(dot_matches_newline)
        .size_limit(COMPILED_BYTES_MAX)
        .build()
        .map_err(|e| refused(pattern, &e))
}

/// Compiles a pattern that may match anywhere in a line. Lines may hold any bytes.
pub(crate) fn compile_bytes(pattern: &str) -> Result<bytes::Regex, String> {
    let translated = translate(pattern)?;
    bytes::RegexBuilder::new(&translated).size_limit(COMPILED_BYTES_MAX).build().map_err(|e| refused(pattern, &e))
}

/// Compiles a pattern that may match anywhere in a text.
pub(crate) fn compile_text(pattern: &str) -> Result<Regex, String> {
    let translated = translate(pattern)?;
    RegexBuilder::new(&translated).size_limit(COMPILED_BYTES_MAX).build().map_err(|e| refused(pattern, &e))
}

fn refused(pattern: &str, error: &regex::Error) -> String {
    match error {
        regex::Error::CompiledTooBig(_) => format!("error parsing regexp: expression too large: `{pattern}`"),
        error => {
            // The last line of a multi-line message holds the reason; the rest draws the pattern.
            let text = error.to_string();
            let reason = text.lines().last().unwrap_or_default();
            format!("error parsing regexp: {}: `{pattern}`", reason.trim_start_matches("error: "))
        }
    }
}

/// The same pattern in the dialect of the `regex` crate.
///
/// # Errors
/// Constructs that Go refuses.
pub(crate) fn translate(pattern: &str) -> Result<String, String> {
    let mut scanner =
        Scanner { pattern, chars: pattern.chars().collect(), at: 0, out: String::with_capacity(pattern.len() + 16) };
    scanner.run()?;
    Ok(scanner.out)
}

struct Scanner<'a> {
    pattern: &'a str,
    chars: Vec<char>,
    at: usize,
    out: String,
}

impl Scanner<'_> {
    fn error<T>(&self, reason: &str) -> Result<T, String> {
        Err(format!("error parsing regexp: {reason}: `{}`", self.pattern))
    }

    fn peek(&self, ahead: usize) -> Option<char> {
        self.chars.get(self.at + ahead).copied()
    }

    fn run(&mut self) -> Result<(), String> {
        // Whether the piece before is a repetition, which may not be repeated once more.
        let mut repeated = false;
        while let Some(c) = self.peek(0) {
            let mut repeats = false;
            match c {
                '\\' => self.escape()?,
                '[' => self.class()?,
                '(' => self.group()?,
                '*' | '+' | '?' => {
                    if repeated {
                        return self.error("invalid nested repetition operator");
                    }
                    self.repetition_end(1);
                    repeats = true;
                }
                '{' => match self.counted()? {
                    Some(len) => {
                        if repeated {
                            return self.error("invalid nested repetition operator");
                        }
                        self.repetition_end(len);
                        repeats = true;
                    }
                    None => {
                        self.out.push_str("\\{");
                        self.at += 1;
                    }
                },
                '}' => {
                    self.out.push_str("\\}");
                    self.at += 1;
                }
                // A `]` that closes nothing is literal in both dialects; blanks and `#` are plain.
                c => {
                    self.out.push(c);
                    self.at += 1;
                }
            }
            repeated = repeats;
        }
        Ok(())
    }

    /// Copies a repetition of `len` characters and the `?` that makes it lazy.
    fn repetition_end(&mut self, len: usize) {
        self.copy(len);
        if self.peek(0) == Some('?') {
            self.copy(1);
        }
    }

    fn copy(&mut self, len: usize) {
        let end = (self.at + len).min(self.chars.len());
        self.out.extend(&self.chars[self.at..end]);
        self.at = end;
    }

    /// The length of `{n}`, `{n,}`, `{n,m}` here, `None` when the brace is literal.
    fn counted(&self) -> Result<Option<usize>, String> {
        let Some(len) = self.chars[self.at..].iter().position(|c| *c == '}') else { return Ok(None) };
        let body: String = self.chars[self.at + 1..self.at + len].iter().collect();
        let (low, high) = body.split_once(',').map_or((body.as_str(), None), |(low, high)| (low, Some(high)));
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        if !digits(low) || high.is_some_and(|high| !high.is_empty() && !digits(high)) {
            return Ok(None);
        }
        let too_large = |text: &str| text.parse::<u32>().map_or(true, |n| n > REPEAT_MAX);
        if too_large(low) || high.is_some_and(|high| !high.is_empty() && too_large(high)) {
            return self.error("invalid repeat count");
        }
        Ok(Some(len + 1))
    }

    fn group(&mut self) -> Result<(), String> {
        if self.peek(1) != Some('?') {
            self.copy(1);
            return Ok(());
        }
        let named = match (self.peek(2), self.peek(3)) {
            (Some('P'), Some('<')) => Some(4),
            (Some('<'), Some(c)) if c != '=' && c != '!' => Some(3),
            _ => None,
        };
        if let Some(start) = named {
            let name: String = self.chars[self.at + start..].iter().take_while(|c| **c != '>').collect();
            let valid = !name.is_empty() && name.chars().all(|c| c == '_' || c.is_ascii_alphanumeric());
            if !valid {
                return self.error("invalid named capture");
            }
            if name.starts_with(|c: char| c.is_ascii_digit()) {
                return self.error("named capture that starts with a digit is not supported");
            }
            self.copy(start + name.chars().count() + 1);
            return Ok(());
        }
        // Flags or a plain group: `(?i)`, `(?is-m:`, `(?:`. Extended mode does not exist in Go.
        let flags: String = self.chars[self.at + 2..].iter().take_while(|c| **c != ':' && **c != ')').collect();
        if !flags.chars().all(|c| "imsU-".contains(c)) {
            return self.error("invalid or unsupported Perl syntax");
        }
        self.copy(2 + flags.chars().count() + 1);
        Ok(())
    }

    fn escape(&mut self) -> Result<(), String> {
        let Some(c) = self.peek(1) else { return self.error("trailing backslash at end of expression") };
        match c {
            'Q' => {
                let rest: String = self.chars[self.at + 2..].iter().collect();
                let (body, skip) = rest.split_once("\\E").map_or((rest.as_str(), 0), |(body, _)| (body, 2));
                self.out.push_str(&regex_syntax::escape(body));
                self.at += 2 + body.chars().count() + skip;
                return Ok(());
            }
            'b' | 'B' => self.out.push_str(if c == 'b' { "(?-u:\\b)" } else { "(?-u:\\B)" }),
            'd' | 'D' | 's' | 'S' | 'w' | 'W' => self.out.push_str(&format!("[{}]", perl_class(c))),
            'A' | 'z' | 'a' | 'f' | 't' | 'n' | 'r' | 'v' => self.out.extend(['\\', c]),
            'x' | 'p' | 'P' => {
                self.braced_escape();
                return Ok(());
            }
            '0'..='7' => return self.octal(),
            c if c.is_ascii_punctuation() => push_literal(&mut self.out, c),
            _ => return self.error(&format!("invalid escape sequence: `\\{c}`")),
        }
        self.at += 2;
        Ok(())
    }

    /// `\x{…}`, `\p{…}`: what follows in braces belongs to the escape.
    fn braced_escape(&mut self) {
        self.copy(2);
        if self.peek(0) == Some('{') {
            let len = self.chars[self.at..].iter().take_while(|c| **c != '}').count();
            self.copy(len + 1);
        }
    }

    /// `\123`: octal, at least two digits or a leading zero; `\1` alone would be a back reference.
    fn octal(&mut self) -> Result<(), String> {
        let digits: String =
            self.chars[self.at + 1..].iter().take(3).take_while(|c| ('0'..='7').contains(*c)).collect();
        if !digits.starts_with('0') && digits.len() < 2 {
            return self.error(&format!("invalid escape sequence: `\\{digits}`"));
        }
        let code = u32::from_str_radix(&digits, 8).unwrap_or_default();
        self.out.push_str(&format!("\\x{{{code:x}}}"));
        self.at += 1 + digits.len();
        Ok(())
    }

    /// A bracketed class. Everything Go takes literally inside is escaped.
    fn class(&mut self) -> Result<(), String> {
        self.copy(1);
        if self.peek(0) == Some('^') {
            self.copy(1);
        }
        let mut first = true;
        loop {
            let Some(c) = self.peek(0) else { return self.error("missing closing ]") };
            match c {
                ']' if !first => {
                    self.copy(1);
                    return Ok(());
                }
                '[' if self.peek(1) == Some(':') => {
                    let rest: String = self.chars[self.at..].iter().collect();
                    match rest.find(":]") {
                        Some(end) => self.copy(end + 2),
                        None => self.literal(),
                    }
                }
                '\\' => self.class_escape()?,
                '-' if !self.range_follows(first) => {
                    self.out.push_str("\\-");
                    self.at += 1;
                }
                '-' => {
                    self.copy(1);
                    // The end of the range, be it another dash.
                    if self.peek(0) != Some('\\') {
                        self.literal();
                    }
                }
                _ => self.literal(),
            }
            first = false;
        }
    }

    fn literal(&mut self) {
        push_literal(&mut self.out, self.chars[self.at]);
        self.at += 1;
    }

    /// True where a dash stands between two ends of a range.
    fn range_follows(&self, first: bool) -> bool {
        let before_is_class = self.at >= 2
            && self.chars[self.at - 2] == '\\'
            && "dDsSwW".contains(self.chars[self.at - 1])
            && !(self.at >= 3 && self.chars[self.at - 3] == '\\');
        let after = self.peek(1);
        let after_is_class = after == Some('\\') && self.peek(2).is_some_and(|c| "dDsSwWpP".contains(c));
        !first && !before_is_class && !after_is_class && after.is_some_and(|c| c != ']')
    }

    fn class_escape(&mut self) -> Result<(), String> {
        let Some(c) = self.peek(1) else { return self.error("missing closing ]") };
        match c {
            'd' | 's' | 'w' => self.out.push_str(perl_class(c)),
            'D' | 'S' | 'W' => self.out.push_str(&format!("[{}]", perl_class(c))),
            'a' | 'f' | 't' | 'n' | 'r' | 'v' => self.out.extend(['\\', c]),
            'x' | 'p' | 'P' => {
                self.braced_escape();
                return Ok(());
            }
            '0'..='7' => return self.octal(),
            c if c.is_ascii_punctuation() => push_literal(&mut self.out, c),
            _ => return self.error(&format!("invalid escape sequence: `\\{c}`")),
        }
        self.at += 2;
        Ok(())
    }
}

/// What a Perl class means in Go; negated classes begin with `^`.
fn perl_class(c: char) -> &'static str {
    match c {
        'd' => "0-9",
        'D' => "^0-9",
        's' => "\\t\\n\\f\\r ",
        'S' => "^\\t\\n\\f\\r ",
        'w' => "0-9A-Za-z_",
        _ => "^0-9A-Za-z_",
    }
}

/// Appends `c` so that it stands for itself inside and outside of classes.
fn push_literal(out: &mut String, c: char) {
    if c.is_ascii_punctuation() && c != '_' && c != '<' && c != '>' && c != '"' && c != '\'' && c != '`' && c != '/' {
        out.push('\\');
    }
    out.push(c);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn same_meaning_as_go() {
        let cases: &[(&str, &str, bool)] = &[
            (r"\d+", "٣", false),
            (r"\d+", "3", true),
            (r"^\w$", "é", false),
            (r"\Qa.b\E+", "a.bb", true),
            (r"\Qa.b\E", "axb", false),
            ("a{", "a{", true),
            ("a{,5}", "a{,5}", true),
            ("x{2}", "xx", true),
            (r"[\w-.]", "-", true),
            (r"[\w-.]", ".", true),
            ("^[[a]b]$", "[b]", true),
            ("^[[a]b]$", "a", false),
            ("[a&&b]", "&", true),
            ("[a--b]", "-", false),
            ("[a~~b]", "~", true),
            (r"\<", "<", true),
            (r"\bfoo\b", "a foo b", true),
            ("[^]a]", "b", true),
            ("[]a]", "]", true),
            ("[[:alpha:]]", "x", true),
            (r"\101", "A", true),
            (r"\x41[\x{42}]", "AB", true),
            (r"\pL[\p{Greek}]", "aα", true),
            (r"[^\d\s]", "1", false),
            (r"[^\D]", "1", true),
            ("(?i)AbC", "abc", true),
            ("(?P<a>x)(?<b>y)", "xy", true),
            ("{}", "{}", true),
            (r"\.\-\/", ".-/", true),
        ];
        for (pattern, text, expect) in cases {
            if *pattern == "[a--b]" {
                // A range from `a` to `-` runs backwards: refused, as in Go.
                assert!(compile_text(pattern).is_err());
                continue;
            }
            let regex = compile_text(pattern).unwrap_or_else(|e| panic!("{pattern}: {e}"));
            assert_eq!(regex.find(text).is_some(), *expect, "{pattern} on {text}");
        }
    }

    #[test]
    fn refuses_what_go_refuses() {
        for pattern in ["(", "a**", "a{1001}", r"\1", "(?=a)", "(?P<a.b>x)", r"\Z", r"\C", "[a", "a\\", "(?x)a", r"\y"]
        {
            assert!(compile_text(pattern).is_err(), "{pattern}");
        }
    }
}
