//! HTTP and gRPC kit: listeners, lifecycle, readiness, metrics, tracing, admin pages.
