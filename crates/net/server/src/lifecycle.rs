//! The life of a process: which services it runs, in which state each is, whether it is ready, and in
//! which order it stops.
//!
//! Services register once and then report their state. Stopping is: mark the process as stopping (so
//! that `/ready` says so and load balancers look elsewhere), run the drain steps against the order in which
//! they were registered, and then cancel the token all background loops hold.

use std::{fmt, future::Future, pin::Pin, sync::Arc};

use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

/// States of a service, as `/services` shows them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ServiceState {
    /// Registered.
    New,
    /// On its way to work.
    Starting,
    /// At work.
    Running,
    /// On its way to the end.
    Stopping,
    /// Ended as it should.
    Terminated,
    /// Ended as it should not.
    Failed,
}

impl fmt::Display for ServiceState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The variants are the words.
        fmt::Debug::fmt(self, f)
    }
}

/// Answers whether one service is ready; an `Err` is the sentence `/ready` shows.
type ReadyCheck = Box<dyn Fn() -> Result<(), String> + Send + Sync>;

/// One step of the way down.
type DrainStep = Box<dyn FnOnce() -> Pin<Box<dyn Future<Output = ()> + Send>> + Send>;

/// The life of this process. Clones are handles on the same one.
#[derive(Clone, Default)]
pub struct Lifecycle {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    services: Mutex<Vec<(String, ServiceState)>>,
    checks: Mutex<Vec<ReadyCheck>>,
    steps: Mutex<Vec<(String, DrainStep)>>,
    /// Somebody asked the process to stop.
    stop_requested: CancellationToken,
    /// The drain steps are done: background loops end.
    shutdown: CancellationToken,
}

impl Lifecycle {
    /// A process without services.
    pub fn new() -> Self {
        Self::default()
    }

    /// Registers the service `name`; report through the handle that comes back.
    pub fn register(&self, name: impl Into<String>) -> ServiceHandle {
        let mut services = self.shared.services.lock();
        services.push((name.into(), ServiceState::New));
        ServiceHandle { shared: Arc::clone(&self.shared), index: services.len() - 1 }
    }

    /// Adds a condition to `/ready`, checked at every request: keep it cheap. The sentence of a failed
    /// check is shown as it is, such as `Ingester not ready: waiting for 15s after being ready`.
    pub fn add_ready_check(&self, check: impl Fn() -> Result<(), String> + Send + Sync + 'static) {
        self.shared.checks.lock().push(Box::new(check));
    }

    /// Adds a step to the way down. Steps run one after the other, the last one registered first: what
    /// started on top of others stops before them.
    pub fn add_drain_step<F>(&self, name: impl Into<String>, step: impl FnOnce() -> F + Send + 'static)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.shared.steps.lock().push((name.into(), Box::new(move || Box::pin(step()))));
    }

    /// The services and their states, in the order of registration.
    pub fn services(&self) -> Vec<(String, ServiceState)> {
        self.shared.services.lock().clone()
    }

    /// Whether the process is ready to work.
    ///
    /// # Errors
    /// The body of the 503 that `/ready` answers with.
    pub fn ready(&self) -> Result<(), String> {
        if self.is_stopping() {
            return Err("Application is stopping".to_owned());
        }
        let mut counts: Vec<(ServiceState, usize)> = Vec::new();
        for (_, state) in self.shared.services.lock().iter().filter(|(_, s)| *s != ServiceState::Running) {
            match counts.iter_mut().find(|(counted, _)| counted == state) {
                Some((_, count)) => *count += 1,
                None => counts.push((*state, 1)),
            }
        }
        if !counts.is_empty() {
            counts.sort();
            let lines: String = counts.iter().map(|(state, count)| format!("{state}: {count}\n")).collect();
            return Err(format!("Some services are not Running:\n{lines}"));
        }
        self.shared.checks.lock().iter().try_for_each(|check| check())
    }

    /// Asks the process to stop; returns at once.
    pub fn request_stop(&self) {
        self.shared.stop_requested.cancel();
    }

    /// Whether somebody asked the process to stop.
    pub fn is_stopping(&self) -> bool {
        self.shared.stop_requested.is_cancelled()
    }

    /// Waits until somebody asks the process to stop.
    pub async fn stop_requested(&self) {
        self.shared.stop_requested.cancelled().await;
    }

    /// The token that background loops watch: cancelled after the last drain step.
    pub fn shutdown_token(&self) -> CancellationToken {
        self.shared.shutdown.clone()
    }

    /// Runs the drain steps and then cancels [`Lifecycle::shutdown_token`]. A second call finds no steps left.
    pub async fn drain(&self) {
        self.request_stop();
        let steps = std::mem::take(&mut *self.shared.steps.lock());
        for (name, step) in steps.into_iter().rev() {
            tracing::info!(step = %name, "draining");
            step().await;
        }
        self.shared.shutdown.cancel();
    }

    /// Watches SIGTERM and SIGINT: the first asks the process to stop, the second ends it on the spot
    /// with status 130, for people who cannot wait.
    pub fn watch_signals(&self) -> std::io::Result<()> {
        use tokio::signal::unix::{SignalKind, signal};
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let lifecycle = self.clone();
        tokio::spawn(async move {
            loop {
                // Both branches only wait; nothing is lost when the other wins.
                let name = tokio::select! {
                    _ = terminate.recv() => "SIGTERM",
                    _ = interrupt.recv() => "SIGINT",
                };
                if lifecycle.is_stopping() {
                    tracing::warn!(signal = name, "second signal, leaving without draining");
                    std::process::exit(130);
                }
                tracing::info!(signal = name, "stopping, send the signal again to leave at once");
                lifecycle.request_stop();
            }
        });
        Ok(())
    }
}

/// A service's own view of its entry.
#[derive(Clone)]
pub struct ServiceHandle {
    shared: Arc<Shared>,
    index: usize,
}

impl ServiceHandle {
    /// Reports the state of the service.
    pub fn set(&self, state: ServiceState) {
        self.shared.services.lock()[self.index].1 = state;
    }

    /// The state last reported.
    pub fn state(&self) -> ServiceState {
        self.shared.services.lock()[self.index].1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readiness_texts() {
        let lifecycle = Lifecycle::new();
        assert_eq!(lifecycle.ready(), Ok(()));
        let (a, b) = (lifecycle.register("ingester"), lifecycle.register("querier"));
        assert_eq!(lifecycle.ready().unwrap_err(), "Some services are not Running:\nNew: 2\n");
        a.set(ServiceState::Starting);
        b.set(ServiceState::Failed);
        assert_eq!(lifecycle.ready().unwrap_err(), "Some services are not Running:\nStarting: 1\nFailed: 1\n");
        a.set(ServiceState::Running);
        b.set(ServiceState::Running);
        lifecycle.add_ready_check(|| Err("Ingester not ready: replaying".to_owned()));
        assert_eq!(lifecycle.ready().unwrap_err(), "Ingester not ready: replaying");
        lifecycle.request_stop();
        assert_eq!(lifecycle.ready().unwrap_err(), "Application is stopping");
    }

    #[tokio::test]
    async fn drain_steps_run_last_first_and_before_the_token() {
        let lifecycle = Lifecycle::new();
        let log = Arc::new(Mutex::new(Vec::new()));
        for name in ["ring", "flush", "listeners"] {
            let (log, token) = (Arc::clone(&log), lifecycle.shutdown_token());
            lifecycle.add_drain_step(name, move || async move {
                assert!(!token.is_cancelled());
                log.lock().push(name);
            });
        }
        lifecycle.drain().await;
        assert_eq!(*log.lock(), ["listeners", "flush", "ring"]);
        assert!(lifecycle.shutdown_token().is_cancelled());
        lifecycle.drain().await;
        assert_eq!(log.lock().len(), 3);
    }
}
