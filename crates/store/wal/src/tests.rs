//! The log over disks: what an acknowledgement is worth when the power goes.

mod crash;
mod failures;

use std::{
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::Relaxed},
        mpsc,
    },
};

use skald_disk::Disk;
use skald_model::Writer;

use crate::{AppendError, FileReport, Owner, Recovered, Rotated, SyncMode, Wal, WalDir, WalOptions, record::sample};

const DIR: &str = "/data/wal";

fn open(disk: &impl AsDisk) -> Recovered {
    let new_writer = || Writer::new("w1").unwrap();
    WalDir::open(disk.arc(), Path::new(DIR), new_writer, 7).unwrap()
}

/// Disks are cheap to clone; the log wants them behind an `Arc`.
trait AsDisk {
    fn arc(&self) -> Arc<dyn Disk>;
}

impl<D: Disk + Clone> AsDisk for D {
    fn arc(&self) -> Arc<dyn Disk> {
        Arc::new(self.clone())
    }
}

fn options(sync: SyncMode) -> WalOptions {
    WalOptions { sync, file_bytes_max: 300 }
}

fn block_on<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

/// Numbers of the records in `files`, in order, and the sum of the reports.
fn numbers(dir: &WalDir, files: &[u64]) -> (Vec<u64>, FileReport) {
    let mut found = Vec::new();
    let mut sum = FileReport::default();
    for &file in files {
        let report = dir.replay(file, &mut |record| found.push(record.id.number)).unwrap();
        sum.records += report.records;
        sum.skipped += report.skipped;
        sum.skipped_bytes += report.skipped_bytes;
        sum.torn_bytes += report.torn_bytes;
    }
    (found, sum)
}

/// A log whose applied records are seen.
struct Rig {
    wal: Wal,
    applied: Arc<Mutex<Vec<u64>>>,
    rotated: Arc<Mutex<Vec<Rotated>>>,
    bytes: Arc<AtomicUsize>,
}

/// Full from `limit` bytes on; remembers what ended.
struct Table {
    bytes: Arc<AtomicUsize>,
    limit: usize,
    rotated: Arc<Mutex<Vec<Rotated>>>,
}

impl Owner for Table {
    fn is_full(&mut self, bytes: usize) -> bool {
        let held = self.bytes.load(Relaxed);
        held > 0 && held + bytes > self.limit
    }

    fn rotated(&mut self, rotated: Rotated) {
        self.bytes.store(0, Relaxed);
        self.rotated.lock().unwrap().push(rotated);
    }
}

impl Rig {
    fn start(recovered: &Recovered, sync: SyncMode) -> Rig {
        Rig::start_with_limit(recovered, sync, usize::MAX)
    }

    fn start_with_limit(recovered: &Recovered, sync: SyncMode, limit: usize) -> Rig {
        let rotated = Arc::new(Mutex::new(Vec::new()));
        let bytes = Arc::new(AtomicUsize::new(0));
        let table = Table { bytes: bytes.clone(), limit, rotated: rotated.clone() };
        let wal = Wal::start(recovered.dir.clone(), recovered.active.clone(), options(sync), Box::new(table)).unwrap();
        Rig { wal, applied: Arc::default(), rotated, bytes }
    }

    fn rotate(&self) -> Result<Rotated, AppendError> {
        block_on(self.wal.rotate())?;
        Ok(self.rotated.lock().unwrap().pop().unwrap())
    }

    /// Appends records that wait together, so that they form one group; says which were acknowledged.
    fn append_group(&self, numbers: &[u64]) -> Vec<bool> {
        let (release, held) = mpsc::channel::<()>();
        block_on(async {
            let mut hold = Box::pin(self.wal.hold(move || _ = held.recv()));
            poll_once(hold.as_mut()).await;
            let mut appends: Vec<_> = numbers.iter().map(|&n| Box::pin(self.append(n))).collect();
            for append in &mut appends {
                poll_once(append.as_mut()).await;
            }
            release.send(()).unwrap();
            hold.await;
            let mut acknowledged = Vec::new();
            for append in appends {
                acknowledged.push(append.await);
            }
            acknowledged
        })
    }

    async fn append(&self, number: u64) -> bool {
        let (applied, bytes) = (self.applied.clone(), self.bytes.clone());
        let record = sample(number, &[b"first batch", b"second batch of the push"]).encode().unwrap();
        let len = record.written_len();
        let apply = move || {
            bytes.fetch_add(len, Relaxed);
            applied.lock().unwrap().push(number);
        };
        self.wal.append(record, apply).await.is_ok()
    }
}

/// Lets a future run to its first wait.
async fn poll_once<F: Future + ?Sized>(mut future: std::pin::Pin<&mut F>) {
    std::future::poll_fn(|cx| {
        assert!(future.as_mut().poll(cx).is_pending());
        std::task::Poll::Ready(())
    })
    .await;
}
