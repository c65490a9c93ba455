//! Pieces of the JSON that Loki's clients read: strings, label sets, numbers.
//!
//! Written by hand rather than through a serialiser: escaping and the form of numbers are part of the
//! contract, and bodies are large.

use skald_model::Labels;

const HEX: &[u8; 16] = b"0123456789abcdef";

/// A string in quotes, escaped for HTML as well; bytes that are not UTF-8 become U+FFFD.
pub fn string(out: &mut Vec<u8>, text: &[u8]) {
    out.push(b'"');
    for chunk in text.utf8_chunks() {
        escaped(out, chunk.valid());
        for _ in chunk.invalid() {
            out.extend_from_slice(b"\\ufffd");
        }
    }
    out.push(b'"');
}

fn escaped(out: &mut Vec<u8>, text: &str) {
    let bytes = text.as_bytes();
    // Copied in whole runs: most lines have few characters to escape.
    let mut copied = 0;
    for (i, &b) in bytes.iter().enumerate() {
        let separator = b == 0xe2 && bytes[i + 1] == 0x80 && matches!(bytes[i + 2], 0xa8 | 0xa9);
        if b >= 0x20 && !matches!(b, b'"' | b'\\' | b'<' | b'>' | b'&') && !separator {
            continue;
        }
        out.extend_from_slice(&bytes[copied..i]);
        copied = i + 1;
        match b {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', b]),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0xe2 => {
                // The line and paragraph separators end a line in JavaScript.
                out.extend_from_slice(if bytes[i + 2] == 0xa8 { b"\\u2028" } else { b"\\u2029" });
                copied = i + 3;
            }
            b => out.extend_from_slice(&[b'\\', b'u', b'0', b'0', HEX[usize::from(b >> 4)], HEX[usize::from(b & 15)]]),
        }
    }
    out.extend_from_slice(&bytes[copied..]);
}

/// `{"name":"value",…}` in the order of names.
pub fn labels(out: &mut Vec<u8>, labels: &Labels) {
    out.push(b'{');
    for (i, (name, value)) in labels.iter().enumerate() {
        if i > 0 {
            out.push(b',');
        }
        string(out, name.as_bytes());
        out.push(b':');
        string(out, value.as_bytes());
    }
    out.push(b'}');
}

/// `[…]` with `write` called for each item.
pub fn array<T>(out: &mut Vec<u8>, items: impl IntoIterator<Item = T>, mut write: impl FnMut(&mut Vec<u8>, T)) {
    out.push(b'[');
    for (i, item) in items.into_iter().enumerate() {
        if i > 0 {
            out.push(b',');
        }
        write(out, item);
    }
    out.push(b']');
}

/// One log line: `["<ns>","line"]`, and with `categories` (structured metadata, parsed labels) a third element
/// that names those which are not empty.
pub fn log_entry(out: &mut Vec<u8>, timestamp_ns: i64, line: &[u8], categories: Option<[&Labels; 2]>) {
    plain(out, format_args!("[\"{timestamp_ns}\","));
    string(out, line);
    if let Some(sets) = categories {
        out.extend_from_slice(b",{");
        let named = ["structuredMetadata", "parsed"].into_iter().zip(sets).filter(|(_, set)| !set.is_empty());
        for (i, (name, set)) in named.enumerate() {
            if i > 0 {
                out.push(b',');
            }
            plain(out, format_args!("\"{name}\":"));
            labels(out, set);
        }
        out.push(b'}');
    }
    out.push(b']');
}

/// Anything that is written as it displays.
pub fn plain(out: &mut Vec<u8>, value: impl std::fmt::Display) {
    use std::io::Write as _;
    write!(out, "{value}").expect("writing to memory cannot fail");
}

/// Milliseconds as seconds with at most three decimals and no zeros at the end.
pub fn seconds(out: &mut Vec<u8>, millis: i64) {
    if millis < 0 {
        out.push(b'-');
    }
    let millis = millis.unsigned_abs();
    plain(out, millis / 1000);
    let fraction = format!("{:03}", millis % 1000);
    let fraction = fraction.trim_end_matches('0');
    if !fraction.is_empty() {
        out.push(b'.');
        out.extend_from_slice(fraction.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings() {
        let table: &[(&[u8], &str)] = &[
            (b"", r#""""#),
            (b"plain \xc3\xa9", "\"plain é\""),
            (b"<a href=\"x\">&\\", r#""\u003ca href=\"x\"\u003e\u0026\\""#),
            (b"\n\r\t\x00\x1f\x08\x7f", "\"\\n\\r\\t\\u0000\\u001f\\u0008\x7f\""),
            ("a\u{2028}b\u{2029}\u{2030}".as_bytes(), "\"a\\u2028b\\u2029\u{2030}\""),
            (b"a\xffb\xe2\x80", r#""a\ufffdb\ufffd\ufffd""#),
        ];
        for (text, expect) in table {
            let mut out = Vec::new();
            string(&mut out, text);
            assert_eq!(String::from_utf8_lossy(&out), *expect);
        }
    }

    #[test]
    fn sample_times() {
        for (millis, expect) in [
            (1_700_000_000_000, "1700000000"),
            (1_700_000_000_500, "1700000000.5"),
            (1_700_000_000_001, "1700000000.001"),
            (0, "0"),
            (-1_500, "-1.5"),
        ] {
            let mut out = Vec::new();
            seconds(&mut out, millis);
            assert_eq!(String::from_utf8_lossy(&out), expect);
        }
    }
}
