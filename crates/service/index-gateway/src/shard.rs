//! One shard's view and how it catches up with what callers need.
//!
//! Reading the view takes a short lock and no I/O. What is missing is fetched by one catch-up at a
//! time: whoever waited for its turn looks again first, so that a burst of queries with the same need
//! costs each footer once.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use futures::{StreamExt, stream};
use parking_lot::RwLock;
use skald_catalog::{Catalog, CatalogError, LogObject, Monotonic, RootCursor, View, keys};
use skald_model::{CommitVector, LogPosition, Writer};
use tokio::sync::Mutex;

use crate::metrics::GatewayMetrics;

/// Footers fetched at once: hides the latency of a bucket, and is far below its limits.
const FOOTER_READS_MAX: usize = 16;

/// How often a catch-up that met a missing object refreshes its root before it gives up. Once is
/// enough unless folds and collections run under its hands.
const REFRESHES_MAX: usize = 3;

/// The view of one shard, shared by all requests.
pub(crate) struct ShardReader {
    catalog: Catalog,
    clock: Monotonic,
    grace: Duration,
    view: RwLock<View>,
    cursor: Mutex<RootCursor>,
    catching_up: Mutex<()>,
    /// When the root was last proved to be the newest, in ms of the clock.
    confirmed_ms: AtomicU64,
    metrics: GatewayMetrics,
}

impl ShardReader {
    /// Reads the newest root and every log above it.
    pub(crate) async fn open(
        catalog: Catalog,
        clock: Monotonic,
        grace: Duration,
        metrics: GatewayMetrics,
    ) -> Result<Self, CatalogError> {
        let writers = catalog.writers().await?;
        let mut cursor = RootCursor::new(catalog.clone(), clock.clone(), grace);
        let confirmed_ms = AtomicU64::new(clock().as_millis() as u64);
        let content = cursor.refresh().await?.clone();
        let reader = Self {
            catalog,
            clock,
            grace,
            view: RwLock::new(View::new(content)),
            cursor: Mutex::new(cursor),
            catching_up: Mutex::new(()),
            confirmed_ms,
            metrics,
        };
        reader.probe_logs(writers).await?;
        Ok(reader)
    }

    /// Runs `f` on the view as it is.
    pub(crate) fn with_view<T>(&self, f: impl FnOnce(&View) -> T) -> T {
        f(&self.view.read())
    }

    /// Takes in a pushed object.
    pub(crate) fn insert(&self, position: &LogPosition, object: LogObject) {
        let mut view = self.view.write();
        view.insert(&position.writer, position.seq, object);
        self.metrics.tail(view.tail_size());
    }

    /// Makes the view cover `need` and stand on a root whose objects cannot have been collected.
    ///
    /// # Errors
    /// When the bucket fails, or an object at or below `need` does not exist though the newest root has not consumed it.
    pub(crate) async fn cover(&self, need: &CommitVector) -> Result<(), CatalogError> {
        self.ensure_young().await?;
        let mut refreshes = 0;
        while self.with_view(|view| !view.gaps(need).is_empty()) {
            let _turn = self.catching_up.lock().await;
            let (gaps, generation) = self.with_view(|view| (view.gaps(need), view.root().generation));
            let Some(missing) = self.fetch(gaps).await? else { continue };
            // Whoever needs the object has seen it, so a newer root has consumed it, or it is being written this moment.
            if refreshes == REFRESHES_MAX {
                return Err(CatalogError::Missing { key: keys::log_key(&missing.writer, missing.seq) });
            }
            refreshes += 1;
            self.refresh_root(generation).await?;
        }
        Ok(())
    }

    /// Looks for a root newer than `generation`; nothing to do when somebody else has found one meanwhile.
    pub(crate) async fn refresh_root(&self, generation: u64) -> Result<(), CatalogError> {
        let mut cursor = self.cursor.lock().await;
        if self.with_view(|view| view.root().generation) > generation {
            return Ok(());
        }
        self.refresh(&mut cursor).await
    }

    /// Looks for a newer root whatever is known.
    pub(crate) async fn probe_root(&self) -> Result<(), CatalogError> {
        self.refresh(&mut *self.cursor.lock().await).await
    }

    /// Looks past the heads of the logs of `writers` and of all writers known.
    pub(crate) async fn probe_logs(&self, mut writers: Vec<Writer>) -> Result<(), CatalogError> {
        let _turn = self.catching_up.lock().await;
        writers.extend(self.with_view(View::writers));
        writers.sort();
        writers.dedup();
        let probes = stream::iter(writers).map(|writer| self.probe_log(writer)).buffer_unordered(FOOTER_READS_MAX);
        probes.fold(Ok(()), |all: Result<(), CatalogError>, one| async { all.and(one) }).await
    }

    async fn probe_log(&self, writer: Writer) -> Result<(), CatalogError> {
        while !self.with_view(|view| view.ended(&writer)) {
            let seq = self.with_view(|view| view.head(&writer)) + 1;
            match self.catalog.log_object(&writer, seq).await? {
                Some(object) => self.insert(&LogPosition { writer: writer.clone(), seq }, object),
                None => break,
            }
        }
        Ok(())
    }

    /// Fetches what is not known of `gaps`; the position that does not exist, if one does not.
    async fn fetch(
        &self,
        gaps: Vec<(Writer, std::ops::RangeInclusive<u64>)>,
    ) -> Result<Option<LogPosition>, CatalogError> {
        let positions = gaps
            .into_iter()
            .flat_map(|(writer, span)| span.map(move |seq| LogPosition { writer: writer.clone(), seq }));
        let unknown = positions.filter(|p| self.with_view(|view| !view.knows(&p.writer, p.seq)));
        let mut reads = stream::iter(unknown)
            .map(|position| async {
                self.metrics.footer_reads.inc();
                (self.catalog.log_object(&position.writer, position.seq).await, position)
            })
            .buffer_unordered(FOOTER_READS_MAX);
        while let Some((read, position)) = reads.next().await {
            match read? {
                Some(object) => self.insert(&position, object),
                None => return Ok(Some(position)),
            }
        }
        Ok(None)
    }

    /// A root that was not confirmed for half the grace may name collected objects: confirm it before answering.
    async fn ensure_young(&self) -> Result<(), CatalogError> {
        if self.is_young() {
            return Ok(());
        }
        let mut cursor = self.cursor.lock().await;
        if self.is_young() {
            return Ok(());
        }
        self.refresh(&mut cursor).await
    }

    fn is_young(&self) -> bool {
        let now = (self.clock)().as_millis() as u64;
        now.saturating_sub(self.confirmed_ms.load(Ordering::Relaxed)) < self.grace.as_millis() as u64 / 2
    }

    async fn refresh(&self, cursor: &mut RootCursor) -> Result<(), CatalogError> {
        let now = (self.clock)().as_millis() as u64;
        self.metrics.root_refreshes.inc();
        let content = cursor.refresh().await?.clone();
        let mut view = self.view.write();
        view.adopt(content);
        self.metrics.tail(view.tail_size());
        self.metrics.generation.set(view.root().generation as i64);
        self.confirmed_ms.store(now, Ordering::Relaxed);
        Ok(())
    }
}
