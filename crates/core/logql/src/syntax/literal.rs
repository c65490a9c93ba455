//! String and number literals: Go's quoting rules and Go's shortest floats.

use std::fmt::Write as _;

/// Quotes as Go's `%q` does, so that [`unquote`] gives the same text.
pub fn quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{7}' => out.push_str("\\a"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\u{b}' => out.push_str("\\v"),
            c if (c as u32) < 0x20 || c as u32 == 0x7f => {
                let _ = write!(out, "\\x{:02x}", c as u32);
            }
            c if c.is_control() || c == '\u{feff}' => {
                let _ = write!(out, "\\u{:04x}", c as u32);
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// The text between double quotes, escapes resolved; `None` for an unknown or cut escape. Bytes that
/// are no UTF-8 (`\xff`) become the replacement character.
pub(crate) fn unquote(body: &str) -> Option<String> {
    if !body.contains('\\') {
        return Some(body.to_owned());
    }
    let mut out: Vec<u8> = Vec::with_capacity(body.len());
    let mut chars = body.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
            continue;
        }
        let byte = match chars.next()? {
            'a' => 7,
            'b' => 8,
            'f' => 12,
            'n' => b'\n',
            'r' => b'\r',
            't' => b'\t',
            'v' => 11,
            '\\' => b'\\',
            '"' => b'"',
            'x' => u8::try_from(digits(&mut chars, 2, 16)?).ok()?,
            'u' => {
                let c = char::from_u32(digits(&mut chars, 4, 16)?)?;
                out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                continue;
            }
            'U' => {
                let c = char::from_u32(digits(&mut chars, 8, 16)?)?;
                out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                continue;
            }
            first @ '0'..='7' => {
                let rest = digits(&mut chars, 2, 8)?;
                u8::try_from(first.to_digit(8)? * 64 + rest).ok()?
            }
            _ => return None,
        };
        out.push(byte);
    }
    Some(String::from_utf8(out).unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into_owned()))
}

fn digits(chars: &mut std::str::Chars<'_>, count: usize, radix: u32) -> Option<u32> {
    (0..count).try_fold(0u32, |n, _| n.checked_mul(radix)?.checked_add(chars.next()?.to_digit(radix)?))
}

/// A sample value as responses carry it: the shortest decimal that reads back, an exponent only below
/// 1e-6 and from 1e21 on, `NaN`, `+Inf`, `-Inf`.
pub fn format_value(value: f64) -> String {
    let abs = value.abs();
    format_float(value, abs != 0.0 && !(1e-6..1e21).contains(&abs))
}

/// A number as Go prints it by default: an exponent below 1e-4 and from 1e21 on.
pub(crate) fn format_number(value: f64) -> String {
    let abs = value.abs();
    format_float(value, abs != 0.0 && !(1e-4..1e21).contains(&abs))
}

fn format_float(value: f64, exponent: bool) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    if !exponent {
        return format!("{value}");
    }
    let text = format!("{value:e}");
    let (mantissa, power) = text.split_once('e').expect("`{:e}` always writes an exponent");
    let (sign, digits) = power.strip_prefix('-').map_or(('+', power), |digits| ('-', digits));
    format!("{mantissa}e{sign}{digits:0>2}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoting_round_trips() {
        for text in ["", "plain", "a\"b\\c", "tab\tnl\nbell\u{7}", "é\u{85}\u{feff}", "\u{1}\u{7f}"] {
            let quoted = quote(text);
            assert_eq!(unquote(&quoted[1..quoted.len() - 1]).as_deref(), Some(text), "{quoted}");
        }
    }

    #[test]
    fn escapes() {
        let cases = [
            (r"\x41\101\u0041\U00000041", Some("AAAA")),
            (r"\xff", Some("\u{fffd}")),
            (r"\w", None),
            (r"\", None),
            (r"\x4", None),
            (r"\'", None),
            (r"\777", None),
        ];
        for (body, expect) in cases {
            assert_eq!(unquote(body).as_deref(), expect, "{body}");
        }
    }

    #[test]
    fn values() {
        let cases = [
            (0.0, "0"),
            (-0.0, "-0"),
            (1.0, "1"),
            (0.1, "0.1"),
            (1e20, "100000000000000000000"),
            (1e21, "1e+21"),
            (1.5e-7, "1.5e-07"),
            (1e-6, "0.000001"),
            (f64::NAN, "NaN"),
            (f64::INFINITY, "+Inf"),
            (f64::NEG_INFINITY, "-Inf"),
            (1e100, "1e+100"),
        ];
        for (value, text) in cases {
            assert_eq!(format_value(value), text);
        }
    }
}
