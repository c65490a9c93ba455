//! Parameters of read requests, and the formats in which Loki's clients write them.
//!
//! A request's parameters come from the query string and, for a POST with a form, from its body,
//! whose values go first. Nothing here knows which endpoint asks.

use skald_limits::Period;

const SECOND_NS: i64 = 1_000_000_000;

/// Integers of at most this many characters are seconds, longer ones nanoseconds.
const SECONDS_DIGITS_MAX: usize = 10;

/// The parameters of one request in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Params(Vec<(String, String)>);

impl Params {
    /// Reads `name=value&…` of a form body (may be empty), then of a query string.
    ///
    /// # Errors
    /// For broken percent escapes and bytes that are not UTF-8.
    pub fn parse(body: &str, query_string: &str) -> Result<Self, String> {
        let mut pairs = Vec::new();
        for pair in body.split('&').chain(query_string.split('&')).filter(|p| !p.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            pairs.push((unescape(name)?, unescape(value)?));
        }
        Ok(Self(pairs))
    }

    /// The first value of `name`, empty when there is none.
    pub fn get(&self, name: &str) -> &str {
        self.0.iter().find(|(n, _)| n == name).map_or("", |(_, value)| value)
    }

    /// All values of `name`.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(n, _)| n == name).map(|(_, value)| value.as_str())
    }
}

fn unescape(text: &str) -> Result<String, String> {
    let mut out = Vec::with_capacity(text.len());
    let bytes = text.as_bytes();
    let mut i = 0;
    while i < bytes.len() {
        match bytes[i] {
            b'+' => out.push(b' '),
            b'%' => {
                let digits = bytes.get(i + 1..i + 3).and_then(|d| std::str::from_utf8(d).ok());
                let byte = digits.and_then(|d| u8::from_str_radix(d, 16).ok()).ok_or_else(|| {
                    let shown = String::from_utf8_lossy(&bytes[i..bytes.len().min(i + 3)]).into_owned();
                    format!("invalid URL escape {shown:?}")
                })?;
                out.push(byte);
                i += 2;
            }
            other => out.push(other),
        }
        i += 1;
    }
    String::from_utf8(out).map_err(|_| "parameters must be UTF-8".to_owned())
}

/// An instant in nanoseconds: float seconds (kept to the millisecond), whole seconds, nanoseconds or RFC 3339.
///
/// # Errors
/// For anything else.
pub fn time(text: &str, default: i64) -> Result<i64, String> {
    if text.is_empty() {
        return Ok(default);
    }
    if text.contains('.')
        && let Ok(seconds) = text.parse::<f64>()
        && seconds.is_finite()
    {
        let millis = (seconds.fract() * 1000.0).round() as i64;
        return Ok((seconds.trunc() as i64).saturating_mul(SECOND_NS).saturating_add(millis * 1_000_000));
    }
    if let Ok(number) = text.parse::<i64>() {
        let seconds = text.len() <= SECONDS_DIGITS_MAX;
        return Ok(if seconds { number.saturating_mul(SECOND_NS) } else { number });
    }
    let rfc3339 = text.parse::<jiff::Timestamp>().ok().and_then(|t| i64::try_from(t.as_nanosecond()).ok());
    rfc3339.ok_or_else(|| format!("strconv.ParseInt: parsing {text:?}: invalid syntax"))
}

/// A length of time in nanoseconds, as Prometheus writes it (`5m`, `1h30m`, `7d`).
///
/// # Errors
/// For anything else.
pub fn duration(text: &str) -> Result<i64, String> {
    let period: Period = text.parse().map_err(|_| format!("not a valid duration string: {text:?}"))?;
    Ok(period.as_nanos())
}

/// A step or interval in nanoseconds: float seconds or a duration.
///
/// # Errors
/// For anything else.
pub fn seconds_or_duration(text: &str) -> Result<i64, String> {
    if let Ok(seconds) = text.parse::<f64>() {
        let nanos = seconds * SECOND_NS as f64;
        if !nanos.is_finite() || nanos.abs() >= i64::MAX as f64 {
            let message = format!("cannot parse {text:?} to a valid duration. It overflows int64");
            return Err(message);
        }
        return Ok(nanos as i64);
    }
    duration(text).map_err(|_| format!("cannot parse {text:?} to a valid duration"))
}

/// A whole number.
///
/// # Errors
/// For anything else.
pub fn integer(text: &str, default: i64) -> Result<i64, String> {
    if text.is_empty() {
        return Ok(default);
    }
    text.parse().map_err(|_| format!("strconv.Atoi: parsing {text:?}: invalid syntax"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_go_before_query_strings() {
        let params =
            Params::parse("query=%7Ba%3D%22b%22%7D&x=1", "x=2+3&y&match[]=a&match%5B%5D=b").expect("both parse");
        assert_eq!(params.get("query"), "{a=\"b\"}");
        assert_eq!(params.get("x"), "1");
        assert_eq!(params.get("y"), "");
        assert_eq!(params.all("x").collect::<Vec<_>>(), ["1", "2 3"]);
        assert_eq!(params.all("match[]").collect::<Vec<_>>(), ["a", "b"]);
        for (bad, text) in [("a=%zz", "invalid URL escape \"%zz\""), ("a=%4", "invalid URL escape \"%4\"")] {
            assert_eq!(Params::parse("", bad).err().as_deref(), Some(text));
        }
    }

    #[test]
    fn times() {
        let table = [
            ("", Ok(7)),
            ("1700000000", Ok(1_700_000_000 * SECOND_NS)),
            ("1700000000.5", Ok(1_700_000_000 * SECOND_NS + 500_000_000)),
            ("1700000000.1234", Ok(1_700_000_000 * SECOND_NS + 123_000_000)),
            ("1700000000000", Ok(1_700_000_000_000)),
            ("1700000000000000001", Ok(1_700_000_000_000_000_001)),
            ("-1", Ok(-SECOND_NS)),
            ("2023-11-14T22:13:20Z", Ok(1_700_000_000 * SECOND_NS)),
            ("2023-11-14T23:13:20.000000001+01:00", Ok(1_700_000_000 * SECOND_NS + 1)),
            ("x", Err("strconv.ParseInt: parsing \"x\": invalid syntax".to_owned())),
        ];
        for (text, expect) in table {
            assert_eq!(time(text, 7), expect, "{text}");
        }
    }

    #[test]
    fn steps() {
        let table = [
            ("15", Some(15 * SECOND_NS)),
            ("0.5", Some(SECOND_NS / 2)),
            ("1500ms", Some(1_500_000_000)),
            ("1h30m", Some(5_400 * SECOND_NS)),
            ("-1", Some(-SECOND_NS)),
            ("x", None),
            ("", None),
            ("1e30", None),
        ];
        for (text, expect) in table {
            assert_eq!(seconds_or_duration(text).ok(), expect, "{text}");
        }
    }
}
