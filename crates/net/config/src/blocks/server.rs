//! `server`: ports, message sizes, logs.

use serde::{Deserialize, Serialize};
use skald_limits::{ByteSize, Period};

/// The least severe message that is logged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    /// Everything, down to single steps.
    Trace,
    /// What a developer wants to know.
    Debug,
    /// What an operator wants to know.
    #[default]
    Info,
    /// What an operator should look at.
    Warn,
    /// What is broken.
    Error,
}

impl LogLevel {
    /// The level as it is written.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Trace => "trace",
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }
}

impl std::str::FromStr for LogLevel {
    type Err = UnknownLogLevel;

    fn from_str(text: &str) -> Result<Self, UnknownLogLevel> {
        let all = [Self::Trace, Self::Debug, Self::Info, Self::Warn, Self::Error];
        all.into_iter().find(|level| level.name() == text).ok_or_else(|| UnknownLogLevel(text.to_owned()))
    }
}

/// A text that names no level.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unrecognized log level \"{0}\"")]
pub struct UnknownLogLevel(String);

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// `level=info ts=... msg="..." key=value`.
    #[default]
    Logfmt,
    /// One JSON object per line.
    Json,
}

/// Ports, message sizes, logs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ServerConfig {
    /// Default empty: every interface. The address both ports listen on.
    pub http_listen_address: String,
    /// Default `3100`. Pushes, queries, status pages. `0`: any free port.
    pub http_listen_port: u16,
    /// Default `9095`. Calls between services. `0`: any free port.
    pub grpc_listen_port: u16,
    /// Default empty. A path such as `/logs` put before every HTTP route.
    pub http_path_prefix: String,
    /// Default `128MB`, both directions. Must hold the largest push and the largest answer of an ingester.
    pub grpc_server_max_recv_msg_size: ByteSize,
    /// Default `30s`. How long requests in flight may take once the process is asked to stop.
    pub graceful_shutdown_timeout: Period,
    /// Default `info`; changes at run time through `/log_level`.
    pub log_level: LogLevel,
    /// Default `logfmt`.
    pub log_format: LogFormat,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            http_listen_address: String::new(),
            http_listen_port: 3100,
            grpc_listen_port: 9095,
            http_path_prefix: String::new(),
            grpc_server_max_recv_msg_size: ByteSize::mib(128),
            graceful_shutdown_timeout: Period::secs(30),
            log_level: LogLevel::Info,
            log_format: LogFormat::Logfmt,
        }
    }
}
