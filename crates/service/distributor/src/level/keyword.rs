//! The first level word in a text, standing alone.

use std::sync::LazyLock;

use regex::bytes::Regex;

use super::normalise;

/// `inf` and `unknown` are left out: they are words and numbers of ordinary text more often than levels.
static WORDS: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new("(?-u)trace|trc|debug|dbg|information|info|warning|warn|wrn|error|err|critical|fatal")
        .expect("a literal alternation compiles")
});

/// The level named by the earliest word that has no letter or digit on either side. `lowered` is room for
/// the line in lower case: literals of one case are found several times faster than those of any case.
pub(super) fn find(line: &[u8], lowered: &mut Vec<u8>) -> Option<&'static str> {
    lowered.clear();
    lowered.extend_from_slice(line);
    lowered.make_ascii_lowercase();
    let line = lowered.as_slice();
    let mut from = 0;
    while let Some(found) = WORDS.find_at(line, from) {
        let open = found.start() == 0 || !line[found.start() - 1].is_ascii_alphanumeric();
        let closed = line.get(found.end()).is_none_or(|b| !b.is_ascii_alphanumeric());
        if open && closed {
            return normalise(found.as_bytes());
        }
        from = found.start() + 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::find;

    #[test]
    fn words_stand_alone() {
        let cases: &[(&str, Option<&str>)] = &[
            ("an ERROR here", Some("error")),
            ("errors everywhere, Warning: x", Some("warn")),
            ("[err]", Some("error")),
            ("stderr", None),
            ("information", Some("info")),
            ("informational debug", Some("debug")),
            ("+Inf", None),
            ("", None),
        ];
        for (line, expect) in cases {
            assert_eq!(find(line.as_bytes(), &mut Vec::new()), *expect, "{line}");
        }
    }
}
