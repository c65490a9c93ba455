//! `stats`: how much data a selector covers.

use std::io::{self, Write};

use crate::{cli::StatsArgs, error::of_output, query::nanos_param, response::IndexStats, session::Session, table};

/// Runs `stats`.
///
/// # Errors
/// When the server cannot be asked, refuses, or the output takes no more.
pub(crate) async fn run(session: &Session, args: &StatsArgs) -> anyhow::Result<()> {
    let range = args.range.resolve(session.now, &session.zone)?;
    let params =
        vec![("query", args.matcher.clone()), ("start", nanos_param(range.start)), ("end", nanos_param(range.end))];
    let stats: IndexStats = session.client.get("loki/api/v1/index/stats", params).await?;
    io::stdout().write_all(text(&stats).as_bytes()).map_err(of_output)?;
    Ok(())
}

fn text(stats: &IndexStats) -> String {
    let IndexStats { streams, chunks, bytes, entries } = *stats;
    format!("streams  {streams}\nchunks   {chunks}\nentries  {entries}\nbytes    {bytes} ({})\n", table::bytes(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_exact_and_readable() {
        let stats = IndexStats { streams: 2, chunks: 3, bytes: 1_234_567, entries: 40 };
        assert_eq!(text(&stats), "streams  2\nchunks   3\nentries  40\nbytes    1234567 (1.2 MB)\n");
    }
}
