//! Durations as the language reads and writes them: Prometheus notation (`1w2d`, `5m30s`) and Go
//! notation (`1.5h`, `100us`), always as nanoseconds.

use std::fmt::Write as _;

const MICROSECOND: i64 = 1_000;
const MILLISECOND: i64 = 1_000_000;
const SECOND: i64 = 1_000_000_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// Units of Prometheus durations, largest first; a year has 365 days.
const PROMETHEUS_UNITS: &[(&str, i64)] =
    &[("y", 365 * DAY), ("w", 7 * DAY), ("d", DAY), ("h", HOUR), ("m", MINUTE), ("s", SECOND), ("ms", MILLISECOND)];

/// Reads a Prometheus duration: whole numbers with units in descending order.
///
/// # Errors
/// The text Prometheus gives.
pub fn parse_prometheus(text: &str) -> Result<i64, String> {
    if text == "0" {
        return Ok(0);
    }
    if text.is_empty() {
        return Err("empty duration string".to_owned());
    }
    let invalid = || format!("not a valid duration string: {}", super::literal::quote(text));
    let mut rest = text;
    let mut total: i64 = 0;
    let mut units = PROMETHEUS_UNITS;
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let letters = rest[digits..].bytes().take_while(|b| b.is_ascii_alphabetic()).count();
        let unit = &rest[digits..digits + letters];
        let at = units.iter().position(|(name, _)| *name == unit).filter(|_| digits > 0).ok_or_else(invalid)?;
        let amount = rest[..digits].parse::<i64>().ok().and_then(|n| n.checked_mul(units[at].1));
        total = amount.and_then(|n| total.checked_add(n)).ok_or("duration out of range")?;
        units = &units[at + 1..];
        rest = &rest[digits + letters..];
    }
    Ok(total)
}

/// Reads a Go duration: signed decimal numbers with units `ns us µs ms s m h`. `None` for anything else.
pub fn parse_go(text: &str) -> Option<i64> {
    let (negative, mut rest) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    if rest == "0" {
        return Some(0);
    }
    if rest.is_empty() {
        return None;
    }
    let mut total: i64 = 0;
    while !rest.is_empty() {
        let number = rest.bytes().take_while(|b| b.is_ascii_digit() || *b == b'.').count();
        let (whole, fraction) = rest[..number].split_once('.').unwrap_or((&rest[..number], ""));
        if (whole.is_empty() && fraction.is_empty()) || fraction.contains('.') {
            return None;
        }
        rest = &rest[number..];
        let unit_len = rest.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(rest.len());
        let unit = match &rest[..unit_len] {
            "ns" => 1,
            "us" | "µs" | "μs" => MICROSECOND,
            "ms" => MILLISECOND,
            "s" => SECOND,
            "m" => MINUTE,
            "h" => HOUR,
            _ => return None,
        };
        rest = &rest[unit_len..];
        let whole: i64 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
        total = total.checked_add(whole.checked_mul(unit)?)?;
        if !fraction.is_empty() {
            // Eighteen digits are more than nanoseconds of an hour can show.
            let digits = &fraction[..fraction.len().min(18)];
            let scale = 10f64.powi(digits.len() as i32);
            let part = digits.parse::<u64>().ok()? as f64 * (unit as f64 / scale);
            total = total.checked_add(part as i64)?;
        }
    }
    Some(if negative { -total } else { total })
}

/// Reads a duration literal of the language: Prometheus notation first, else Go's.
pub fn parse_literal(text: &str) -> Option<i64> {
    parse_prometheus(text).ok().or_else(|| parse_go(text))
}

/// Writes in Prometheus notation what Prometheus notation can say, else (parts below a millisecond, negative) in Go's.
pub fn format_prometheus(nanos: i64) -> String {
    if nanos < 0 || nanos % MILLISECOND != 0 {
        return format_go(nanos);
    }
    if nanos == 0 {
        return "0s".to_owned();
    }
    let mut out = String::new();
    let mut rest = nanos;
    for &(unit, size) in PROMETHEUS_UNITS {
        // Years and weeks only where nothing is left over, so that 8d does not become 1w1d.
        if size > DAY && rest % size != 0 {
            continue;
        }
        if rest >= size {
            let _ = write!(out, "{}{unit}", rest / size);
            rest %= size;
        }
    }
    out
}

/// Writes as Go does: `5m0s`, `1.5s`, `250ms`, `100µs`.
pub fn format_go(nanos: i64) -> String {
    if nanos == 0 {
        return "0s".to_owned();
    }
    let sign = if nanos < 0 { "-" } else { "" };
    let abs = nanos.unsigned_abs();
    let scaled = |unit: i64, name: &str| {
        let unit = unit as u64;
        let mut out = format!("{sign}{}", abs / unit);
        push_fraction(&mut out, abs % unit, unit);
        out + name
    };
    match abs as i64 {
        a if a < MICROSECOND => format!("{sign}{a}ns"),
        a if a < MILLISECOND => scaled(MICROSECOND, "µs"),
        a if a < SECOND => scaled(MILLISECOND, "ms"),
        _ => {
            let (hours, minutes) = (abs / HOUR as u64, abs / MINUTE as u64 % 60);
            let mut out = sign.to_owned();
            if hours > 0 {
                let _ = write!(out, "{hours}h");
            }
            if hours > 0 || minutes > 0 {
                let _ = write!(out, "{minutes}m");
            }
            let _ = write!(out, "{}", abs / SECOND as u64 % 60);
            push_fraction(&mut out, abs % SECOND as u64, SECOND as u64);
            out + "s"
        }
    }
}

/// Appends `.fraction` without trailing zeros; `unit` is a power of ten.
fn push_fraction(out: &mut String, part: u64, unit: u64) {
    if part > 0 {
        let digits = unit.ilog10() as usize;
        let text = format!("{part:0digits$}");
        out.push('.');
        out.push_str(text.trim_end_matches('0'));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prometheus_notation() {
        let cases: &[(&str, Result<i64, &str>)] = &[
            ("0", Ok(0)),
            ("5m", Ok(5 * MINUTE)),
            ("1h30m", Ok(90 * MINUTE)),
            ("1w2d", Ok(9 * DAY)),
            ("1y", Ok(365 * DAY)),
            ("15ms", Ok(15 * MILLISECOND)),
            ("1.5h", Err("not a valid duration string: \"1.5h\"")),
            ("30m1h", Err("not a valid duration string: \"30m1h\"")),
            ("5minutes", Err("not a valid duration string: \"5minutes\"")),
            ("", Err("empty duration string")),
            ("99999999999y", Err("duration out of range")),
        ];
        for (text, expect) in cases {
            assert_eq!(parse_prometheus(text), expect.map_err(str::to_owned), "{text}");
        }
    }

    #[test]
    fn go_notation() {
        let cases = [
            ("1.5h", Some(90 * MINUTE)),
            ("-5m", Some(-5 * MINUTE)),
            ("100us", Some(100_000)),
            ("100µs", Some(100_000)),
            ("1h0m0.5s", Some(HOUR + SECOND / 2)),
            (".5s", Some(SECOND / 2)),
            ("5ns", Some(5)),
            ("2d", None),
            ("5", None),
            ("", None),
            (".s", None),
        ];
        for (text, expect) in cases {
            assert_eq!(parse_go(text), expect, "{text}");
        }
    }

    #[test]
    fn formats() {
        let cases = [
            (0, "0s", "0s"),
            (5 * MINUTE, "5m", "5m0s"),
            (90 * MINUTE, "1h30m", "1h30m0s"),
            (7 * DAY, "1w", "168h0m0s"),
            (8 * DAY, "8d", "192h0m0s"),
            (250 * MILLISECOND, "250ms", "250ms"),
            (1_500_000, "1.5ms", "1.5ms"),
            (100_000, "100µs", "100µs"),
            (-90 * SECOND, "-1m30s", "-1m30s"),
            (SECOND + SECOND / 2, "1s500ms", "1.5s"),
        ];
        for (nanos, prometheus, go) in cases {
            assert_eq!((format_prometheus(nanos).as_str(), format_go(nanos).as_str()), (prometheus, go), "{nanos}");
            assert_eq!(parse_literal(prometheus).or_else(|| parse_go(prometheus)), Some(nanos));
            assert_eq!(parse_go(go), Some(nanos));
        }
    }
}
