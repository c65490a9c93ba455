//! Sizes in configuration: `256KB` is 262 144 bytes, as in Loki's files (units are powers of 1024).
//!
//! LogQL's byte literals count in thousands; they are parsed by LogQL, not here.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A number of bytes, written as `64MB`, `1536KB` or a plain number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ByteSize(pub u64);

/// Why a text is no size.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{text}' is not a size: write a whole number and one of B, KB, MB, GB, TB, such as 256KB")]
pub struct ByteSizeError {
    /// The text as it came.
    text: String,
}

/// Units from small to large; each is 1024 of the one before.
const UNITS: [&str; 6] = ["B", "KB", "MB", "GB", "TB", "PB"];

impl ByteSize {
    /// `n` times 1024 bytes.
    pub const fn kib(n: u64) -> Self {
        Self(n << 10)
    }

    /// `n` times 1024² bytes.
    pub const fn mib(n: u64) -> Self {
        Self(n << 20)
    }

    /// `n` times 1024³ bytes.
    pub const fn gib(n: u64) -> Self {
        Self(n << 30)
    }

    /// The size in bytes.
    pub const fn bytes(self) -> u64 {
        self.0
    }

    /// The size as a length in memory; saturates where `usize` is narrower.
    pub fn as_usize(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

impl FromStr for ByteSize {
    type Err = ByteSizeError;

    fn from_str(text: &str) -> Result<Self, ByteSizeError> {
        let error = || ByteSizeError { text: text.to_owned() };
        let trimmed = text.trim();
        let digits = trimmed.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = trimmed.split_at(digits);
        let number: u64 = number.parse().map_err(|_| error())?;
        let unit = unit.trim().to_ascii_uppercase().replace("IB", "B");
        let power = match unit.as_str() {
            "" => 0,
            _ => UNITS.iter().position(|u| *u == unit || u.trim_end_matches('B') == unit).ok_or_else(error)?,
        };
        let factor = 1_u64.checked_shl(10 * u32::try_from(power).unwrap_or(u32::MAX)).ok_or_else(error)?;
        number.checked_mul(factor).map(Self).ok_or_else(error)
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (mut number, mut power) = (self.0, 0);
        while number != 0 && number % 1024 == 0 && power + 1 < UNITS.len() {
            number /= 1024;
            power += 1;
        }
        write!(f, "{number}{}", UNITS[power])
    }
}

impl Serialize for ByteSize {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ByteSize {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = ByteSize;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a size such as 256KB")
            }

            fn visit_u64<E: de::Error>(self, bytes: u64) -> Result<ByteSize, E> {
                Ok(ByteSize(bytes))
            }

            fn visit_i64<E: de::Error>(self, bytes: i64) -> Result<ByteSize, E> {
                u64::try_from(bytes).map(ByteSize).map_err(|_| E::custom("a size cannot be negative"))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<ByteSize, E> {
                text.parse().map_err(E::custom)
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

#[cfg(test)]
mod tests {
    use super::ByteSize;

    #[test]
    fn parses_and_prints() {
        let cases: &[(&str, Option<u64>, &str)] = &[
            ("0", Some(0), "0B"),
            ("0B", Some(0), "0B"),
            ("256KB", Some(262_144), "256KB"),
            ("256kb", Some(262_144), "256KB"),
            ("256K", Some(262_144), "256KB"),
            ("256KiB", Some(262_144), "256KB"),
            ("3 MB", Some(3 << 20), "3MB"),
            ("1536KB", Some(1536 << 10), "1536KB"),
            ("150GB", Some(150 << 30), "150GB"),
            ("4194304", Some(4 << 20), "4MB"),
            ("1000", Some(1000), "1000B"),
            ("1.5MB", None, ""),
            ("-1B", None, ""),
            ("12XB", None, ""),
            ("KB", None, ""),
            ("99999999999PB", None, ""),
        ];
        for (text, bytes, printed) in cases {
            let got = text.parse::<ByteSize>();
            assert_eq!(got.as_ref().ok().map(|s| s.0), *bytes, "{text}");
            if let Ok(size) = got {
                assert_eq!(size.to_string(), *printed, "{text}");
                assert_eq!(size.to_string().parse::<ByteSize>().unwrap(), size, "{text}");
            }
        }
    }
}
