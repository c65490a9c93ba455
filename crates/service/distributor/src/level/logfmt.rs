//! A field of a logfmt line by its key: looks at what stands before each `=`.

use memchr::{memchr, memchr_iter};

/// The bytes of the value of the first pair whose key `wanted` accepts and whose value is not empty.
pub(super) fn find(line: &[u8], wanted: impl Fn(&[u8]) -> bool) -> Option<&[u8]> {
    memchr_iter(b'=', line).find_map(|equals| {
        let key_start = line[..equals].iter().rposition(|&b| b <= b' ' || b == b'"').map_or(0, |at| at + 1);
        if !wanted(&line[key_start..equals]) {
            return None;
        }
        let value = &line[equals + 1..];
        let value = match value.first() {
            Some(b'"') => &value[1..1 + memchr(b'"', &value[1..])?],
            _ => &value[..value.iter().position(|&b| b <= b' ').unwrap_or(value.len())],
        };
        (!value.is_empty()).then_some(value)
    })
}

#[cfg(test)]
mod tests {
    use super::find;

    #[test]
    fn finds_by_key() {
        let cases: &[(&str, Option<&str>)] = &[
            ("k=v", Some("v")),
            ("a=b k=v c=d", Some("v")),
            ("a=b k=\"v w\" c=d", Some("v w")),
            ("kk=v k=", None),
            ("k=\"open", None),
            ("msg=\"k\" xk=v", None),
            ("no pairs", None),
        ];
        for (line, expect) in cases {
            let got = find(line.as_bytes(), |key| key == b"k").map(|v| std::str::from_utf8(v).expect("ascii"));
            assert_eq!(got, *expect, "{line}");
        }
    }
}
