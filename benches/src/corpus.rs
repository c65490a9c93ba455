//! Mixed logs as services write them: JSON access logs, logfmt, klog, and plain text. Most lines carry
//! a 128-bit random id, because real ones do and nothing compresses it.

use std::fmt::Write;

use crate::random::Random;

const METHODS: [&str; 5] = ["GET", "GET", "GET", "POST", "PUT"];
const PATHS: [&str; 8] = [
    "/api/v1/users",
    "/api/v1/orders",
    "/healthz",
    "/static/app.js",
    "/login",
    "/api/v2/cart/items",
    "/search",
    "/metrics",
];
const AGENTS: [&str; 4] =
    ["Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36", "curl/8.5.0", "okhttp/4.12.0", "kube-probe/1.31"];
const LEVELS: [&str; 10] = ["info", "info", "info", "info", "info", "info", "debug", "debug", "warn", "error"];
const MESSAGES: [&str; 8] = [
    "request completed",
    "cache miss, loading from database",
    "retrying upstream call",
    "connection pool exhausted, waiting for a free slot",
    "user session refreshed",
    "published event to queue",
    "slow query detected",
    "payment authorised",
];
const PODS: [&str; 6] = ["checkout", "catalog", "frontend", "payments", "search", "shipping"];

/// Which form the lines of a stream have.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    Json,
    Logfmt,
    Klog,
    Text,
}

impl Kind {
    /// Half JSON, a quarter logfmt, the rest text of two sorts.
    pub(crate) fn of_stream(stream: u64) -> Self {
        match stream % 8 {
            0..=3 => Self::Json,
            4 | 5 => Self::Logfmt,
            6 => Self::Klog,
            _ => Self::Text,
        }
    }
}

/// Writes one line into `out`, which is cleared first.
pub(crate) fn line(out: &mut String, kind: Kind, seconds: i64, r: &mut Random) {
    out.clear();
    let (second, minute, hour) = (seconds % 60, seconds / 60 % 60, seconds / 3600 % 24);
    let micros = r.below(1_000_000);
    let id = (u128::from(r.next()) << 64) | u128::from(r.next());
    let _ = match kind {
        Kind::Json => {
            let (method, path, agent) = (r.pick(&METHODS), r.pick(&PATHS), r.pick(&AGENTS));
            let status = *r.pick(&[200, 200, 200, 200, 201, 204, 304, 404, 500]);
            let (bytes, took) = (r.skewed(90_000), r.skewed(2_000_000));
            let (a, b, c) = (r.below(256), r.below(256), r.below(256));
            write!(
                out,
                r#"{{"time":"2026-01-01T{hour:02}:{minute:02}:{second:02}.{micros:06}Z","remote_addr":"10.{a}.{b}.{c}","method":"{method}","path":"{path}","status":{status},"bytes":{bytes},"request_time":{}.{:06},"trace_id":"{id:032x}","agent":"{agent}"}}"#,
                took / 1_000_000,
                took % 1_000_000,
            )
        }
        Kind::Logfmt => {
            let (level, message) = (r.pick(&LEVELS), r.pick(&MESSAGES));
            let (user, took) = (r.below(50_000), r.skewed(900));
            write!(
                out,
                r#"ts=2026-01-01T{hour:02}:{minute:02}:{second:02}.{micros:06}Z level={level} caller=handler.go:{} msg="{message}" user_id={user} latency={took}ms trace_id={id:032x}"#,
                r.below(400),
            )
        }
        Kind::Klog => {
            let letter = r.pick(&["I", "I", "I", "W", "E"]);
            let (pod, message) = (r.pick(&PODS), r.pick(&MESSAGES));
            write!(
                out,
                r#"{letter}0101 {hour:02}:{minute:02}:{second:02}.{micros:06}       1 controller.go:{}] "{message}" pod="default/{pod}-{:08x}" uid="{id:032x}" attempt={}"#,
                r.below(900),
                r.next() as u32,
                r.below(9),
            )
        }
        Kind::Text => {
            let (message, pod) = (r.pick(&MESSAGES), r.pick(&PODS));
            write!(
                out,
                "2026-01-01 {hour:02}:{minute:02}:{second:02},{:03} {} [{pod}-worker-{}] com.example.{pod}.Service - {message} (id {id:032x}, {} bytes from 10.0.{}.{}:{})",
                micros / 1000,
                r.pick(&LEVELS).to_uppercase(),
                r.below(16),
                r.skewed(1_000_000),
                r.below(256),
                r.below(256),
                1024 + r.below(60_000),
            )
        }
    };
}
