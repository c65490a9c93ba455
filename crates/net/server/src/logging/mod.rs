//! Log lines on standard error: logfmt or JSON, one line per event, each with the fields of the spans
//! around it (the request id among them), at a level that changes while the process runs. With
//! `tracing.otlp_endpoint` set, the spans are also exported as traces.

mod layer;
mod line;
mod traces;

use std::sync::Arc;

use parking_lot::Mutex;
use skald_config::{Config, LogLevel};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::{Registry, filter::Targets, layer::SubscriberExt, reload, util::SubscriberInitExt};

use traces::Traces;

/// The name under which traces of every process stand; the spans say which part of it they are.
const SERVICE: &str = "skald";

/// Libraries that have much to say about things only their authors care about.
const QUIET: [&str; 8] = ["h2", "hyper", "hyper_util", "tower", "tonic", "rustls", "reqwest", "opentelemetry"];

/// The level of the process's log. Clones change the same one.
#[derive(Clone)]
pub struct LogHandle {
    level: Arc<Mutex<LogLevel>>,
    filter: Option<reload::Handle<Targets, Registry>>,
    traces: Option<Traces>,
}

/// Why logging could not start.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// Somebody else took the process's log already.
    #[error("logging was started before")]
    AlreadyStarted,
    /// Traces cannot be exported there.
    #[error("tracing.otlp_endpoint '{endpoint}': {reason}")]
    Traces {
        /// The endpoint as configured.
        endpoint: String,
        /// What is wrong with it.
        reason: String,
    },
}

/// Starts logging as `config` says, and the export of traces if it names an endpoint; once per process,
/// inside its tokio runtime.
///
/// # Errors
/// If logging was started before, or the endpoint of traces is none.
pub fn init(config: &Config) -> Result<LogHandle, LogError> {
    let level = config.server.log_level;
    let (filter, handle) = reload::Layer::new(targets(level));
    let lines = layer::LogLines::new(config.server.log_format);
    let endpoint = config.tracing.otlp_endpoint.as_str();
    let traces = if endpoint.is_empty() { None } else { Some(Traces::to(endpoint, SERVICE)?) };
    let export = traces.as_ref().map(|traces| tracing_opentelemetry::layer().with_tracer(traces.tracer()));
    let registry = tracing_subscriber::registry().with(filter).with(lines).with(export);
    registry.try_init().map_err(|_| LogError::AlreadyStarted)?;
    Ok(LogHandle { level: Arc::new(Mutex::new(level)), filter: Some(handle), traces })
}

impl LogHandle {
    /// A handle on nothing, for tests and tools that do not log.
    pub fn detached() -> Self {
        Self { level: Arc::new(Mutex::new(LogLevel::default())), filter: None, traces: None }
    }

    /// Exports the traces that are left; for the end of the process. Bounded by a few seconds.
    pub async fn finish(&self) {
        if let Some(traces) = self.traces.clone() {
            // It blocks, and it cannot panic; a runtime that is going down has cancelled it.
            let _ = tokio::task::spawn_blocking(move || traces.shutdown()).await;
        }
    }

    /// The level now.
    pub fn level(&self) -> LogLevel {
        *self.level.lock()
    }

    /// Changes the level for the whole process.
    pub fn set_level(&self, level: LogLevel) {
        *self.level.lock() = level;
        if let Some(filter) = &self.filter {
            // It fails only when the subscriber is gone, that is at the very end of the process.
            let _ = filter.reload(targets(level));
        }
    }
}

fn targets(level: LogLevel) -> Targets {
    let level = match level {
        LogLevel::Trace => LevelFilter::TRACE,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Error => LevelFilter::ERROR,
    };
    let quiet = level.min(LevelFilter::WARN);
    Targets::new().with_default(level).with_targets(QUIET.map(|target| (target, quiet)))
}
