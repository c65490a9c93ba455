//! Load with an oracle: pushes lines in the background and knows which were acknowledged.
//!
//! Every line is unique and says so (`n=<number>`), so that a lost line and a doubled one are told
//! apart from all others. A push that was never acknowledged may or may not be stored: its lines are
//! allowed, once each, and not required.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::{Result, ensure};
use parking_lot::Mutex;
use tokio::task::JoinHandle;

use crate::client::{Client, Line};

/// Attempts for one batch before it counts as never acknowledged; with the client's waits half a minute.
const ATTEMPTS: usize = 40;

/// Lines of one push.
const BATCH: usize = 20;

/// Streams that the load is spread over.
pub const STREAMS: usize = 12;

/// Between two pushes: several hundred lines a second, which a debug build serves on one core.
const PACE: Duration = Duration::from_millis(30);

#[derive(Default)]
struct Book {
    acknowledged: BTreeSet<Line>,
    /// Sent, perhaps stored, never acknowledged.
    uncertain: BTreeSet<Line>,
}

/// A running load.
pub struct Load {
    book: Arc<Mutex<Book>>,
    stop: Arc<AtomicBool>,
    task: JoinHandle<Result<()>>,
    start: i64,
}

/// Nanoseconds since the epoch.
pub fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock is past 1970").as_nanos() as i64
}

impl Load {
    /// Starts to push.
    pub fn start(client: Client) -> Self {
        let book = Arc::new(Mutex::new(Book::default()));
        let stop = Arc::new(AtomicBool::new(false));
        let start = now();
        let task = tokio::spawn(push_until(client, Arc::clone(&book), Arc::clone(&stop)));
        Self { book, stop, task, start }
    }

    /// When the first line may have been written.
    pub fn start_time(&self) -> i64 {
        self.start
    }

    /// How many lines have been acknowledged so far.
    pub fn acknowledged(&self) -> usize {
        self.book.lock().acknowledged.len()
    }

    /// Waits until `more` further lines have been acknowledged.
    pub async fn wait_for(&self, more: usize, timeout: Duration) -> Result<()> {
        let target = self.acknowledged() + more;
        let reached = async {
            while self.acknowledged() < target {
                tokio::time::sleep(PACE).await;
            }
        };
        let within = tokio::time::timeout(timeout, reached).await.is_ok();
        ensure!(within, "only {} of {target} lines were acknowledged within {timeout:?}", self.acknowledged());
        Ok(())
    }

    /// What is acknowledged at this moment: what a query started later must return for the time until now.
    pub fn snapshot(&self) -> Oracle {
        let book = self.book.lock();
        let (acknowledged, uncertain) = (book.acknowledged.clone(), book.uncertain.clone());
        Oracle { start: self.start, until: now(), acknowledged, uncertain }
    }

    /// Stops pushing; what was acknowledged in all.
    pub async fn finish(self) -> Result<Oracle> {
        self.stop.store(true, Ordering::Relaxed);
        self.task.await??;
        let book = std::mem::take(&mut *self.book.lock());
        Ok(Oracle { start: self.start, until: now(), acknowledged: book.acknowledged, uncertain: book.uncertain })
    }
}

async fn push_until(client: Client, book: Arc<Mutex<Book>>, stop: Arc<AtomicBool>) -> Result<()> {
    let mut number = 0;
    while !stop.load(Ordering::Relaxed) {
        let stream = (number / BATCH % STREAMS).to_string();
        let lines = {
            // The time is taken under the lock, so that a snapshot holds every line up to its own time.
            let mut book = book.lock();
            let time = now();
            let line = |i| format!("level=info n={} stream={stream} msg=\"load\"", number + i);
            let lines: Vec<_> = (0..BATCH).map(|i| Line { timestamp: time, text: line(i) }).collect();
            // In doubt until the answer is there: a query that runs meanwhile may see them.
            book.uncertain.extend(lines.iter().cloned());
            lines
        };
        number += BATCH;
        if client.push(&[("app", "load"), ("stream", &stream)], &lines, ATTEMPTS).await? {
            let mut book = book.lock();
            for line in lines {
                book.uncertain.remove(&line);
                book.acknowledged.insert(line);
            }
        }
        tokio::time::sleep(PACE).await;
    }
    Ok(())
}

/// The lines that must come back.
#[derive(Clone, Debug)]
pub struct Oracle {
    start: i64,
    /// Every line of the sets is from this time or before, and every line from before it is in them.
    until: i64,
    acknowledged: BTreeSet<Line>,
    uncertain: BTreeSet<Line>,
}

impl Oracle {
    /// How many lines must come back.
    pub fn len(&self) -> usize {
        self.acknowledged.len()
    }

    /// True when nothing was acknowledged.
    pub fn is_empty(&self) -> bool {
        self.acknowledged.is_empty()
    }

    /// Reads everything back and compares: every acknowledged line once, nothing else.
    pub async fn check_lines(&self, client: &Client) -> Result<()> {
        let lines = client.lines(r#"{app="load"}"#, self.start, self.until + 1, 1000).await?;
        let mut counts: BTreeMap<&Line, usize> = BTreeMap::new();
        lines.iter().for_each(|line| *counts.entry(line).or_default() += 1);
        let doubled: Vec<_> = counts.iter().filter(|(_, n)| **n > 1).take(5).collect();
        ensure!(doubled.is_empty(), "lines came back more than once, the first: {doubled:?}");
        let missing: Vec<_> = self.acknowledged.iter().filter(|l| !counts.contains_key(l)).collect();
        let total = self.acknowledged.len();
        ensure!(
            missing.is_empty(),
            "{} of {total} acknowledged lines are missing, the first: {:?}",
            missing.len(),
            missing[0]
        );
        let known = |l: &Line| self.acknowledged.contains(l) || self.uncertain.contains(l);
        let strange = lines.iter().find(|l| !known(l));
        ensure!(strange.is_none(), "a line came back that was never pushed: {strange:?}");
        Ok(())
    }

    /// Compares `count_over_time` and `bytes_over_time` with the oracle. Lines in doubt may count or not.
    pub async fn check_counts(&self, client: &Client) -> Result<()> {
        let seconds = (self.until - self.start) / 1_000_000_000 + 60;
        let rows = |set: &BTreeSet<Line>| set.len() as f64;
        let bytes = |set: &BTreeSet<Line>| set.iter().map(|l| l.text.len()).sum::<usize>() as f64;
        let ask = async |function: &str| {
            client.instant(&format!(r#"sum({function}({{app="load"}}[{seconds}s]))"#), self.until).await
        };
        for (function, least, doubt) in [
            ("count_over_time", rows(&self.acknowledged), rows(&self.uncertain)),
            ("bytes_over_time", bytes(&self.acknowledged), bytes(&self.uncertain)),
        ] {
            let got = ask(function).await?;
            ensure!(
                got >= least && got <= least + doubt,
                "{function}: {got}, expected {least} (and at most {doubt} more in doubt)"
            );
        }
        Ok(())
    }
}
