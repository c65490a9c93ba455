//! `| logfmt`: `key=value key="quoted value" bare` as labels.

use memchr::memchr2;
use smallvec::SmallVec;

use super::{Needed, RowContext, sink::Sink};
use crate::{
    row::{NameId, Names},
    syntax::ast::Extraction,
};

const ERROR_VALUE: &str = "LogfmtParserErr";

#[derive(Clone, Debug)]
pub(crate) struct Logfmt {
    strict: bool,
    keep_empty: bool,
    /// Key in the line and label; empty for all keys.
    wanted: Vec<(Box<[u8]>, NameId)>,
    needed: Needed,
}

impl Logfmt {
    pub(super) fn compile(
        strict: bool,
        keep_empty: bool,
        extractions: &[Extraction],
        names: &mut Names,
        needed: Needed,
    ) -> Self {
        let wanted = extractions.iter().map(|e| (e.source.as_bytes().into(), names.id(&e.label))).collect();
        Self { strict, keep_empty, wanted, needed }
    }

    pub(super) fn run(&mut self, row: &mut RowContext<'_>) {
        if self.wanted.is_empty() { self.run_all(row) } else { self.run_wanted(row) }
    }

    fn run_all(&mut self, row: &mut RowContext<'_>) {
        let line = row.line.get(row.original);
        let mut sink = Sink::new(row.labels, row.names, row.view, &self.needed);
        let mut pairs = Pairs { line, at: 0 };
        while !sink.done() {
            match pairs.next() {
                None => return,
                Some(Ok(pair)) => {
                    if (pair.value.is_empty() && !self.keep_empty)
                        || !std::str::from_utf8(pair.key).is_ok_and(|k| !k.is_empty())
                    {
                        continue;
                    }
                    if let Some(name) = sink.accept(pair.key) {
                        sink.add(name, |arena| pair.write(arena));
                    }
                }
                Some(Err(details)) if self.strict => {
                    row.labels.set_error(ERROR_VALUE, || details);
                    return;
                }
                Some(Err(_)) => {}
            }
        }
    }

    fn run_wanted(&mut self, row: &mut RowContext<'_>) {
        let line = row.line.get(row.original);
        let mut found: SmallVec<[bool; 16]> = SmallVec::from_elem(false, self.wanted.len());
        let mut error = None;
        for pair in (Pairs { line, at: 0 }) {
            match pair {
                Ok(pair) => {
                    for ((_, name), found) in
                        self.wanted.iter().zip(&mut found).filter(|((key, _), _)| **key == *pair.key)
                    {
                        row.scratch.clear();
                        pair.write(row.scratch);
                        let name = row.labels.parsed_name(row.view, row.names, *name);
                        row.labels.set_parsed(name, row.scratch);
                        *found = true;
                    }
                }
                Err(details) if self.strict => {
                    error = Some(details);
                    break;
                }
                Err(_) => {}
            }
        }
        // What was asked for exists, be it empty.
        for ((_, name), found) in self.wanted.iter().zip(found) {
            if !found {
                let name = row.labels.parsed_name(row.view, row.names, *name);
                if !row.labels.has_parsed(name) {
                    row.labels.set_parsed(name, b"");
                }
            }
        }
        if let Some(details) = error {
            row.labels.set_error(ERROR_VALUE, || details);
        }
    }
}

/// A key and what belongs to it.
struct Pair<'a> {
    key: &'a [u8],
    value: &'a [u8],
    /// The value was quoted and has escapes.
    escaped: bool,
}

impl Pair<'_> {
    fn write(&self, out: &mut Vec<u8>) {
        if !self.escaped {
            out.extend_from_slice(self.value);
            return;
        }
        let start = out.len();
        if super::json::unescape(self.value, out).is_err() {
            out.truncate(start);
        }
    }
}

/// The pairs of a line; an error is one bad pair, the next call goes on behind it.
struct Pairs<'a> {
    line: &'a [u8],
    at: usize,
}

impl<'a> Pairs<'a> {
    fn bad(&mut self, what: &str) -> Option<Result<Pair<'a>, String>> {
        let position = self.at + 1;
        let rest = &self.line[self.at..];
        self.at += rest.iter().position(|b| *b <= b' ').unwrap_or(rest.len());
        Some(Err(format!("logfmt syntax error at pos {position} : {what}")))
    }
}

impl<'a> Iterator for Pairs<'a> {
    type Item = Result<Pair<'a>, String>;

    fn next(&mut self) -> Option<Self::Item> {
        let line = self.line;
        while line.get(self.at).is_some_and(|b| *b <= b' ') {
            self.at += 1;
        }
        let start = self.at;
        let rest = line.get(start..).filter(|rest| !rest.is_empty())?;
        let key_len = rest.iter().position(|b| *b <= b' ' || *b == b'=' || *b == b'"').unwrap_or(rest.len());
        let key = &rest[..key_len];
        self.at += key_len;
        match line.get(self.at) {
            Some(b'"') => return self.bad("unexpected '\"'"),
            Some(b'=') if key.is_empty() => return self.bad("unexpected '='"),
            Some(b'=') => self.at += 1,
            _ => return Some(Ok(Pair { key, value: b"", escaped: false })),
        }
        if line.get(self.at) == Some(&b'"') {
            return self.quoted(key);
        }
        let rest = &line[self.at..];
        let end = rest.iter().position(|b| *b <= b' ' || *b == b'=' || *b == b'"').unwrap_or(rest.len());
        match rest.get(end) {
            Some(b'=') => {
                self.at += end;
                self.bad("unexpected '='")
            }
            Some(b'"') => {
                self.at += end;
                self.bad("unexpected '\"'")
            }
            _ => {
                self.at += end;
                Some(Ok(Pair { key, value: &rest[..end], escaped: false }))
            }
        }
    }
}

impl<'a> Pairs<'a> {
    fn quoted(&mut self, key: &'a [u8]) -> Option<Result<Pair<'a>, String>> {
        let start = self.at + 1;
        let mut at = start;
        let mut escaped = false;
        loop {
            let Some(found) = self.line.get(at..).and_then(|rest| memchr2(b'"', b'\\', rest)) else {
                self.at = self.line.len();
                return Some(Err(format!("logfmt syntax error at pos {} : unterminated quoted value", start)));
            };
            at += found;
            if self.line[at] == b'"' {
                self.at = at + 1;
                return Some(Ok(Pair { key, value: &self.line[start..at], escaped }));
            }
            escaped = true;
            at += 2;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs() {
        type Expected = &'static [Option<(&'static str, &'static str)>];
        let cases: &[(&str, Expected)] = &[
            ("a=1 b=\"x y\" c", &[Some(("a", "1")), Some(("b", "x y")), Some(("c", ""))]),
            ("a= b=2", &[Some(("a", "")), Some(("b", "2"))]),
            ("=x a=1", &[None, Some(("a", "1"))]),
            ("a=b=c d=1", &[None, Some(("d", "1"))]),
            ("a=\"q\\\"r\\n\"", &[Some(("a", "q\"r\n"))]),
            ("a=\"open", &[None]),
            ("  ", &[]),
        ];
        for (line, expect) in cases {
            let got: Vec<_> = Pairs { line: line.as_bytes(), at: 0 }
                .map(|pair| {
                    pair.ok().map(|p| {
                        let mut value = Vec::new();
                        p.write(&mut value);
                        (String::from_utf8(p.key.to_vec()).unwrap(), String::from_utf8(value).unwrap())
                    })
                })
                .collect();
            let expect: Vec<_> = expect.iter().map(|p| p.map(|(k, v)| (k.to_owned(), v.to_owned()))).collect();
            assert_eq!(got, expect, "{line}");
        }
    }
}
