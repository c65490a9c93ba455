//! `|> "<_> text <_>"`: the whole line is literals with at least one byte for every `<_>`.

use memchr::memmem;

use super::pattern::{Piece, pieces};

#[derive(Clone, Debug)]
pub(super) struct PatternFilter {
    /// Literals in order, each with the search for it.
    literals: Vec<memmem::Finder<'static>>,
    starts_with_gap: bool,
    ends_with_gap: bool,
}

impl PatternFilter {
    pub(super) fn compile(pattern: &str) -> Result<Self, String> {
        let pieces = pieces(pattern)?;
        if pieces.iter().any(|piece| matches!(piece, Piece::Capture(Some(_)))) {
            return Err("named captures are not allowed".to_owned());
        }
        let literals = pieces.iter().filter_map(|piece| match piece {
            Piece::Literal(literal) => Some(memmem::Finder::new(literal).into_owned()),
            Piece::Capture(_) => None,
        });
        Ok(Self {
            literals: literals.collect(),
            starts_with_gap: matches!(pieces.first(), Some(Piece::Capture(_))),
            ends_with_gap: matches!(pieces.last(), Some(Piece::Capture(_))),
        })
    }

    pub(super) fn matches(&self, line: &[u8]) -> bool {
        let Some((last, inner)) = self.literals.split_last() else {
            return if self.starts_with_gap { !line.is_empty() } else { line.is_empty() };
        };
        let mut at = 0;
        for (i, finder) in inner.iter().enumerate() {
            let gap = i > 0 || self.starts_with_gap;
            match find(finder, line, at, gap) {
                Some(end) => at = end,
                None => return false,
            }
        }
        let gap = !inner.is_empty() || self.starts_with_gap;
        if self.ends_with_gap {
            return find(last, line, at, gap).is_some_and(|end| end < line.len());
        }
        // The last literal closes the line: only its last place counts, gaps before it may be long.
        let needle = last.needle();
        match (gap, line.len().checked_sub(needle.len())) {
            (true, Some(start)) => start > at && line.ends_with(needle),
            (false, Some(start)) => start == at && line.ends_with(needle),
            (_, None) => false,
        }
    }
}

/// Where a literal ends that begins at `at`, or with a gap anywhere after it.
fn find(finder: &memmem::Finder<'_>, line: &[u8], at: usize, gap: bool) -> Option<usize> {
    let rest = line.get(at + usize::from(gap)..)?;
    let start = if gap { finder.find(rest)? } else { rest.starts_with(finder.needle()).then_some(0)? };
    Some(at + usize::from(gap) + start + finder.needle().len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn semantics() {
        let cases = [
            ("<_> bar <_>", "x bar y", true),
            ("<_> bar <_>", " bar ", false),
            ("foo <_>", "foo ", false),
            ("foo <_>", "foo x", true),
            ("foo <_>", "a foo x", false),
            ("<_>foo", "foofoo", true),
            ("<_>foo", "foo", false),
            ("", "", true),
            ("", "x", false),
            ("<_>", "x", true),
            ("<_>", "", false),
            ("a<_>b<_>c", "a-b-b-c", true),
            ("a<_>b", "ab", false),
            ("lit", "lit", true),
            ("lit", "literal", false),
            ("a<_>a", "a-a-a", true),
        ];
        for (pattern, line, expect) in cases {
            assert_eq!(
                PatternFilter::compile(pattern).unwrap().matches(line.as_bytes()),
                expect,
                "{pattern} on {line:?}"
            );
        }
        assert!(PatternFilter::compile("<a> x").is_err());
        assert!(PatternFilter::compile("<_><_>").is_err());
    }
}
