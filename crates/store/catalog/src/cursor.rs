//! Following the newest root of a shard: by one GET per new generation, never by LIST, as long as that is safe.
//!
//! Stepping means asking for generation `g + 1` and concluding from its absence that `g` is the newest.
//! That is wrong for somebody who slept: the roots after `g` may have been collected meanwhile, and a
//! create that landed late may even have made a new object under an old generation. So a cursor steps
//! only while its last proof of being up to date is younger than half the grace after which roots are
//! collected, by a monotonic clock that counts suspension; otherwise it lists, newest first.

use std::{sync::Arc, time::Duration};

use skald_blob::BlobError;

use crate::{client::Catalog, content::Content, error::CatalogError, root::Root};

/// Time since some fixed moment; never set back, goes on while the machine is suspended.
pub type Monotonic = Arc<dyn Fn() -> Duration + Send + Sync>;

/// How often a cursor starts over when what it was about to read was collected under its hands.
const RESTARTS_MAX: usize = 4;

/// The newest root that its owner knows, and how well it knows it.
pub struct RootCursor {
    catalog: Catalog,
    clock: Monotonic,
    grace: Duration,
    content: Arc<Content>,
    /// Before this moment `content` was certainly the newest.
    confirmed_at: Option<Duration>,
}

impl RootCursor {
    /// A cursor that knows nothing yet. `grace` is how long superseded roots are kept.
    pub fn new(catalog: Catalog, clock: Monotonic, grace: Duration) -> Self {
        let content = Arc::new(Content::genesis(catalog.shard()));
        Self { catalog, clock, grace, content, confirmed_at: None }
    }

    /// The newest content known.
    pub fn content(&self) -> &Arc<Content> {
        &self.content
    }

    /// Whether it was proved up to date so recently that what it names cannot have been collected yet.
    pub fn is_young(&self) -> bool {
        self.confirmed_at.is_some_and(|at| (self.clock)().saturating_sub(at) < self.grace / 2)
    }

    /// Takes over what its owner has just committed. That proves nothing about being up to date: a
    /// create can succeed under a generation that was collected long ago.
    pub fn committed(&mut self, content: Arc<Content>) {
        if content.root().generation > self.content.root().generation {
            self.content = content;
        }
    }

    /// Brings the cursor up to date. It never goes back to an older generation.
    ///
    /// # Errors
    /// When the bucket cannot be read; the cursor stays where it was.
    pub async fn refresh(&mut self) -> Result<&Arc<Content>, CatalogError> {
        for _ in 0..RESTARTS_MAX {
            let (newest, confirmed_at) = match self.step().await? {
                Some(found) => found,
                None => self.list().await?,
            };
            let content = match newest {
                None => self.content.clone(),
                Some(root) => match self.catalog.content(Arc::new(root), Some(&self.content)).await {
                    Ok(content) => Arc::new(content),
                    // One of its pages is gone: so is the root, there are newer ones.
                    Err(CatalogError::Blob(BlobError::NotFound { .. })) => {
                        self.confirmed_at = None;
                        continue;
                    }
                    Err(error) => return Err(error),
                },
            };
            self.content = content;
            self.confirmed_at = Some(confirmed_at);
            return Ok(&self.content);
        }
        Err(CatalogError::Moving { shard: self.catalog.shard() })
    }

    /// The newest root by stepping and since when it is known to be that; no root when the cursor has
    /// it already. `None` when stepping is not safe.
    async fn step(&self) -> Result<Option<(Option<Root>, Duration)>, CatalogError> {
        let mut newest: Option<Root> = None;
        loop {
            let now = (self.clock)();
            // Roots found on the way prove nothing new: each may have been superseded right after the
            // last proof. Only the absence of a successor does.
            if self.confirmed_at.is_none_or(|at| now.saturating_sub(at) >= self.grace / 2) {
                return Ok(None);
            }
            let current = newest.as_ref().unwrap_or(self.content.root());
            match self.catalog.root(current.generation + 1).await? {
                None => return Ok(Some((newest, now))),
                Some(next) if next.parent != current.commit => return Ok(None),
                Some(next) => newest = Some(next),
            }
        }
    }

    /// The same by listing.
    async fn list(&self) -> Result<(Option<Root>, Duration), CatalogError> {
        let now = (self.clock)();
        let newest = self.catalog.newest_root().await?;
        Ok((newest.filter(|root| root.generation > self.content.root().generation), now))
    }
}

#[cfg(test)]
mod tests;
