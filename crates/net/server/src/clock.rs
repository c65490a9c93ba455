//! The wall clock as a value, so that tests and simulations can hand in another.

use std::{
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

/// Nanoseconds since the Unix epoch, asked anew at every call.
pub type Clock = Arc<dyn Fn() -> i64 + Send + Sync>;

/// The machine's clock.
pub fn system_clock() -> Clock {
    Arc::new(now_ns)
}

/// The machine's clock, read once. Before 1970 it is 0, after 2262 the largest instant.
fn now_ns() -> i64 {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(elapsed.as_nanos()).unwrap_or(i64::MAX)
}
