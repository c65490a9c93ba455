//! Time as the project stores it: nanoseconds since the Unix epoch in an `i64`.

use std::fmt;

/// Nanoseconds since 1970-01-01T00:00:00Z. Negative values are before it; the type holds years 1677 to 2262.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// The earliest instant the type can hold.
    pub const MIN: Self = Self(i64::MIN);
    /// The latest instant the type can hold.
    pub const MAX: Self = Self(i64::MAX);

    /// From whole milliseconds since the epoch; saturates at the ends of the range.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis.saturating_mul(1_000_000))
    }

    /// From whole seconds since the epoch; saturates at the ends of the range.
    pub const fn from_secs(secs: i64) -> Self {
        Self(secs.saturating_mul(1_000_000_000))
    }

    /// Nanoseconds since the epoch.
    pub const fn as_nanos(self) -> i64 {
        self.0
    }

    /// Milliseconds since the epoch, rounded towards the past.
    pub const fn as_millis(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    /// This instant moved by `nanos` (negative: into the past), saturating.
    pub const fn saturating_add(self, nanos: i64) -> Self {
        Self(self.0.saturating_add(nanos))
    }

    /// This instant moved into the past by `nanos`, saturating.
    pub const fn saturating_sub(self, nanos: i64) -> Self {
        Self(self.0.saturating_sub(nanos))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::Timestamp;

    #[test]
    fn millis_round_towards_the_past() {
        for (nanos, millis) in [(0, 0), (999_999, 0), (1_000_000, 1), (-1, -1), (-1_000_000, -1)] {
            assert_eq!(Timestamp(nanos).as_millis(), millis, "{nanos}");
        }
        assert_eq!(Timestamp::from_secs(i64::MAX), Timestamp::MAX);
    }
}
