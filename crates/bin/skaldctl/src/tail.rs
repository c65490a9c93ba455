//! `tail`: lines as they arrive, over a websocket that is opened again when it is lost.
//!
//! A new connection begins at the newest instant that was printed, and leaves out the lines of that
//! instant that were printed. Lines that were on their way with older timestamps when a connection
//! broke can be missed; a query shows them.

use std::{io::Write, time::Duration};

use anyhow::{Context, anyhow};
use futures::{SinkExt, StreamExt};
use tokio::time::{Instant, sleep, timeout};
use tokio_tungstenite::tungstenite::Message;

use crate::{
    cli::TailArgs,
    client::{ServerError, WebSocket},
    output::Printer,
    paging::{Edge, Line, lines},
    query::nanos_param,
    response::TailMessage,
    session::Session,
    time::{Moment, rfc3339_millis},
};

/// After this much silence the server is asked for a sign of life (Loki's pings come each second), and
/// after as much again the connection counts as lost.
const SILENCE_MAX: Duration = Duration::from_secs(30);
/// A connection that lasted this long or brought lines was a good one: the next failure is a first one.
const GOOD_AFTER: Duration = Duration::from_secs(10);
/// So many failures in a row, with the pauses between them about a minute, are no hiccup any more.
const FAILURES_MAX: u32 = 10;
/// Pause after the first failure; each further one doubles it, up to [`PAUSE_MAX`].
const PAUSE_MIN: Duration = Duration::from_millis(500);
const PAUSE_MAX: Duration = Duration::from_secs(10);
/// How many lines a reconnection asks for: those of an outage, not the few of a first look.
const CATCH_UP_LINES: u64 = 1000;

/// Runs `tail` until interrupted.
///
/// # Errors
/// When the server cannot be reached or refuses, when it stays away, or the output takes no more.
pub(crate) async fn run(session: &Session, args: &TailArgs) -> anyhow::Result<()> {
    // Dropping the connection is all there is to clean up: every message is printed whole.
    tokio::select! {
        done = follow(session, args) => done,
        interrupted = tokio::signal::ctrl_c() => interrupted.context("cannot wait for an interrupt"),
    }
}

async fn follow(session: &Session, args: &TailArgs) -> anyhow::Result<()> {
    let from = args.from.clone().unwrap_or(Moment::BeforeNow(args.since));
    let mut position = Position::new(from.resolve(session.now, &session.zone)?);
    let mut printer = Printer::to_stdout(session, &args.output);
    let mut failures = 0;
    let mut connected_once = false;
    loop {
        let begun = Instant::now();
        let printed_before = position.printed;
        let lost = match session.client.websocket("loki/api/v1/tail", params(args, &position, connected_once)).await {
            Ok(mut socket) => {
                connected_once = true;
                position.reconnected();
                let reason = read(session, &mut socket, &mut position, &mut printer).await?;
                if position.printed > printed_before || begun.elapsed() > GOOD_AFTER {
                    failures = 0;
                }
                reason
            }
            Err(error) if !connected_once || is_final(&error) => return Err(error),
            Err(error) => format!("{error:#}"),
        };
        failures += 1;
        if failures > FAILURES_MAX {
            return Err(anyhow!("{lost} (tried {FAILURES_MAX} times)"));
        }
        let pause = PAUSE_MAX.min(PAUSE_MIN * 2u32.pow(failures - 1));
        session.notes.say(&format!("{lost}; reconnecting in {:.1} s", pause.as_secs_f64()));
        sleep(pause).await;
    }
}

/// Prints what arrives until the connection is lost, and says why it was.
async fn read<W: Write>(
    session: &Session,
    socket: &mut WebSocket,
    position: &mut Position,
    printer: &mut Printer<W>,
) -> anyhow::Result<String> {
    let mut asked = false;
    loop {
        let message = match timeout(SILENCE_MAX, socket.next()).await {
            Ok(Some(Ok(message))) => message,
            Ok(Some(Err(error))) => return Ok(format!("the connection was lost ({error})")),
            Ok(None) => return Ok("the server closed the connection".to_owned()),
            Err(_) if asked => return Ok("the server fell silent".to_owned()),
            Err(_) => {
                if let Err(error) = socket.send(Message::Ping(Default::default())).await {
                    return Ok(format!("the connection was lost ({error})"));
                }
                asked = true;
                continue;
            }
        };
        asked = false;
        let body = match message {
            Message::Text(text) => bytes::Bytes::from(text),
            Message::Binary(body) => body,
            Message::Close(Some(frame)) => {
                return Ok(format!("the server ended the tail ({} {})", u16::from(frame.code), frame.reason));
            }
            Message::Close(None) => return Ok("the server ended the tail".to_owned()),
            Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => continue,
        };
        let message: TailMessage = serde_json::from_slice(&body).context("the server sent no tail message")?;
        let dropped = message.dropped_entries.unwrap_or_default();
        if let Some(first) = dropped.first() {
            session.notes.say(&format!(
                "{} lines were dropped, because this tail is too slow; the first is of {} at {}",
                dropped.len(),
                first.labels,
                rfc3339_millis(first.timestamp, &session.zone)
            ));
        }
        printer.arrived(&position.accept(lines(message.streams)))?;
    }
}

fn params<'a>(args: &TailArgs, position: &Position, again: bool) -> Vec<(&'a str, String)> {
    let limit = if again { args.limit.max(CATCH_UP_LINES) } else { args.limit };
    let mut params = vec![("query", args.query.clone()), ("start", nanos_param(position.start()))];
    // Without a limit the server's own holds.
    params.extend((limit > 0).then(|| ("limit", limit.to_string())));
    params.extend((args.delay_for > 0).then(|| ("delay_for", args.delay_for.to_string())));
    params
}

/// What a repetition would not change: the query, the tenant.
fn is_final(error: &anyhow::Error) -> bool {
    let status = error.downcast_ref::<ServerError>().map(|e| e.status);
    status.is_some_and(|status| status.is_client_error() && status != reqwest::StatusCode::TOO_MANY_REQUESTS)
}

/// How far the tail has come.
struct Position {
    from: i64,
    printed: u64,
    /// The newest instant printed, and its lines.
    newest: Edge,
    /// Lines of the newest instant that this connection may send again.
    again: Edge,
}

impl Position {
    fn new(from: i64) -> Self {
        Self { from, printed: 0, newest: Edge::default(), again: Edge::default() }
    }

    fn start(&self) -> i64 {
        self.newest.timestamp.unwrap_or(self.from)
    }

    fn reconnected(&mut self) {
        self.again = self.newest.clone();
    }

    /// The lines to print, oldest first.
    fn accept(&mut self, mut lines: Vec<Line>) -> Vec<Line> {
        lines.sort_by_key(|line| line.timestamp);
        lines.retain(|line| !self.again.take(line));
        for line in &lines {
            if self.newest.timestamp.is_none_or(|newest| line.timestamp >= newest) {
                self.newest.add(line.timestamp, line);
            }
        }
        self.printed += lines.len() as u64;
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use skald_model::Labels;

    fn lines(of: &[(i64, &str)]) -> Vec<Line> {
        let line = |&(timestamp, text): &(i64, &str)| Line {
            timestamp,
            labels: Labels::from_pairs([("app", "x")]),
            line: text.to_owned(),
        };
        of.iter().map(line).collect()
    }

    #[test]
    fn reconnections_repeat_nothing() {
        let mut position = Position::new(5);
        assert_eq!(position.start(), 5);
        position.reconnected();
        // A repeated line within a connection is a line of its own.
        let first = lines(&[(8, "b"), (7, "a"), (8, "b")]);
        assert_eq!(position.accept(first), lines(&[(7, "a"), (8, "b"), (8, "b")]));
        position.accept(lines(&[(6, "late")]));
        assert_eq!(position.start(), 8);
        position.reconnected();
        assert_eq!(position.accept(lines(&[(8, "b"), (8, "c")])), lines(&[(8, "c")]));
        assert_eq!(position.accept(lines(&[(8, "b"), (8, "b"), (9, "b")])), lines(&[(8, "b"), (9, "b")]));
        assert_eq!((position.start(), position.printed), (9, 7));
    }
}
