//! Rate limits per tenant and per stream, and the measured rates by which hot streams are split.

use std::{collections::HashMap, sync::Arc};

use parking_lot::Mutex;
use skald_limits::{Limits, RateLimiter};
use skald_model::{Labels, TenantId, Timestamp};

/// Streams whose rate is remembered. Beyond it the idle ones are forgotten, and if all are busy a new
/// stream counts as slow: it is not split, nothing else changes.
const STREAMS_MAX: usize = 200_000;

/// A stream that was silent this long is forgotten when room is needed, and starts with an empty average.
const IDLE_NS: i64 = 60 * 1_000_000_000;

/// The span over which a stream's rate is averaged.
const AVERAGE_NS: f64 = 10.0 * 1e9;

/// Token buckets of all tenants.
#[derive(Debug, Default)]
pub(crate) struct TenantRates(Mutex<HashMap<TenantId, RateLimiter>>);

impl TenantRates {
    /// Takes `bytes` from the tenant's bucket, all or nothing. `rate` and `burst` are bytes per second
    /// and bytes; they may change between calls.
    pub(crate) fn allow(&self, tenant: &TenantId, rate: f64, burst: f64, now: Timestamp, bytes: u64) -> bool {
        let mut tenants = self.0.lock();
        let limiter = tenants.entry(tenant.clone()).or_insert_with(|| RateLimiter::new(rate, burst, now));
        if limiter.rate() != rate || limiter.burst() != burst {
            limiter.set(rate, burst, now);
        }
        limiter.allow(now, bytes)
    }
}

/// What is decided for one stream of one push.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StreamVerdict {
    /// Over its rate limit: refuse.
    Limited,
    /// Take it, dealt to this many streams (1: as it is).
    Shards(u32),
}

/// Measured rates of streams, as this distributor sees them.
#[derive(Debug, Default)]
pub(crate) struct StreamRates(Mutex<HashMap<(Arc<str>, u64), StreamRate>>);

#[derive(Debug)]
struct StreamRate {
    /// Bytes per second, averaged.
    average: f64,
    at: Timestamp,
    limiter: RateLimiter,
}

impl StreamRates {
    /// Counts `bytes` of `labels` and decides.
    pub(crate) fn admit(
        &self,
        tenant: &TenantId,
        labels: &Labels,
        bytes: u64,
        limits: &Limits,
        now: Timestamp,
    ) -> StreamVerdict {
        let rate_max = limits.per_stream_rate_limit.0 as f64;
        let burst = limits.per_stream_rate_limit_burst.0 as f64;
        let desired = limits.shard_streams.desired_rate.0;
        let sharded = limits.shard_streams.enabled && desired > 0;
        let mut streams = self.0.lock();
        if streams.len() >= STREAMS_MAX {
            streams.retain(|_, s| now.as_nanos().saturating_sub(s.at.as_nanos()) < IDLE_NS);
            if streams.len() >= STREAMS_MAX {
                return StreamVerdict::Shards(1);
            }
        }
        let key = (Arc::from(tenant.as_str()), labels.hash64());
        let stream = streams.entry(key).or_insert_with(|| StreamRate {
            average: 0.0,
            at: now,
            limiter: RateLimiter::new(rate_max, burst, now),
        });
        let elapsed = now.as_nanos().saturating_sub(stream.at.as_nanos()).max(0) as f64;
        stream.average = stream.average * (-elapsed / AVERAGE_NS).exp() + bytes as f64 / (AVERAGE_NS / 1e9);
        stream.at = now;
        let shards = match sharded {
            true => ((stream.average + bytes as f64) / desired as f64).ceil().clamp(1.0, f64::from(u16::MAX)) as u32,
            false => 1,
        };
        if stream.limiter.rate() != rate_max || stream.limiter.burst() != burst {
            stream.limiter.set(rate_max, burst, now);
        }
        // Each part of a split stream has the limit of a stream.
        let share = bytes.div_ceil(u64::from(shards));
        match rate_max == 0.0 || stream.limiter.allow(now, share) {
            true => StreamVerdict::Shards(shards),
            false => StreamVerdict::Limited,
        }
    }
}

#[cfg(test)]
mod tests {
    use skald_limits::{ByteSize, ShardStreams};

    use super::*;

    const SECOND: i64 = 1_000_000_000;

    #[test]
    fn a_tenant_is_limited_all_or_nothing_and_recovers() {
        let rates = TenantRates::default();
        let tenant = TenantId::new("a").expect("valid");
        let cases = [(0, 80, true), (0, 30, false), (0, 20, true), (1, 11, false), (1, 10, true)];
        for (second, bytes, expect) in cases {
            assert_eq!(
                rates.allow(&tenant, 10.0, 100.0, Timestamp(second * SECOND), bytes),
                expect,
                "{second} {bytes}"
            );
        }
    }

    #[test]
    fn a_hot_stream_is_split_and_cools_down() {
        let limits = Limits {
            shard_streams: ShardStreams { enabled: true, desired_rate: ByteSize(100) },
            per_stream_rate_limit: ByteSize(0),
            ..Limits::default()
        };
        let rates = StreamRates::default();
        let tenant = TenantId::new("a").expect("valid");
        let labels = Labels::from_pairs([("app", "x")]);
        let at = |second: i64, bytes| rates.admit(&tenant, &labels, bytes, &limits, Timestamp(second * SECOND));
        assert_eq!(at(0, 50), StreamVerdict::Shards(1));
        for second in 1..60 {
            at(second, 400);
        }
        assert_eq!(at(60, 400), StreamVerdict::Shards(9), "about 400 a second and 400 at once");
        assert_eq!(at(600, 50), StreamVerdict::Shards(1));
    }

    #[test]
    fn a_stream_has_a_limit_of_its_own() {
        let limits = Limits {
            shard_streams: ShardStreams { enabled: false, ..ShardStreams::default() },
            per_stream_rate_limit: ByteSize(10),
            per_stream_rate_limit_burst: ByteSize(100),
            ..Limits::default()
        };
        let rates = StreamRates::default();
        let tenant = TenantId::new("a").expect("valid");
        let labels = Labels::from_pairs([("app", "x")]);
        assert_eq!(rates.admit(&tenant, &labels, 100, &limits, Timestamp(0)), StreamVerdict::Shards(1));
        assert_eq!(rates.admit(&tenant, &labels, 1, &limits, Timestamp(0)), StreamVerdict::Limited);
    }
}
