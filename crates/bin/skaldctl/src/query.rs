//! `query` and `instant-query`: LogQL over a range, read in pages, or at one instant.

use anyhow::Context;

use crate::{
    cli::{InstantArgs, OutputArgs, QueryArgs, TailArgs},
    client::ServerError,
    output::Printer,
    paging::{Page, Pager},
    response::{Envelope, QueryData, QueryResult, Stats},
    session::Session,
    table, tail,
    time::seconds,
};

/// Runs `query`.
///
/// # Errors
/// When the server cannot be asked, refuses, or the output takes no more.
pub(crate) async fn run(session: &Session, args: &QueryArgs) -> anyhow::Result<()> {
    if args.tail {
        let tail = TailArgs {
            query: args.query.clone(),
            since: args.range.since,
            from: args.range.from.clone(),
            limit: args.limit,
            delay_for: 0,
            output: args.output.clone(),
        };
        return tail::run(session, &tail).await;
    }
    if args.instant {
        let time = args.range.to.resolve(session.now, &session.zone)?;
        return instant(session, &args.query, time, args.limit, args.stats, &args.output).await;
    }
    let range = args.range.resolve(session.now, &session.zone)?;
    let mut pager = Pager::new(range, args.forward, args.limit, args.batch);
    let mut printer = Printer::to_stdout(session, &args.output);
    while let Some(page) = pager.page() {
        let answer = ask(session, args, page, pager.crowd()).await?;
        say_beside(session, &answer.warnings, answer.data.stats.as_ref().filter(|_| args.stats));
        match answer.data.result {
            QueryResult::Streams(streams) => {
                let lines = pager.accept(page, streams);
                let spoken = printer.page(&lines)?;
                if let Some(common) = spoken {
                    session.notes.say(&format!("Common labels: {common}"));
                }
            }
            series => return Ok(printer.metric(&series)?),
        }
    }
    Ok(())
}

/// Runs `instant-query`.
///
/// # Errors
/// When the server cannot be asked, refuses, or the output takes no more.
pub(crate) async fn run_instant(session: &Session, args: &InstantArgs) -> anyhow::Result<()> {
    let time = args.time.resolve(session.now, &session.zone)?;
    instant(session, &args.query, time, args.limit, args.stats, &args.output).await
}

async fn ask(
    session: &Session,
    args: &QueryArgs,
    page: Page,
    crowd: Option<u64>,
) -> anyhow::Result<Envelope<QueryData>> {
    let mut params = vec![
        ("query", args.query.clone()),
        ("start", nanos_param(page.range.start)),
        ("end", nanos_param(page.range.end)),
        ("limit", page.limit.to_string()),
        ("direction", if args.forward { "forward" } else { "backward" }.to_owned()),
    ];
    params.extend(args.step.map(|step| ("step", seconds(step))));
    params.extend(args.interval.map(|interval| ("interval", seconds(interval))));
    session.client.get("loki/api/v1/query_range", params).await.map_err(|error| {
        let refused = error.downcast_ref::<ServerError>().is_some_and(|e| e.status.is_client_error());
        match crowd.filter(|_| refused) {
            Some(crowd) => error.context(format!(
                "at least {crowd} lines share one instant, and the server returns no {} at once; narrow the query",
                page.limit
            )),
            None => error,
        }
    })
}

async fn instant(
    session: &Session,
    query: &str,
    time: i64,
    limit: u64,
    stats: bool,
    output: &OutputArgs,
) -> anyhow::Result<()> {
    let mut params = vec![("query", query.to_owned()), ("time", nanos_param(time))];
    // 0 means all here, which the API has no word for.
    if limit > 0 {
        params.push(("limit", limit.to_string()));
    }
    let answer: Envelope<QueryData> = session.client.get("loki/api/v1/query", params).await?;
    say_beside(session, &answer.warnings, answer.data.stats.as_ref().filter(|_| stats));
    Printer::to_stdout(session, output).metric(&answer.data.result).context("cannot print the result")
}

fn say_beside(session: &Session, warnings: &[String], stats: Option<&Stats>) {
    for warning in warnings {
        session.notes.say(&format!("warning: {warning}"));
    }
    if let Some(Stats { summary }) = stats {
        // Asked for by name, so --quiet does not silence it.
        crate::notes::say(&format!(
            "{} and {} lines processed in {:.3} s ({:.3} s queued), {} lines returned",
            table::bytes(summary.total_bytes_processed),
            summary.total_lines_processed,
            summary.exec_time,
            summary.queue_time,
            summary.total_entries_returned
        ));
    }
}

/// An instant as a parameter. Integers of up to ten digits are read as seconds, so the first seconds
/// of 1970 travel as RFC 3339.
pub(crate) fn nanos_param(nanos: i64) -> String {
    let text = nanos.to_string();
    if text.len() > 10 { text } else { crate::time::rfc3339_nanos(nanos, &jiff::tz::TimeZone::UTC) }
}

#[cfg(test)]
mod tests {
    use super::nanos_param;

    #[test]
    fn instants_are_never_taken_for_seconds() {
        let cases = [
            (1_700_000_000_000_000_000, "1700000000000000000"),
            (10_000_000_000, "10000000000"),
            (1_000_000_000, "1970-01-01T00:00:01Z"),
            (0, "1970-01-01T00:00:00Z"),
        ];
        for (nanos, text) in cases {
            assert_eq!(nanos_param(nanos), text);
        }
    }
}
