//! `push`: sends lines as one stream, in requests of about a megabyte.
//!
//! A thread reads (`lines`), this side collects (`batch`) and sends one request after the other, so
//! that lines arrive in their order. What the server is too busy for is sent again with the same
//! timestamps: it stores an exact copy once, so nothing is doubled.

mod batch;
mod lines;

use std::time::Duration;

use anyhow::{Context, anyhow, ensure};
use indicatif::{ProgressBar, ProgressStyle};
use reqwest::{Response, StatusCode, header::RETRY_AFTER};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep, timeout_at},
};

use crate::{cli::PushArgs, client, notes, session, session::Session, table};
use batch::{Batch, Batcher};
use lines::Source;

/// Lines of a slow source wait at most this long for others.
const LINGER: Duration = Duration::from_secs(1);
/// Chunks of about 64 kB between the reader and the sender: enough that neither waits for the other
/// while both have work, at most a few megabytes of memory.
const CHUNKS_MAX: usize = 16;
/// With the pauses below a request is tried for about two minutes: a server restarts in less.
const TRIES_MAX: u32 = 10;
/// Pause after a first failure; each further one doubles it.
const PAUSE_MIN: Duration = Duration::from_millis(500);
/// No pause is longer, whatever the server asks for.
const PAUSE_MAX: Duration = Duration::from_secs(30);
/// So many requests of which lines were refused say that the next will be refused as well.
const REFUSED_MAX: u64 = 10;

/// Runs `push`.
///
/// # Errors
/// When a file cannot be read, the server cannot be reached or is busy for too long, or refuses lines.
pub(crate) async fn run(session: &Session, args: &PushArgs) -> anyhow::Result<()> {
    // Before anything is sent, so that a typing error leaves nothing half done.
    let (sources, total) = lines::sources(&args.files)?;
    let mut pusher = Pusher { session, progress: progress(session, total), sent: Sent::default() };
    let mut batcher = Batcher::new(&args.labels);
    let mut chunks = read_in_background(sources);
    let mut flush_at: Option<Instant> = None;
    loop {
        let next = match flush_at {
            Some(at) => timeout_at(at, chunks.recv()).await,
            None => Ok(chunks.recv().await),
        };
        match next {
            Ok(None) => break,
            Ok(Some(chunk)) => {
                for line in chunk? {
                    if let Some(batch) = batcher.add(line, session::now()) {
                        pusher.push(batch).await?;
                        flush_at = None;
                    }
                }
                flush_at = flush_at.or_else(|| Some(Instant::now() + LINGER));
            }
            Err(_late) => {
                flush_at = None;
                if let Some(batch) = batcher.take() {
                    pusher.push(batch).await?;
                }
            }
        }
    }
    if let Some(batch) = batcher.take() {
        pusher.push(batch).await?;
    }
    pusher.finish()
}

fn read_in_background(sources: Vec<Source>) -> mpsc::Receiver<anyhow::Result<lines::Chunk>> {
    let (sender, chunks) = mpsc::channel(CHUNKS_MAX);
    // Not a task of the runtime, which would wait at exit for a read of stdin that never returns.
    std::thread::spawn(move || lines::read(sources, |chunk| sender.blocking_send(chunk).is_ok()));
    chunks
}

fn progress(session: &Session, total: Option<u64>) -> ProgressBar {
    if session.notes.quiet {
        return ProgressBar::hidden();
    }
    // Drawn on stderr, and there only when it is a terminal.
    let template = match total {
        Some(_) => {
            "{bar:30} {percent:>3}%  {decimal_bytes} of {decimal_total_bytes}  {decimal_bytes_per_sec}  {eta} left  {msg}"
        }
        None => "{spinner} {decimal_bytes}  {decimal_bytes_per_sec}  {elapsed}  {msg}",
    };
    let style = ProgressStyle::with_template(template).expect("a constant template");
    let bar = match total {
        Some(bytes) => ProgressBar::new(bytes),
        None => ProgressBar::new_spinner(),
    };
    bar.with_style(style)
}

#[derive(Default)]
struct Sent {
    lines: u64,
    bytes: u64,
    requests: u64,
    refused: u64,
}

struct Pusher<'a> {
    session: &'a Session,
    progress: ProgressBar,
    sent: Sent,
}

/// What became of one try.
enum Outcome {
    Stored,
    /// Some lines were refused, the others stored.
    Refused(anyhow::Error),
    /// Try again, perhaps after the time the server named.
    Busy(anyhow::Error, Option<Duration>),
}

impl Pusher<'_> {
    async fn push(&mut self, batch: Batch) -> anyhow::Result<()> {
        let body = batch.snappy().context("cannot compress a request")?;
        let mut tries = 0;
        loop {
            match self.attempt(body.clone()).await? {
                Outcome::Stored => break,
                Outcome::Refused(error) => {
                    self.sent.refused += 1;
                    self.say(&format!("warning: lines were refused: {error:#}"));
                    ensure!(self.sent.refused < REFUSED_MAX, "lines of {REFUSED_MAX} requests were refused");
                    break;
                }
                Outcome::Busy(error, asked) => {
                    tries += 1;
                    if tries >= TRIES_MAX {
                        let sent = self.sent.lines;
                        return Err(error.context(format!("given up after {tries} tries and {sent} lines sent")));
                    }
                    let pause = pause(tries, asked);
                    self.say(&format!("{error:#}; trying again in {:.1} s", pause.as_secs_f64()));
                    sleep(pause).await;
                }
            }
        }
        self.sent.lines += batch.lines();
        self.sent.bytes += batch.read_bytes;
        self.sent.requests += 1;
        self.progress.inc(batch.read_bytes);
        self.progress.set_message(format!("{} lines", self.sent.lines));
        Ok(())
    }

    /// # Errors
    /// When the server refuses in a way that no repetition changes.
    async fn attempt(&self, body: bytes::Bytes) -> anyhow::Result<Outcome> {
        let response = match self.session.client.push(body).await {
            Ok(response) => response,
            Err(error) => return Ok(Outcome::Busy(error, None)),
        };
        let status = response.status();
        let asked = retry_after(&response);
        match client::accepted(response).await {
            Ok(_) => Ok(Outcome::Stored),
            Err(error) if status == StatusCode::BAD_REQUEST => Ok(Outcome::Refused(error)),
            Err(error) if status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error() => {
                Ok(Outcome::Busy(error, asked))
            }
            Err(error) => Err(error.context(format!("stopped after {} lines", self.sent.lines))),
        }
    }

    fn say(&self, text: &str) {
        self.progress.suspend(|| notes::say(text));
    }

    fn finish(self) -> anyhow::Result<()> {
        self.progress.finish_and_clear();
        let Sent { lines, bytes, requests, refused } = self.sent;
        self.session.notes.say(&format!("sent {lines} lines ({}) in {requests} requests", table::bytes(bytes)));
        match refused {
            0 => Ok(()),
            _ => Err(anyhow!("lines of {refused} of {requests} requests were refused")),
        }
    }
}

/// Between tries number `tries` and the next.
fn pause(tries: u32, asked: Option<Duration>) -> Duration {
    let own = PAUSE_MIN * 2u32.saturating_pow(tries - 1);
    own.max(asked.unwrap_or_default()).min(PAUSE_MAX)
}

/// The header in seconds; its other form, a date, is not used by servers of this API.
fn retry_after(response: &Response) -> Option<Duration> {
    response.headers().get(RETRY_AFTER)?.to_str().ok()?.parse().ok().map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_up_to_a_bound() {
        let seconds = |s| Some(Duration::from_secs(s));
        let cases = [
            (1, None, 500),
            (2, None, 1000),
            (10, None, 30_000),
            (1, seconds(3), 3000),
            (4, seconds(3), 4000),
            (1, seconds(3600), 30_000),
        ];
        for (tries, asked, expect) in cases {
            assert_eq!(pause(tries, asked), Duration::from_millis(expect), "{tries} {asked:?}");
        }
    }
}
