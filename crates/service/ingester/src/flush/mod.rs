//! From frozen memtables to committed objects, in the order of the log.
//!
//! Two loops work on the list of frozen memtables. The *sealer* takes the oldest that has no file:
//! gives it its number in the log's manifest (W1), encodes it, syncs the file. The *uploader* takes the
//! oldest if it has a file: creates the object from it (W2), notes the commit in the manifest, which
//! removes the log's files (W3), and lets the memtable go (W4). Both try for ever: what they cannot do
//! now stays in the log. An upload always sends the same bytes, whatever happened to earlier attempts.
//!
//! Cancellation falls between steps or into a request whose outcome the next start settles.

mod encode;
mod file;

use std::{path::PathBuf, sync::Arc, time::Duration};

use parking_lot::Mutex;
use skald_catalog::{Catalog, FlushBody, FlushOutcome};
use skald_disk::Disk;
use skald_gossip::{Gossip, Lifecycler};
use skald_model::{LogPosition, Writer};
use skald_wal::{WalDir, WalError};
use tokio_util::sync::CancellationToken;

pub(crate) use file::{FileError, FlushFile, Pages};

use crate::{
    gateways::{self, Gateways},
    metrics::Metrics,
    replay,
    settings::{Clock, Entropy},
    tables::{Frozen, Held, Tables},
};

/// First pause after a failure; it doubles.
const BACKOFF_MIN: Duration = Duration::from_millis(100);
/// Longest pause: a bucket that is back is used again within this.
const BACKOFF_MAX: Duration = Duration::from_secs(10);
/// Encoded memtables that may wait for their upload in memory: with more the bucket is slow, and
/// readers are served from the files.
const ENCODED_IN_MEMORY_MAX: usize = 2;

/// What both loops share.
pub(crate) struct Flusher {
    pub(crate) tables: Arc<Tables>,
    pub(crate) dir: Arc<WalDir>,
    /// Where encoded memtables are written.
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) flush_dir: PathBuf,
    pub(crate) catalog: Catalog,
    pub(crate) gateways: Gateways,
    pub(crate) gossip: Gossip,
    pub(crate) lifecycler: Arc<Lifecycler>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) clock: Clock,
    pub(crate) entropy: Entropy,
    /// Held by the sealer while it works on one memtable, and by the uploader while it renumbers all.
    pub(crate) numbering: tokio::sync::Mutex<()>,
    /// The writer id that is known to be registered in the bucket.
    pub(crate) registered: Mutex<Option<Writer>>,
    pub(crate) stop: CancellationToken,
}

/// A step failed; what is to be done is to wait and try again.
#[derive(Debug, thiserror::Error)]
enum StepError {
    #[error(transparent)]
    Wal(#[from] WalError),
    #[error("cannot encode a memtable: {0}")]
    Encode(#[from] file::EncodeError),
    #[error(transparent)]
    Catalog(#[from] skald_catalog::CatalogError),
}

impl Flusher {
    /// Numbers and encodes frozen memtables until stopped.
    pub(crate) async fn seal_loop(self: Arc<Self>) {
        let wanting = |t: &Tables| t.frozen().into_iter().find(|f| f.file().is_none());
        let mut backoff = BACKOFF_MIN;
        loop {
            tokio::select! {
                () = self.stop.cancelled() => return,
                () = self.tables.until(|t| wanting(t).is_some()) => {}
            }
            let numbering = self.numbering.lock().await;
            let Some(frozen) = wanting(&self.tables) else { continue };
            let sealed = self.seal(frozen).await;
            drop(numbering);
            match sealed {
                Ok(()) => backoff = BACKOFF_MIN,
                Err(error) => self.pause(&error, &mut backoff).await,
            }
        }
    }

    async fn seal(self: &Arc<Self>, frozen: Arc<Frozen>) -> Result<(), StepError> {
        let this = self.clone();
        let job = move || -> Result<(), StepError> {
            let place = match frozen.place() {
                Some(place) => place,
                None => {
                    let rotated = frozen.rotated.clone();
                    let place = this.dir.record_frozen(rotated.files, rotated.active_from, this.random128())?;
                    frozen.set_place(place.clone());
                    place
                }
            };
            let Held::Memory(memtable) = frozen.held() else { return Ok(()) };
            let position = LogPosition { writer: this.dir.manifest().writer, seq: place.seq };
            let file = FlushFile::write(&*this.disk, &this.flush_dir, &memtable, position, place.flush_id)?;
            tracing::debug!(seq = place.seq, bytes = file.bytes, rows = memtable.stats().rows, "encoded a memtable");
            frozen.set_file(Arc::new(file));
            let waiting = this.tables.frozen().iter().filter(|f| f.file().is_some()).count();
            if waiting > ENCODED_IN_MEMORY_MAX {
                frozen.spill();
            }
            Ok(())
        };
        blocking(job).await?;
        self.tables.ring();
        Ok(())
    }

    /// Uploads encoded memtables, oldest first, until stopped.
    pub(crate) async fn upload_loop(self: Arc<Self>) {
        let ready = |t: &Tables| t.frozen().first().and_then(|f| Some((f.clone(), f.file()?)));
        let mut backoff = BACKOFF_MIN;
        loop {
            tokio::select! {
                () = self.stop.cancelled() => return,
                () = self.tables.until(|t| ready(t).is_some()) => {}
            }
            let Some((frozen, file)) = ready(&self.tables) else { continue };
            let uploaded = tokio::select! {
                () = self.stop.cancelled() => return,
                uploaded = self.upload(&file) => uploaded,
            };
            let done = match uploaded {
                Ok(FlushOutcome::Committed) => self.commit(file).await,
                Ok(FlushOutcome::Fenced) => self.begin_new_log(&file.position.writer).await,
                Err(error) => Err(error),
            };
            match done {
                Ok(()) => backoff = BACKOFF_MIN,
                Err(error) => {
                    self.metrics.flush_failures.inc();
                    // The bucket may stay away for long: the file serves readers, the memory is free.
                    frozen.spill();
                    self.pause(&error, &mut backoff).await;
                }
            }
        }
    }

    async fn upload(&self, file: &FlushFile) -> Result<FlushOutcome, StepError> {
        let LogPosition { writer, seq } = &file.position;
        let registered = self.registered.lock().as_ref() == Some(writer);
        if !registered {
            self.catalog.register_writer(writer).await?;
            *self.registered.lock() = Some(writer.clone());
        }
        Ok(self.catalog.commit_flush(writer, *seq, file.flush_id, FlushBody::File(&file.path)).await?)
    }

    /// The object of `file` is durable in the bucket.
    async fn commit(self: &Arc<Self>, file: Arc<FlushFile>) -> Result<(), StepError> {
        let (dir, seq) = (self.dir.clone(), file.position.seq);
        blocking(move || dir.record_committed(seq)).await?;
        self.lifecycler.set_last_seq(seq);
        self.gossip.raise_head(&file.position.writer, seq);
        tokio::spawn(gateways::tell((self.gateways)(), file.position.clone(), file.directory.clone()));
        self.metrics.flushes.inc();
        self.metrics.flushed_bytes.inc_by(file.bytes);
        self.metrics.flushed_rows.inc_by(file.directory.sections.iter().map(|s| s.rows).sum());
        let this = self.clone();
        blocking(move || {
            this.tables.committed(&file.position.writer, file.position.seq);
            if let Err(error) = this.disk.remove(&file.path) {
                tracing::warn!(%error, file = %file.path.display(), "cannot remove an uploaded file");
            }
        })
        .await;
        Ok(())
    }

    /// Somebody has sealed the log: it goes on under a new id, and everything that is not committed
    /// under the old one is numbered and encoded anew.
    async fn begin_new_log(self: &Arc<Self>, old: &Writer) -> Result<(), StepError> {
        let _numbering = self.numbering.lock().await;
        let writer = new_writer(&self.lifecycler.record().id, &self.entropy);
        tracing::warn!(%old, %writer, "the log was sealed by others, its rows are flushed again under a new writer id");
        let (this, new) = (self.clone(), writer.clone());
        let job = move || -> Result<(), StepError> {
            let places = this.dir.change_writer(new, || this.random128())?;
            for (frozen, place) in this.tables.frozen().iter().zip(places) {
                let old_file = frozen.file();
                let memtable = match frozen.held() {
                    Held::Memory(memtable) => memtable,
                    Held::File(_) => replay::memtable(&this.dir, &place.files, (this.clock)())?.0,
                };
                frozen.set_place(place);
                frozen.unfile(memtable);
                if let Some(file) = old_file {
                    // What cannot be removed is removed by the next start.
                    let _ = this.disk.remove(&file.path);
                }
            }
            Ok(())
        };
        blocking(job).await?;
        self.lifecycler.set_writer(writer);
        self.tables.ring();
        Ok(())
    }

    async fn pause(&self, error: &StepError, backoff: &mut Duration) {
        tracing::warn!(%error, retry_in = ?*backoff, "cannot flush yet");
        self.tables.ring();
        tokio::select! {
            () = self.stop.cancelled() => {}
            () = tokio::time::sleep(*backoff) => {}
        }
        *backoff = (*backoff * 2).min(BACKOFF_MAX);
    }

    fn random128(&self) -> u128 {
        u128::from((self.entropy)()) << 64 | u128::from((self.entropy)())
    }
}

/// A writer id for the log of instance `id`: readable, and unlike any other.
pub(crate) fn new_writer(id: &str, entropy: &Entropy) -> Writer {
    let readable: String = id.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).take(60).collect();
    Writer::new(&format!("{readable}-{:016x}", entropy())).expect("at most 77 allowed characters")
}

/// Runs `job` where it may block and work.
pub(crate) async fn blocking<T: Send + 'static>(job: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(job).await.expect("jobs of the ingester do not panic")
}
