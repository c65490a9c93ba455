//! A field of a JSON line by its key, without parsing the rest: strings are skipped, braces counted.

use memchr::memchr2;

/// The bytes of the first string value, at most `depth_max` objects deep, whose key `wanted` accepts.
/// Works on malformed JSON as far as it goes; arrays are passed over.
pub(super) fn find(line: &[u8], depth_max: usize, wanted: impl Fn(&[u8]) -> bool) -> Option<&[u8]> {
    let mut depth = 0usize;
    let mut in_arrays = 0usize;
    let mut at = 0;
    while at < line.len() {
        match line[at] {
            b'{' => depth += 1,
            b'}' => depth = depth.saturating_sub(1),
            b'[' => in_arrays += 1,
            b']' => in_arrays = in_arrays.saturating_sub(1),
            b'"' => {
                let end = string_end(line, at + 1)?;
                let text = &line[at + 1..end];
                at = end + 1;
                let colon = skip_blanks(line, at);
                let is_key = line.get(colon) == Some(&b':') && depth >= 1 && depth <= depth_max + 1 && in_arrays == 0;
                if is_key && wanted(text) {
                    let value = skip_blanks(line, colon + 1);
                    if line.get(value) == Some(&b'"') {
                        let end = string_end(line, value + 1)?;
                        return Some(&line[value + 1..end]);
                    }
                }
                continue;
            }
            _ => {}
        }
        at += 1;
    }
    None
}

/// Where the string that began before `from` ends: the index of its closing quote.
fn string_end(line: &[u8], mut from: usize) -> Option<usize> {
    loop {
        let at = from + memchr2(b'"', b'\\', line.get(from..)?)?;
        if line[at] == b'"' {
            return Some(at);
        }
        from = at + 2;
    }
}

fn skip_blanks(line: &[u8], mut at: usize) -> usize {
    while line.get(at).is_some_and(u8::is_ascii_whitespace) {
        at += 1;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::find;

    #[test]
    fn finds_by_key() {
        let cases: &[(&str, Option<&str>)] = &[
            (r#"{"k":"v"}"#, Some("v")),
            (r#"{ "a" : 1 , "k" : "v" }"#, Some("v")),
            (r#"{"a":"k","b":{"k":"v"}}"#, Some("v")),
            (r#"{"a":{"b":{"c":{"k":"v"}}}}"#, None),
            (r#"{"a":[{"k":"v"}]}"#, None),
            (r#"{"k":5,"b":{"k":"v"}}"#, Some("v")),
            (r#"{"a":"\\","k":"v"}"#, Some("v")),
            (r#"{"k":"v"#, None),
            (r#"{"k"#, None),
            (r#"{"k":"#, None),
        ];
        for (line, expect) in cases {
            let got = find(line.as_bytes(), 2, |key| key == b"k").map(|v| std::str::from_utf8(v).expect("ascii"));
            assert_eq!(got, *expect, "{line}");
        }
    }
}
