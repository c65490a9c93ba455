//! Durations and instants as people write them, and instants as the program prints them.

use std::time::Duration;

use anyhow::anyhow;
use jiff::{Timestamp, civil, tz::TimeZone};

use crate::{cli::RangeArgs, error::Usage};

/// Units of a duration, in nanoseconds.
const UNITS: [(&str, f64); 10] = [
    ("ns", 1.0),
    ("us", 1e3),
    ("µs", 1e3),
    ("ms", 1e6),
    ("s", 1e9),
    ("m", 60e9),
    ("h", 3_600e9),
    ("d", 86_400e9),
    ("w", 604_800e9),
    ("y", 31_536_000e9),
];

/// An instant as it was typed; it becomes one only with a clock and a time zone.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Moment {
    /// Nanoseconds since the epoch.
    At(i64),
    /// This long before now.
    BeforeNow(Duration),
    /// A date and time of the session's zone.
    Civil(civil::DateTime),
}

/// A time range in nanoseconds since the epoch; the end does not belong to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Range {
    /// First instant.
    pub(crate) start: i64,
    /// The instant after the last.
    pub(crate) end: i64,
}

impl Moment {
    /// Nanoseconds since the epoch.
    ///
    /// # Errors
    /// For a time that does not exist or that nanoseconds cannot hold (a usage error).
    pub(crate) fn resolve(&self, now: i64, zone: &TimeZone) -> anyhow::Result<i64> {
        match self {
            Self::At(nanos) => Ok(*nanos),
            Self::BeforeNow(before) => {
                Ok(now.saturating_sub_unsigned(before.as_nanos().try_into().unwrap_or(u64::MAX)))
            }
            Self::Civil(time) => {
                let zoned = time.to_zoned(zone.clone()).map_err(|e| anyhow!(Usage(format!("{time}: {e}"))))?;
                nanos(zoned.timestamp()).map_err(|text| anyhow!(Usage(text)))
            }
        }
    }
}

impl RangeArgs {
    /// The range they mean.
    ///
    /// # Errors
    /// When it is empty, or an end of it is no instant (usage errors).
    pub(crate) fn resolve(&self, now: i64, zone: &TimeZone) -> anyhow::Result<Range> {
        let end = self.to.resolve(now, zone)?;
        let start = match &self.from {
            Some(from) => from.resolve(now, zone)?,
            None => Moment::BeforeNow(self.since).resolve(end, zone)?,
        };
        if start >= end {
            let (start, end) = (rfc3339_nanos(start, zone), rfc3339_nanos(end, zone));
            return Err(anyhow!(Usage(format!("the range is empty: it begins at {start} and ends at {end}"))));
        }
        Ok(Range { start, end })
    }
}

/// `5m`, `1h30m`, `1.5h`, `7d`, `250ms`; a bare number is seconds.
pub(crate) fn parse_duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is no duration, expected for example 30s, 5m, 1h30m or 7d");
    if let Ok(seconds) = text.parse::<u32>() {
        return Ok(Duration::from_secs(seconds.into()));
    }
    let mut total = 0.0;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let number: f64 = rest[..digits].parse().map_err(|_| wrong())?;
        let after = &rest[digits..];
        let len = after.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(after.len());
        let unit = UNITS.iter().find(|(unit, _)| *unit == &after[..len]).map(|(_, nanos)| nanos);
        total += number * unit.ok_or_else(wrong)?;
        rest = &after[len..];
    }
    // Above 2^53 ns (104 days) a float no longer counts every nanosecond, which nobody types.
    if text.is_empty() || total > i64::MAX as f64 {
        return Err(wrong());
    }
    Ok(Duration::from_nanos(total as u64))
}

/// RFC 3339, a date, a date and time, `now`, `now-1h`, or a Unix time: its number of digits tells
/// whether it counts seconds (up to 11), milliseconds (to 14), microseconds (to 17) or nanoseconds.
pub(crate) fn parse_moment(text: &str) -> Result<Moment, String> {
    let wrong = || {
        format!("{text:?} is no time, expected for example 2024-01-31T10:00:00Z, 2024-01-31, now-15m or a Unix time")
    };
    if let Some(rest) = text.strip_prefix("now") {
        return match rest.strip_prefix('-') {
            None if rest.is_empty() => Ok(Moment::BeforeNow(Duration::ZERO)),
            Some(before) => Ok(Moment::BeforeNow(parse_duration(before)?)),
            None => Err(wrong()),
        };
    }
    if let Some(nanos) = unix(text) {
        return nanos.map(Moment::At).ok_or_else(wrong);
    }
    if let Ok(timestamp) = text.parse::<Timestamp>() {
        return nanos(timestamp).map(Moment::At);
    }
    // A zone in brackets would be ignored, and the session's taken instead.
    if text.contains('[') {
        return Err(wrong());
    }
    text.parse::<civil::DateTime>().map(Moment::Civil).map_err(|_| wrong())
}

/// `None` for what is no number, `Some(None)` for one out of range.
fn unix(text: &str) -> Option<Option<i64>> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    if let Some((whole, fraction)) = digits.split_once('.') {
        let number = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        if !number(whole) || !number(fraction) {
            return None;
        }
        let seconds: f64 = text.parse().ok()?;
        return Some((seconds.abs() < 9.2e9).then(|| (seconds * 1e6).round() as i64 * 1000));
    }
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let scale = match digits.len() {
        ..=11 => 1_000_000_000,
        12..=14 => 1_000_000,
        15..=17 => 1000,
        _ => 1,
    };
    Some(text.parse::<i64>().ok().and_then(|number| number.checked_mul(scale)))
}

fn nanos(timestamp: Timestamp) -> Result<i64, String> {
    i64::try_from(timestamp.as_nanosecond()).map_err(|_| format!("{timestamp} lies outside the years 1677 to 2262"))
}

/// RFC 3339 with milliseconds: what people read, always equally long.
pub(crate) fn rfc3339_millis(nanos: i64, zone: &TimeZone) -> String {
    format(nanos, zone, "%Y-%m-%dT%H:%M:%S%.3f")
}

/// RFC 3339 with as many digits as the instant has: what programs read.
pub(crate) fn rfc3339_nanos(nanos: i64, zone: &TimeZone) -> String {
    format(nanos, zone, "%Y-%m-%dT%H:%M:%S%.f")
}

fn format(nanos: i64, zone: &TimeZone, pattern: &str) -> String {
    let timestamp =
        Timestamp::from_nanosecond(nanos.into()).expect("the calendar is wider than 64 bits of nanoseconds");
    let zoned = timestamp.to_zoned(zone.clone());
    let offset = if zoned.offset().is_zero() { "Z".to_owned() } else { zoned.strftime("%:z").to_string() };
    format!("{}{offset}", zoned.strftime(pattern))
}

/// The seconds of a step or interval parameter, as the server reads them.
pub(crate) fn seconds(duration: Duration) -> String {
    duration.as_secs_f64().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_700_000_000_000_000_000;

    #[test]
    fn durations() {
        let cases = [
            ("5m", Some(300_000_000_000)),
            ("1h30m", Some(5_400_000_000_000)),
            ("1.5h", Some(5_400_000_000_000)),
            ("7d", Some(604_800_000_000_000)),
            ("1w", Some(604_800_000_000_000)),
            ("250ms", Some(250_000_000)),
            ("1us", Some(1000)),
            ("1µs", Some(1000)),
            ("5ns", Some(5)),
            ("0s", Some(0)),
            ("90", Some(90_000_000_000)),
            ("0", Some(0)),
            ("", None),
            ("m", None),
            ("5", Some(5_000_000_000)),
            ("5m3", None),
            ("5 m", None),
            ("-5m", None),
            ("1..5h", None),
            ("5x", None),
            ("1000y", None),
        ];
        for (text, expect) in cases {
            assert_eq!(parse_duration(text).ok(), expect.map(Duration::from_nanos), "{text}");
        }
    }

    #[test]
    fn moments() {
        let oslo = TimeZone::get("Europe/Oslo").unwrap();
        let cases = [
            ("now", Some(NOW)),
            ("now-1h", Some(NOW - 3_600_000_000_000)),
            ("now-", None),
            ("nowish", None),
            ("1700000000", Some(NOW)),
            ("1700000000000", Some(NOW)),
            ("1700000000000000", Some(NOW)),
            ("1700000000000000001", Some(NOW + 1)),
            ("1700000000.5", Some(NOW + 500_000_000)),
            ("-1", Some(-1_000_000_000)),
            ("0", Some(0)),
            ("99999999999999999999", None),
            ("2023-11-14T22:13:20Z", Some(NOW)),
            ("2023-11-14T23:13:20.000000001+01:00", Some(NOW + 1)),
            ("2023-11-14T23:13:20", Some(NOW)),
            ("2023-11-14 23:13:20", Some(NOW)),
            ("2023-11-14", Some(1_699_916_400_000_000_000)),
            ("2023-02-29T00:00:00Z", None),
            ("9999-01-01T00:00:00Z", None),
            ("yesterday", None),
            ("", None),
            ("1.", None),
        ];
        for (text, expect) in cases {
            let got = parse_moment(text).ok().and_then(|moment| moment.resolve(NOW, &oslo).ok());
            assert_eq!(got, expect, "{text}");
        }
    }

    #[test]
    fn ranges() {
        let hour = 3_600_000_000_000;
        let cases = [
            (None, "now", Some((NOW - hour, NOW))),
            (None, "1700003600", Some((NOW, NOW + hour))),
            (Some("now-2h"), "now-1h", Some((NOW - 2 * hour, NOW - hour))),
            (Some("now"), "now", None),
            (Some("now"), "now-1h", None),
        ];
        for (from, to, expect) in cases {
            let args = RangeArgs {
                since: Duration::from_secs(3600),
                from: from.map(|text| parse_moment(text).unwrap()),
                to: parse_moment(to).unwrap(),
            };
            let got = args.resolve(NOW, &TimeZone::UTC).ok();
            assert_eq!(got, expect.map(|(start, end)| Range { start, end }), "{from:?} {to}");
        }
    }

    #[test]
    fn printed_instants() {
        let cases = [
            ("UTC", NOW, "2023-11-14T22:13:20.000Z", "2023-11-14T22:13:20Z"),
            ("UTC", NOW + 120_000_000, "2023-11-14T22:13:20.120Z", "2023-11-14T22:13:20.12Z"),
            ("Europe/Oslo", NOW + 1, "2023-11-14T23:13:20.000+01:00", "2023-11-14T23:13:20.000000001+01:00"),
            ("UTC", -1, "1969-12-31T23:59:59.999Z", "1969-12-31T23:59:59.999999999Z"),
            ("UTC", i64::MAX, "2262-04-11T23:47:16.854Z", "2262-04-11T23:47:16.854775807Z"),
        ];
        for (zone, nanos, millis, full) in cases {
            let zone = TimeZone::get(zone).unwrap();
            assert_eq!(rfc3339_millis(nanos, &zone), millis);
            assert_eq!(rfc3339_nanos(nanos, &zone), full);
        }
    }
}
