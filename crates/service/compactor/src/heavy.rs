//! Work that takes long without waiting for anything leaves the runtime's threads.

use tokio::runtime::{Handle, RuntimeFlavor};

use crate::error::CompactError;

/// The result of `work`, done where it holds nobody up.
///
/// A current-thread runtime has nobody to hold up: there the work is done in place, which keeps
/// simulations deterministic.
///
/// # Errors
/// When the runtime is stopping.
pub(crate) async fn heavy<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, CompactError> {
    if Handle::current().runtime_flavor() == RuntimeFlavor::CurrentThread {
        return Ok(work());
    }
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => Ok(result),
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => Err(CompactError::Stopping),
        },
    }
}
