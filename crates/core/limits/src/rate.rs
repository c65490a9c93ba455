//! A token bucket that is told the time, so that it can be tested and simulated.

use skald_model::Timestamp;

/// Allows `rate` units per second on average and up to `burst` units at once.
///
/// The bucket starts full. A request larger than `burst` can never succeed: that is what tells a
/// client whose batches are too large apart from one that sends too many.
#[derive(Clone, Debug)]
pub struct RateLimiter {
    /// Units per second.
    rate: f64,
    /// Size of the bucket in units.
    burst: f64,
    /// Units in the bucket at `at`.
    tokens: f64,
    /// When `tokens` was computed.
    at: Timestamp,
}

impl RateLimiter {
    /// A full bucket at `now`. Negative or non-finite values count as zero.
    pub fn new(rate: f64, burst: f64, now: Timestamp) -> Self {
        let (rate, burst) = (usable(rate), usable(burst));
        Self { rate, burst, tokens: burst, at: now }
    }

    /// Takes `n` units if they are there; takes nothing otherwise.
    pub fn allow(&mut self, now: Timestamp, n: u64) -> bool {
        self.refill(now);
        let n = n as f64;
        let allowed = n <= self.tokens;
        if allowed {
            self.tokens -= n;
        }
        allowed
    }

    /// Changes rate and burst from `now` on; what was earned before stays, up to the new burst.
    pub fn set(&mut self, rate: f64, burst: f64, now: Timestamp) {
        self.refill(now);
        (self.rate, self.burst) = (usable(rate), usable(burst));
        self.tokens = self.tokens.min(self.burst);
    }

    /// Units per second.
    pub fn rate(&self) -> f64 {
        self.rate
    }

    /// Size of the bucket in units.
    pub fn burst(&self) -> f64 {
        self.burst
    }

    /// A clock that steps back earns nothing and loses nothing.
    fn refill(&mut self, now: Timestamp) {
        let elapsed_ns = now.as_nanos().saturating_sub(self.at.as_nanos());
        if elapsed_ns > 0 {
            self.tokens = (self.tokens + self.rate * elapsed_ns as f64 / 1e9).min(self.burst);
        }
        self.at = now;
    }
}

fn usable(value: f64) -> f64 {
    if value.is_finite() { value.max(0.0) } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::{RateLimiter, Timestamp};

    #[test]
    fn bucket() {
        let at = |ms: i64| Timestamp::from_millis(ms);
        let mut limiter = RateLimiter::new(100.0, 200.0, at(0));
        // (time in ms, units asked, allowed)
        let cases = [
            (0, 201, false),
            (0, 200, true),
            (0, 1, false),
            (500, 51, false),
            (500, 50, true),
            (400, 1, false),
            (1_400, 100, true),
            (100_000, 200, true),
            (100_000, 1, false),
        ];
        for (ms, n, allowed) in cases {
            assert_eq!(limiter.allow(at(ms), n), allowed, "{ms} ms, {n} units");
        }
        limiter.set(10.0, 5.0, at(200_000));
        assert!(limiter.allow(at(200_000), 5));
        assert!(!limiter.allow(at(200_000), 1));
    }

    #[test]
    fn nonsense_rates_allow_nothing() {
        let mut limiter = RateLimiter::new(f64::NAN, -1.0, Timestamp(0));
        assert!(!limiter.allow(Timestamp(0), 1));
    }
}
