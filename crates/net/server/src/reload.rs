//! The overrides file, read at start and again whenever it changes. A bad file changes nothing: what
//! held before goes on holding, a metric says so, and a log line says why.

use std::{path::PathBuf, sync::Arc, time::Duration};

use skald_config::{Config, ConfigError, LimitsHandle, overrides};
use skald_limits::{Limits, LimitsTable};
use tokio_util::sync::CancellationToken;

use crate::Metrics;

/// Watches the overrides file on behalf of a [`LimitsHandle`].
pub struct Overrides {
    file: PathBuf,
    period: Duration,
    base: Limits,
    handle: LimitsHandle,
    metrics: Metrics,
    /// The text last read, so that an unchanged file costs no parse and an unchanged mistake no log line.
    last: Arc<str>,
}

/// Why the overrides could not be used at start.
#[derive(Debug, thiserror::Error)]
pub enum OverridesError {
    /// The file cannot be read.
    #[error("{file}: {error}")]
    Read {
        /// The file.
        file: String,
        /// What the system said.
        error: std::io::Error,
    },
    /// The file has mistakes.
    #[error(transparent)]
    Content(#[from] ConfigError),
}

impl Overrides {
    /// Reads what `config` names; without a file the handle has the default limits for everybody.
    ///
    /// # Errors
    /// If the file cannot be read or used: a start with wrong limits is refused.
    pub async fn load(config: &Config, metrics: Metrics) -> Result<Self, OverridesError> {
        let base = config.limits_config.clone();
        let mut this = Self {
            file: config.runtime_config.file.clone(),
            period: config.runtime_config.period.duration(),
            handle: LimitsHandle::new(LimitsTable::new(base.clone())),
            base,
            metrics,
            last: "".into(),
        };
        if !this.file.as_os_str().is_empty() {
            this.reload().await?;
        }
        Ok(this)
    }

    /// The limits as they are now.
    pub fn handle(&self) -> LimitsHandle {
        self.handle.clone()
    }

    /// Looks at the file once per period until `shutdown`. Returns at once if there is no file.
    pub async fn run(mut self, shutdown: CancellationToken) {
        if self.file.as_os_str().is_empty() {
            return;
        }
        let mut ticks = tokio::time::interval(self.period);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            // Nothing is under way while waiting.
            tokio::select! {
                () = shutdown.cancelled() => return,
                _ = ticks.tick() => {}
            }
            if let Err(error) = self.reload().await {
                tracing::error!(%error, "overrides not reloaded, the limits from before go on holding");
            }
        }
    }

    /// Reads the file and, if it changed, puts its limits in place. Returns whether it changed.
    ///
    /// # Errors
    /// If it cannot be read or used; an unchanged mistake is reported only once.
    pub async fn reload(&mut self) -> Result<bool, OverridesError> {
        let path = self.file.clone();
        let name = self.file.display().to_string();
        let read = tokio::task::spawn_blocking(move || std::fs::read_to_string(path)).await;
        let read = read.unwrap_or_else(|error| Err(std::io::Error::other(error)));
        let gauge = &self.metrics.own().reload_successful;
        let text = read.map_err(|error| {
            gauge.set(0);
            OverridesError::Read { file: name.clone(), error }
        })?;
        if *self.last == *text {
            return Ok(false);
        }
        self.last = text.as_str().into();
        let (table, warnings) = overrides::parse(&name, &text, &self.base).inspect_err(|_| {
            gauge.set(0);
        })?;
        gauge.set(1);
        for warning in warnings {
            tracing::warn!(%warning, "overrides");
        }
        tracing::info!(file = %name, tenants = table.tenants().count(), "overrides loaded");
        self.handle.replace(table);
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use skald_model::TenantId;

    #[tokio::test]
    async fn a_bad_file_keeps_the_last_good_one() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("overrides.yaml");
        let write = |text: &str| std::fs::write(&file, text).unwrap();
        let mut config = Config::default();
        config.runtime_config.file = file.clone();
        let metrics = Metrics::default();
        let series = |handle: &LimitsHandle| handle.for_tenant(&TenantId::new("a").unwrap()).max_query_series;

        assert!(matches!(Overrides::load(&config, metrics.clone()).await, Err(OverridesError::Read { .. })));
        write("overrides: {a: {max_query_series: 7}}");
        let mut overrides = Overrides::load(&config, metrics.clone()).await.unwrap();
        let handle = overrides.handle();
        assert_eq!(series(&handle), 7);
        assert!(!overrides.reload().await.unwrap());

        write("overrides: {a: {max_query_serie: 8}}");
        assert!(overrides.reload().await.unwrap_err().to_string().contains("did you mean 'max_query_series'"));
        assert_eq!(series(&handle), 7);
        assert!(metrics.encode().contains("loki_runtime_config_last_reload_successful 0"));
        // The same mistake again is no news, and still a failure for the metric.
        assert!(!overrides.reload().await.unwrap());
        assert!(metrics.encode().contains("loki_runtime_config_last_reload_successful 0"));

        write("overrides: {a: {max_query_series: 8}}");
        assert!(overrides.reload().await.unwrap());
        assert_eq!(series(&handle), 8);
        assert!(metrics.encode().contains("loki_runtime_config_last_reload_successful 1"));
    }
}
