//! Per-tenant limits: names, defaults, and the pure rate limiter.
