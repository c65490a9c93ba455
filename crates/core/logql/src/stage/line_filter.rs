//! Line filters: `|=`, `!=`, `|~`, `!~`, `|>`, `!>` and `ip()`.
//!
//! A filter answers for one line ([`LineFilterExec::matches`]) or narrows a selection of a column of
//! lines ([`LineFilterExec::select`]), where a literal is searched in the whole buffer at once.

use memchr::memmem;
use regex::bytes::Regex;
use regex_syntax::hir::{Hir, HirKind};
use skald_model::LineColumn;

use super::{ip::IpMatcher, pattern_filter::PatternFilter};
use crate::{
    regex_dialect,
    syntax::ast::{LineFilter, LineFilterOp, LineFilterText},
};

/// Searching the whole buffer pays off while at least one line in this many is still selected.
const DENSE_SHARE: usize = 4;

/// A compiled line filter.
#[derive(Clone, Debug)]
pub(crate) struct LineFilterExec {
    tests: Vec<Test>,
    /// Lines pass where no test does.
    negative: bool,
}

#[derive(Clone, Debug)]
enum Test {
    Always,
    Literal(Box<memmem::Finder<'static>>),
    Regex {
        regex: Regex,
        /// Text every match contains.
        required: Option<Box<memmem::Finder<'static>>>,
    },
    Pattern(PatternFilter),
    Ip(IpMatcher),
}

impl LineFilterExec {
    /// Compiles a filter.
    ///
    /// # Errors
    /// What is wrong with a regular expression, pattern or address.
    pub(crate) fn compile(filter: &LineFilter) -> Result<Self, String> {
        crate::syntax::check_line_filter(filter)?;
        let tests = filter.alternatives.iter().map(|text| Test::compile(filter.op, text)).collect::<Result<_, _>>()?;
        Ok(Self { tests, negative: filter.op.is_negative() })
    }

    /// Whether a line passes.
    #[inline]
    pub(crate) fn matches(&self, line: &[u8]) -> bool {
        self.tests.iter().any(|test| test.matches(line)) != self.negative
    }

    /// Keeps of `selection` (ascending row numbers) the lines that pass.
    pub(crate) fn select(&self, lines: &LineColumn, selection: &mut Vec<u32>) {
        let dense = selection.len() * DENSE_SHARE >= lines.len();
        let [test] = self.tests.as_slice() else {
            selection.retain(|row| self.matches(lines.get(*row as usize)));
            return;
        };
        match test {
            Test::Always if !self.negative => {}
            Test::Literal(finder) if dense => keep(selection, &lines_with(lines, finder), self.negative),
            Test::Regex { regex, required: Some(required) } if dense => {
                let candidates = lines_with(lines, required);
                let mut hits = candidates.into_iter();
                let mut hit = hits.next();
                selection.retain(|row| {
                    while hit.is_some_and(|h| h < *row) {
                        hit = hits.next();
                    }
                    let found = hit == Some(*row) && regex.find(lines.get(*row as usize)).is_some();
                    found != self.negative
                });
            }
            test => selection.retain(|row| test.matches(lines.get(*row as usize)) != self.negative),
        }
    }
}

impl Test {
    fn compile(op: LineFilterOp, text: &LineFilterText) -> Result<Self, String> {
        let text = match text {
            LineFilterText::Ip(pattern) => return Ok(Self::Ip(IpMatcher::compile(pattern)?)),
            LineFilterText::Text(text) => text,
        };
        Ok(match op {
            LineFilterOp::Contains | LineFilterOp::NotContains => Self::literal(text.as_bytes()),
            LineFilterOp::Regex | LineFilterOp::NotRegex => Self::regex(text)?,
            LineFilterOp::Pattern | LineFilterOp::NotPattern => Self::Pattern(PatternFilter::compile(text)?),
        })
    }

    fn literal(text: &[u8]) -> Self {
        if text.is_empty() { Self::Always } else { Self::Literal(Box::new(memmem::Finder::new(text).into_owned())) }
    }

    fn regex(pattern: &str) -> Result<Self, String> {
        let regex = regex_dialect::compile_bytes(pattern)?;
        let translated = regex_dialect::translate(pattern)?;
        let parsed = regex_syntax::ParserBuilder::new().utf8(false).build().parse(&translated);
        let Ok(hir) = parsed else { return Ok(Self::Regex { regex, required: None }) };
        if let HirKind::Literal(literal) = hir.kind() {
            return Ok(Self::literal(&literal.0));
        }
        if matches!(hir.kind(), HirKind::Empty) {
            return Ok(Self::Always);
        }
        let mut longest: &[u8] = &[];
        required_literal(&hir, &mut longest);
        let required = (longest.len() >= 2).then(|| Box::new(memmem::Finder::new(longest).into_owned()));
        Ok(Self::Regex { regex, required })
    }

    #[inline]
    fn matches(&self, line: &[u8]) -> bool {
        match self {
            Self::Always => true,
            Self::Literal(finder) => finder.find(line).is_some(),
            // `find`, not `is_match`: only the former uses inner literals.
            Self::Regex { regex, .. } => regex.find(line).is_some(),
            Self::Pattern(pattern) => pattern.matches(line),
            Self::Ip(matcher) => matcher.finds(line),
        }
    }
}

/// The longest literal that is part of every match.
fn required_literal<'h>(hir: &'h Hir, longest: &mut &'h [u8]) {
    match hir.kind() {
        HirKind::Literal(literal) if literal.0.len() > longest.len() => *longest = &literal.0,
        HirKind::Capture(capture) => required_literal(&capture.sub, longest),
        HirKind::Repetition(repetition) if repetition.min > 0 => required_literal(&repetition.sub, longest),
        HirKind::Concat(parts) => parts.iter().for_each(|part| required_literal(part, longest)),
        _ => {}
    }
}

/// The lines that contain a literal, ascending, found by one search through the buffer of all lines.
fn lines_with(lines: &LineColumn, finder: &memmem::Finder<'_>) -> Vec<u32> {
    let buffer: &[u8] = lines.buffer();
    let ends = lines.ends();
    let len = finder.needle().len();
    let mut out = Vec::new();
    let mut at = 0;
    let mut line = 0;
    while let Some(found) = buffer.get(at..).and_then(|rest| finder.find(rest)) {
        let start = at + found;
        line += advance(&ends[line..], start);
        let end = ends[line] as usize;
        if start + len <= end {
            out.push(line as u32);
            // One hit per line is enough.
            at = end;
        } else {
            // The hit lies across the end of a line: none.
            at = start + 1;
        }
    }
    out
}

/// How many of `ends` are at or before `position`: an exponential search, since hits may be dense or rare.
fn advance(ends: &[u32], position: usize) -> usize {
    let before = |end: &u32| *end as usize <= position;
    let mut bound = 1;
    while bound < ends.len() && before(&ends[bound - 1]) {
        bound *= 2;
    }
    let low = bound / 2;
    low + ends[low..bound.min(ends.len())].partition_point(before)
}

/// Keeps of `selection` what is in `hits` (or not, if negative); both ascend.
fn keep(selection: &mut Vec<u32>, hits: &[u32], negative: bool) {
    if !negative && selection.len() < hits.len() / 8 {
        selection.retain(|row| hits.binary_search(row).is_ok());
        return;
    }
    let mut next = 0;
    selection.retain(|row| {
        while next < hits.len() && hits[next] < *row {
            next += 1;
        }
        (next < hits.len() && hits[next] == *row) != negative
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(op: LineFilterOp, alternatives: &[&str]) -> LineFilterExec {
        let alternatives = alternatives.iter().map(|text| LineFilterText::Text((*text).to_owned())).collect();
        LineFilterExec::compile(&LineFilter { op, alternatives }).unwrap()
    }

    #[test]
    fn semantics() {
        use LineFilterOp::*;
        let cases: &[(LineFilterOp, &[&str], &str, bool)] = &[
            (Contains, &["b"], "abc", true),
            (Contains, &["B"], "abc", false),
            (Contains, &[""], "", true),
            (NotContains, &[""], "x", false),
            (Contains, &["x", "c"], "abc", true),
            (NotContains, &["a", "b"], "xb", false),
            (NotContains, &["a", "b"], "xy", true),
            (Regex, &["^b"], "ab", false),
            (Regex, &["(?i)ERR.r"], "an error", true),
            (Regex, &["a.b"], "a\nb", false),
            (NotRegex, &["err", "warn"], "info", true),
            (Regex, &["timeout.*\\d+ms"], "timeout after 5ms", true),
            (Pattern, &["<_> b"], "a b", true),
            (NotPattern, &["<_> b"], "a b", false),
        ];
        for (op, alternatives, line, expect) in cases {
            assert_eq!(
                filter(*op, alternatives).matches(line.as_bytes()),
                *expect,
                "{op:?} {alternatives:?} on {line:?}"
            );
        }
    }

    #[test]
    fn columns_answer_as_single_lines_do() {
        use LineFilterOp::*;
        let texts = ["", "ab", "cab", "b", "aab", "a", "b", "xabab", "", "timeout 5ms", "timeout", "5ms"];
        let lines: LineColumn = texts.iter().collect();
        let cases: &[(LineFilterOp, &[&str])] = &[
            (Contains, &["ab"]),
            (NotContains, &["ab"]),
            (Contains, &["ba"]),
            (Contains, &["a", "5"]),
            (Regex, &["timeout.*5"]),
            (NotRegex, &["timeout.*5"]),
            (Regex, &["^a"]),
            (Regex, &["ab"]),
            (Contains, &[""]),
            (NotContains, &[""]),
        ];
        for (op, alternatives) in cases {
            let filter = filter(*op, alternatives);
            for selection in [(0..12).collect::<Vec<u32>>(), vec![1, 2, 9], vec![7], vec![]] {
                let mut got = selection.clone();
                filter.select(&lines, &mut got);
                let expect: Vec<u32> =
                    selection.into_iter().filter(|row| filter.matches(texts[*row as usize].as_bytes())).collect();
                assert_eq!(got, expect, "{op:?} {alternatives:?}");
            }
        }
    }
}
