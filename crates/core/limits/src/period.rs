//! Durations in configuration: Go's form (`1h30m`, `1.5s`, `300ms`) and Prometheus' (`7d`, `4w`, `1y`).
//!
//! Loki accepts one or the other depending on the key; both are accepted everywhere here, since no
//! text means different things in the two.

use std::{fmt, str::FromStr, time::Duration};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A length of time, never negative.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Period(pub Duration);

/// Why a text is no duration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{text}' is not a duration: write numbers with units, such as 30s, 1h30m or 7d")]
pub struct PeriodError {
    /// The text as it came.
    text: String,
}

const NANOS_PER_SEC: u64 = 1_000_000_000;
const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;
const WEEK: u64 = 7 * DAY;
const YEAR: u64 = 365 * DAY;

/// Every unit with its length in nanoseconds.
const UNITS: [(&str, u64); 11] = [
    ("ns", 1),
    ("us", 1_000),
    ("µs", 1_000),
    ("ms", 1_000_000),
    ("s", NANOS_PER_SEC),
    ("m", MINUTE * NANOS_PER_SEC),
    ("h", HOUR * NANOS_PER_SEC),
    ("d", DAY * NANOS_PER_SEC),
    ("w", WEEK * NANOS_PER_SEC),
    ("y", YEAR * NANOS_PER_SEC),
    ("\u{3bc}s", 1_000),
];

impl Period {
    /// No time at all; for many settings this means "off".
    pub const ZERO: Self = Self(Duration::ZERO);

    /// `n` milliseconds.
    pub const fn millis(n: u64) -> Self {
        Self(Duration::from_millis(n))
    }

    /// `n` seconds.
    pub const fn secs(n: u64) -> Self {
        Self(Duration::from_secs(n))
    }

    /// `n` minutes.
    pub const fn minutes(n: u64) -> Self {
        Self::secs(n * MINUTE)
    }

    /// `n` hours.
    pub const fn hours(n: u64) -> Self {
        Self::secs(n * HOUR)
    }

    /// `n` days of 24 hours.
    pub const fn days(n: u64) -> Self {
        Self::secs(n * DAY)
    }

    /// Whether the length is zero.
    pub const fn is_zero(self) -> bool {
        self.0.is_zero()
    }

    /// The length as the standard library has it.
    pub const fn duration(self) -> Duration {
        self.0
    }

    /// The length in nanoseconds, as timestamps count; saturates.
    pub fn as_nanos(self) -> i64 {
        i64::try_from(self.0.as_nanos()).unwrap_or(i64::MAX)
    }
}

impl FromStr for Period {
    type Err = PeriodError;

    fn from_str(text: &str) -> Result<Self, PeriodError> {
        let error = || PeriodError { text: text.to_owned() };
        let mut rest = text.trim();
        if rest == "0" {
            return Ok(Self::ZERO);
        }
        if rest.is_empty() {
            return Err(error());
        }
        let mut nanos = 0_u64;
        while !rest.is_empty() {
            let number_len = rest.bytes().take_while(|b| b.is_ascii_digit() || *b == b'.').count();
            let (number, tail) = rest.split_at(number_len);
            let unit_len = tail.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(tail.len());
            let (unit, tail) = tail.split_at(unit_len);
            let factor = UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(error)?.1;
            let part = scaled(number, factor).ok_or_else(error)?;
            nanos = nanos.checked_add(part).ok_or_else(error)?;
            rest = tail;
        }
        Ok(Self(Duration::from_nanos(nanos)))
    }
}

/// `number` (digits with at most one point) times `factor`, rounded down; `None` if malformed or too large.
fn scaled(number: &str, factor: u64) -> Option<u64> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let mut total: u64 = if whole.is_empty() { 0 } else { whole.parse::<u64>().ok()?.checked_mul(factor)? };
    let mut weight = factor;
    for digit in fraction.bytes() {
        if !digit.is_ascii_digit() {
            return None;
        }
        weight /= 10;
        total = total.checked_add(weight * u64::from(digit - b'0'))?;
    }
    Some(total)
}

impl fmt::Display for Period {
    /// Prometheus' form: `30d1h`; years and weeks only where they come out even, since `90d` reads
    /// better than `12w6d`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = u64::try_from(self.0.as_nanos()).unwrap_or(u64::MAX);
        if rest == 0 {
            return f.write_str("0s");
        }
        for (unit, nanos, only_even) in [
            ("y", YEAR * NANOS_PER_SEC, true),
            ("w", WEEK * NANOS_PER_SEC, true),
            ("d", DAY * NANOS_PER_SEC, false),
            ("h", HOUR * NANOS_PER_SEC, false),
            ("m", MINUTE * NANOS_PER_SEC, false),
            ("s", NANOS_PER_SEC, false),
            ("ms", 1_000_000, false),
            ("us", 1_000, false),
            ("ns", 1, false),
        ] {
            if rest < nanos || (only_even && !rest.is_multiple_of(nanos)) {
                continue;
            }
            write!(f, "{}{unit}", rest / nanos)?;
            rest %= nanos;
        }
        Ok(())
    }
}

impl Serialize for Period {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Period {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Period;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a duration such as 1h30m")
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Period, E> {
                match number {
                    0 => Ok(Period::ZERO),
                    // Loki would read a bare number as nanoseconds, which nobody means.
                    _ => Err(E::custom(format_args!("duration {number} lacks a unit, such as {number}s"))),
                }
            }

            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Period, E> {
                Err(E::custom(format_args!("duration {number} cannot be negative")))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Period, E> {
                text.parse().map_err(E::custom)
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

#[cfg(test)]
mod tests {
    use super::Period;

    #[test]
    fn parses_and_prints() {
        let cases: &[(&str, Option<u128>, &str)] = &[
            ("0", Some(0), "0s"),
            ("0s", Some(0), "0s"),
            ("1h30m", Some(5_400_000_000_000), "1h30m"),
            ("1.5h", Some(5_400_000_000_000), "1h30m"),
            ("300ms", Some(300_000_000), "300ms"),
            ("7d", Some(604_800_000_000_000), "1w"),
            ("90d", Some(7_776_000_000_000_000), "90d"),
            ("721h", Some(2_595_600_000_000_000), "30d1h"),
            ("1y", Some(31_536_000_000_000_000), "1y"),
            ("15µs", Some(15_000), "15us"),
            ("1s1ns", Some(1_000_000_001), "1s1ns"),
            (".5s", Some(500_000_000), "500ms"),
            ("", None, ""),
            ("5", None, ""),
            ("-5m", None, ""),
            ("5 m", None, ""),
            ("1h.", None, ""),
            ("1..5h", None, ""),
            ("5x", None, ""),
            ("999999999y", None, ""),
        ];
        for (text, nanos, printed) in cases {
            let got = text.parse::<Period>();
            assert_eq!(got.as_ref().ok().map(|p| p.0.as_nanos()), *nanos, "{text}");
            if let Ok(period) = got {
                assert_eq!(period.to_string(), *printed, "{text}");
                assert_eq!(period.to_string().parse::<Period>().unwrap(), period, "{text}");
            }
        }
    }
}
