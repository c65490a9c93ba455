//! The writing side: one thread that owns the open file, so that the order of appends, file changes
//! and memtable changes is one order and needs no lock.
//!
//! Appends that wait together are written together: one write, one fdatasync, then every one of
//! them is applied (its rows enter the memtable) and answered. A rotation stands in the same queue:
//! rows applied before it are in the files it returns, rows after it are not. That is what makes
//! "exactly these files hold this memtable" true.
//!
//! Failures: a failed write is cut off again and the file goes on; a failed fdatasync is never
//! repeated on its file, whose later bytes the kernel may have dropped: its pushes fail and a new
//! file is begun. Nothing is applied that was not made durable.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    thread,
};

use skald_disk::DiskFile;
use tokio::sync::{mpsc, oneshot};

use crate::{WalDir, record::EncodedRecord, scan::HEADER_BYTES};

/// Appends that may wait in the queue: a group is rarely longer than the pushes that arrive during
/// one fdatasync; beyond it callers wait in turn.
const QUEUE_RECORDS_MAX: usize = 1024;
/// A group ends at this size, so that the first append of a group is not held up by the last.
const GROUP_BYTES_MAX: usize = 16 << 20;

/// When an append is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SyncMode {
    /// After fdatasync: an acknowledged push survives a power cut.
    Always,
    /// After the write; fdatasync happens at [`Wal::sync`]. A power cut loses what came since.
    Interval,
}

/// How the log is written.
#[derive(Clone, Copy, Debug)]
pub struct WalOptions {
    /// When an append is answered.
    pub sync: SyncMode,
    /// A new file is begun once one has this many bytes: replay reads files whole.
    pub file_bytes_max: u64,
}

/// Why an append was not acknowledged. Its rows may come back at a restart all the same.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// No room; later appends work as soon as there is.
    #[error("no space left for the write-ahead log")]
    DiskFull,
    /// The disk failed.
    #[error("cannot write the write-ahead log: {0}")]
    Failed(String),
    /// The log is closed.
    #[error("the write-ahead log is closed")]
    Closed,
}

/// What a rotation found: the files of the memtable that ended, and the first one of the next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rotated {
    /// File numbers, ascending.
    pub files: Vec<u64>,
    /// The number of the next file.
    pub active_from: u64,
}

/// Counters since the start.
#[derive(Debug, Default)]
pub struct WalStats {
    /// Records acknowledged.
    pub records: AtomicU64,
    /// Their bytes with frames.
    pub bytes: AtomicU64,
    /// Groups written.
    pub groups: AtomicU64,
    /// Failures of fdatasync or of syncing the directory.
    pub sync_failures: AtomicU64,
    /// Groups that failed because the disk was full.
    pub disk_full: AtomicU64,
    /// Groups that failed in a write for another reason.
    pub write_failures: AtomicU64,
}

/// A handle of the writing thread; cheap to clone.
#[derive(Clone)]
pub struct Wal {
    commands: mpsc::Sender<Command>,
    stats: Arc<WalStats>,
}

type Applied = Box<dyn FnOnce() + Send>;

/// The memtable's side of the log. Called on the writing thread, so in one order with the records
/// that are applied.
pub trait Owner: Send {
    /// True when the memtable should end before records of `bytes` (0: none) enter it.
    fn is_full(&mut self, bytes: usize) -> bool;
    /// The memtable has ended: everything applied so far is in these files, and nothing else is.
    fn rotated(&mut self, rotated: Rotated);
}

struct Append {
    record: EncodedRecord,
    applied: Applied,
    reply: oneshot::Sender<Result<(), AppendError>>,
}

enum Command {
    Append(Append),
    Rotate(oneshot::Sender<()>),
    Sync(oneshot::Sender<()>),
    Close(oneshot::Sender<()>),
    #[cfg(test)]
    Hold(Applied, oneshot::Sender<()>),
}

impl Wal {
    /// Starts the writing thread. `active` are the files that already belong to the memtable being
    /// filled (see [`crate::Recovered::active`]); new records go to new files.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(dir: Arc<WalDir>, active: Vec<u64>, options: WalOptions, owner: Box<dyn Owner>) -> io::Result<Self> {
        let (commands, receiver) = mpsc::channel(QUEUE_RECORDS_MAX);
        let stats = Arc::new(WalStats::default());
        let writer = Writer { dir, options, owner, files: active, current: None, stats: stats.clone() };
        thread::Builder::new().name("wal".to_owned()).spawn(move || writer.run(receiver))?;
        Ok(Self { commands, stats })
    }

    /// Makes a record durable, then runs `applied` on the writing thread, then returns. A caller that
    /// goes away does not stop either.
    ///
    /// # Errors
    /// See [`AppendError`]; `applied` has not been run then.
    pub async fn append(
        &self,
        record: EncodedRecord,
        applied: impl FnOnce() + Send + 'static,
    ) -> Result<(), AppendError> {
        let (reply, done) = oneshot::channel();
        let append = Append { record, applied: Box::new(applied), reply };
        self.commands.send(Command::Append(append)).await.map_err(|_| AppendError::Closed)?;
        done.await.unwrap_or(Err(AppendError::Closed))
    }

    /// Ends the current memtable: [`Owner::rotated`] has been called when this returns. Appends before
    /// this call belong to it, appends after it to the next.
    ///
    /// # Errors
    /// [`AppendError::Closed`].
    pub async fn rotate(&self) -> Result<(), AppendError> {
        let (reply, done) = oneshot::channel();
        self.commands.send(Command::Rotate(reply)).await.map_err(|_| AppendError::Closed)?;
        done.await.map_err(|_| AppendError::Closed)
    }

    /// Makes everything written so far durable; for [`SyncMode::Interval`].
    pub async fn sync(&self) {
        let (reply, done) = oneshot::channel();
        if self.commands.send(Command::Sync(reply)).await.is_ok() {
            // The thread answers or has ended; either way there is nothing left to wait for.
            let _ = done.await;
        }
    }

    /// Ends the thread after everything queued before; later calls fail with [`AppendError::Closed`].
    pub async fn close(&self) {
        let (reply, done) = oneshot::channel();
        if self.commands.send(Command::Close(reply)).await.is_ok() {
            let _ = done.await;
        }
    }

    /// Holds the writing thread in `hold`, so that a test can queue appends which then form a group.
    #[cfg(test)]
    pub(crate) async fn hold(&self, hold: impl FnOnce() + Send + 'static) {
        let (reply, done) = oneshot::channel();
        if self.commands.send(Command::Hold(Box::new(hold), reply)).await.is_ok() {
            let _ = done.await;
        }
    }

    /// Counters.
    pub fn stats(&self) -> &WalStats {
        &self.stats
    }
}

struct Writer {
    dir: Arc<WalDir>,
    options: WalOptions,
    owner: Box<dyn Owner>,
    /// Files of the memtable being filled.
    files: Vec<u64>,
    current: Option<Open>,
    stats: Arc<WalStats>,
}

struct Open {
    file: Box<dyn DiskFile>,
    number: u64,
    salt: u32,
    /// Bytes that belong to acknowledged groups.
    len: u64,
}

impl Writer {
    fn run(mut self, mut commands: mpsc::Receiver<Command>) {
        let mut next = commands.blocking_recv();
        while let Some(command) = next.take() {
            match command {
                Command::Append(first) => {
                    let mut bytes = first.record.written_len();
                    if self.owner.is_full(bytes) {
                        self.rotate();
                    }
                    let mut group = vec![first];
                    while bytes < GROUP_BYTES_MAX {
                        match commands.try_recv() {
                            Ok(Command::Append(append)) => {
                                bytes += append.record.written_len();
                                group.push(append);
                            }
                            Ok(other) => {
                                next = Some(other);
                                break;
                            }
                            Err(_) => break,
                        }
                    }
                    self.commit(group, bytes);
                    if self.owner.is_full(0) {
                        self.rotate();
                    }
                }
                Command::Rotate(reply) => {
                    self.rotate();
                    let _ = reply.send(());
                }
                Command::Sync(reply) => {
                    self.sync_current();
                    let _ = reply.send(());
                }
                #[cfg(test)]
                Command::Hold(hold, reply) => {
                    hold();
                    let _ = reply.send(());
                }
                Command::Close(reply) => {
                    self.sync_current();
                    commands.close();
                    let _ = reply.send(());
                    return;
                }
            }
            next = next.or_else(|| commands.blocking_recv());
        }
        self.sync_current();
    }

    fn commit(&mut self, group: Vec<Append>, bytes: usize) {
        match self.write(&group, bytes) {
            Ok(()) => {
                self.stats.groups.fetch_add(1, Relaxed);
                self.stats.records.fetch_add(group.len() as u64, Relaxed);
                self.stats.bytes.fetch_add(bytes as u64, Relaxed);
                let replies: Vec<_> = group
                    .into_iter()
                    .map(|append| {
                        (append.applied)();
                        append.reply
                    })
                    .collect();
                for reply in replies {
                    let _ = reply.send(Ok(()));
                }
            }
            Err(error) => {
                tracing::error!(%error, pushes = group.len(), "write-ahead log");
                for append in group {
                    let _ = append.reply.send(Err(error.clone()));
                }
            }
        }
    }

    fn write(&mut self, group: &[Append], bytes: usize) -> Result<(), AppendError> {
        if self.current.as_ref().is_some_and(|open| open.len >= self.options.file_bytes_max) {
            self.end_file();
        }
        let mut open = match self.current.take() {
            Some(open) => open,
            None => self.create().map_err(|e| self.failure(&e))?,
        };
        let frames: Vec<_> = group.iter().map(|append| append.record.frame(open.salt)).collect();
        let pieces: Vec<&[u8]> = group
            .iter()
            .zip(&frames)
            .flat_map(|(append, frame)| std::iter::once(&frame[..]).chain(append.record.pieces()))
            .collect();
        if let Err(error) = open.file.append_vectored(&pieces) {
            if open.file.truncate(open.len).is_ok() {
                self.current = Some(open);
            }
            return Err(self.failure(&error));
        }
        if self.options.sync == SyncMode::Always
            && let Err(error) = open.file.sync_data()
        {
            // Best effort: whether or not the cut succeeds, these pushes were not acknowledged.
            let _ = open.file.truncate(open.len);
            self.stats.sync_failures.fetch_add(1, Relaxed);
            return Err(classify(&error));
        }
        open.len += bytes as u64;
        self.dir.set_len(open.number, open.len);
        self.current = Some(open);
        Ok(())
    }

    fn create(&mut self) -> io::Result<Open> {
        let (number, salt, file) = self.dir.create_file()?;
        self.files.push(number);
        Ok(Open { file, number, salt, len: HEADER_BYTES as u64 })
    }

    fn failure(&self, error: &io::Error) -> AppendError {
        let failure = classify(error);
        let counter = match failure {
            AppendError::DiskFull => &self.stats.disk_full,
            _ => &self.stats.write_failures,
        };
        counter.fetch_add(1, Relaxed);
        failure
    }

    fn rotate(&mut self) {
        self.end_file();
        let rotated = Rotated { files: std::mem::take(&mut self.files), active_from: self.dir.next_file() };
        self.owner.rotated(rotated);
    }

    /// The current file gets no more records.
    fn end_file(&mut self) {
        self.sync_current();
        self.current = None;
    }

    /// In [`SyncMode::Always`] everything is synced already.
    fn sync_current(&mut self) {
        if self.options.sync == SyncMode::Always {
            return;
        }
        if let Some(open) = &mut self.current
            && let Err(error) = open.file.sync_data()
        {
            tracing::error!(%error, "cannot sync the write-ahead log; the rows since the last sync may be lost by a power cut");
            self.stats.sync_failures.fetch_add(1, Relaxed);
            self.current = None;
        }
    }
}

fn classify(error: &io::Error) -> AppendError {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => AppendError::DiskFull,
        _ => AppendError::Failed(error.to_string()),
    }
}
