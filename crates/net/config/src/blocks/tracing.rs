//! `tracing`: export of traces.

use serde::{Deserialize, Serialize};

/// Export of traces.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct TracingConfig {
    /// Default empty: the value of `OTEL_EXPORTER_OTLP_ENDPOINT`, and without that no export. The URL
    /// of a collector that speaks OTLP over gRPC, such as `http://collector:4317`.
    pub otlp_endpoint: String,
}
