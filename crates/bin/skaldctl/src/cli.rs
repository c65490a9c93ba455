//! What a user can type. Names and defaults are those of Loki's `logcli` wherever the meaning is the
//! same, so that scripts and fingers keep working.

use std::{num::NonZeroU64, path::PathBuf, time::Duration};

use clap::{Args, Parser, Subcommand};
use skald_model::Labels;

use crate::{
    labels, output,
    session::ColorChoice,
    time::{self, Moment},
};

/// Ask, follow and feed Skald, or any server that speaks Loki's HTTP API.
#[derive(Debug, Parser)]
#[command(name = "skaldctl", version, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Options of every command.
#[derive(Debug, Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Global {
    /// The server's address [env: SKALD_ADDR or LOKI_ADDR] [default: http://localhost:3100]
    #[arg(long, global = true, value_name = "URL")]
    pub(crate) addr: Option<String>,
    /// The tenant, sent as X-Scope-OrgID [env: SKALD_ORG_ID or LOKI_ORG_ID]
    #[arg(long, global = true, value_name = "TENANT")]
    pub(crate) org_id: Option<String>,
    /// A header for every request, as 'Name: value'; may be given more than once
    #[arg(long = "header", global = true, value_name = "HEADER")]
    pub(crate) headers: Vec<String>,
    /// How long one request may take; for tail, to connect
    #[arg(long, global = true, value_name = "DURATION", default_value = "2m", value_parser = time::parse_duration)]
    pub(crate) timeout: Duration,
    /// Print results only: no common labels, progress or summaries
    #[arg(long, short, global = true)]
    pub(crate) quiet: bool,
    /// When to colour; auto is on a terminal, unless NO_COLOR is set
    #[arg(long, alias = "colour", global = true, value_enum, value_name = "WHEN", default_value = "auto")]
    pub(crate) color: ColorChoice,
    /// Timezone of printed times, and of times given without an offset: Local, UTC or a name like Europe/Oslo
    #[arg(long, short = 'z', global = true, value_name = "ZONE", default_value = "Local")]
    pub(crate) timezone: String,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a LogQL query over a time range
    Query(QueryArgs),
    /// Run a LogQL metric query at one instant
    InstantQuery(InstantArgs),
    /// Follow lines as they arrive
    Tail(TailArgs),
    /// List label names, or the values of one label
    Labels(LabelsArgs),
    /// List streams
    Series(SeriesArgs),
    /// Show how much data a selector covers
    Stats(StatsArgs),
    /// Send the lines of files or stdin, each stamped with the current time
    Push(PushArgs),
    /// Show the members of a ring
    Ring(RingArgs),
    /// Look into segment objects on disk
    #[command(subcommand)]
    Segment(SegmentCommand),
}

/// A time range. Times are RFC 3339, a date, `now`, `now-15m`, or a Unix time in s, ms, µs or ns.
#[derive(Debug, Clone, Args)]
pub(crate) struct RangeArgs {
    /// How far back to look from the end
    #[arg(long, value_name = "DURATION", default_value = "1h", conflicts_with = "from", value_parser = time::parse_duration)]
    pub(crate) since: Duration,
    /// First instant, for example 2024-01-31T10:00:00Z, now-15m or a Unix time in s, ms, µs or ns
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, value_parser = time::parse_moment)]
    pub(crate) from: Option<Moment>,
    /// Instant at which to stop, not included
    #[arg(long, value_name = "TIME", default_value = "now", allow_hyphen_values = true, value_parser = time::parse_moment)]
    pub(crate) to: Moment,
}

/// How results look.
#[derive(Debug, Clone, Args)]
pub(crate) struct OutputArgs {
    /// default: for people; raw: the lines alone; jsonl: one JSON object a line
    #[arg(long, short, value_enum, value_name = "MODE", default_value = "default")]
    pub(crate) output: output::Mode,
    /// Print no labels
    #[arg(long)]
    pub(crate) no_labels: bool,
    /// Print only these labels; may be given more than once
    #[arg(long = "include-label", value_name = "NAME")]
    pub(crate) include_labels: Vec<String>,
    /// Do not print these labels; may be given more than once
    #[arg(long = "exclude-label", value_name = "NAME")]
    pub(crate) exclude_labels: Vec<String>,
    /// Pad labels to at least this many characters
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) labels_length: usize,
}

#[derive(Debug, Args)]
pub(crate) struct QueryArgs {
    /// For example '{app="shop"} |= "error"' or 'sum by (app) (rate({app=~".+"}[5m]))'
    pub(crate) query: String,
    #[command(flatten)]
    pub(crate) range: RangeArgs,
    /// How many lines to print at most; 0 for all
    #[arg(long, value_name = "N", default_value_t = 30)]
    pub(crate) limit: u64,
    /// How many lines to ask for at once; at most the server's limit (5000 by default)
    #[arg(long, value_name = "N", default_value = "1000")]
    pub(crate) batch: NonZeroU64,
    /// Oldest lines first
    #[arg(long)]
    pub(crate) forward: bool,
    /// Distance of a metric query's points
    #[arg(long, value_name = "DURATION", value_parser = time::parse_duration)]
    pub(crate) step: Option<Duration>,
    /// Return of each stream at most one line per interval
    #[arg(long, value_name = "DURATION", value_parser = time::parse_duration)]
    pub(crate) interval: Option<Duration>,
    /// Evaluate a metric query at one instant, --to
    #[arg(long, conflicts_with_all = ["forward", "step", "interval", "tail"])]
    pub(crate) instant: bool,
    /// Follow lines as they arrive, as the command tail does
    #[arg(long, short = 't', alias = "follow", conflicts_with_all = ["forward", "step", "interval"])]
    pub(crate) tail: bool,
    /// Print the server's statistics to stderr
    #[arg(long)]
    pub(crate) stats: bool,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

#[derive(Debug, Args)]
pub(crate) struct InstantArgs {
    /// For example 'sum by (app) (count_over_time({app=~".+"}[5m]))'
    pub(crate) query: String,
    /// The instant
    #[arg(long, alias = "now", value_name = "TIME", default_value = "now", allow_hyphen_values = true, value_parser = time::parse_moment)]
    pub(crate) time: Moment,
    /// How many series to return at most, where the server applies it
    #[arg(long, value_name = "N", default_value_t = 30)]
    pub(crate) limit: u64,
    /// Print the server's statistics to stderr
    #[arg(long)]
    pub(crate) stats: bool,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

#[derive(Debug, Args)]
pub(crate) struct TailArgs {
    /// For example '{app="shop"} |= "error"'
    pub(crate) query: String,
    /// How far back to begin
    #[arg(long, value_name = "DURATION", default_value = "1h", conflicts_with = "from", value_parser = time::parse_duration)]
    pub(crate) since: Duration,
    /// Instant from which to begin
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, value_parser = time::parse_moment)]
    pub(crate) from: Option<Moment>,
    /// How many earlier lines to print at most
    #[arg(long, value_name = "N", default_value_t = 30)]
    pub(crate) limit: u64,
    /// How many seconds to wait for late lines, 0 to 5
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    pub(crate) delay_for: u64,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

#[derive(Debug, Args)]
pub(crate) struct LabelsArgs {
    /// The label whose values to list; without it the names are listed
    pub(crate) name: Option<String>,
    /// Only of streams that match, for example '{app="shop"}'
    #[arg(long, value_name = "SELECTOR")]
    pub(crate) query: Option<String>,
    #[command(flatten)]
    pub(crate) range: RangeArgs,
}

#[derive(Debug, Args)]
pub(crate) struct SeriesArgs {
    /// For example '{app="shop"}'; '{}' for all. Streams that match any of them are listed
    #[arg(required = true, value_name = "SELECTOR")]
    pub(crate) matchers: Vec<String>,
    /// Instead of streams, show how many values each label has
    #[arg(long)]
    pub(crate) analyze_labels: bool,
    #[command(flatten)]
    pub(crate) range: RangeArgs,
}

#[derive(Debug, Args)]
pub(crate) struct StatsArgs {
    /// For example '{app="shop"}'
    #[arg(value_name = "SELECTOR")]
    pub(crate) matcher: String,
    #[command(flatten)]
    pub(crate) range: RangeArgs,
}

#[derive(Debug, Args)]
pub(crate) struct PushArgs {
    /// Labels of the stream: app=shop,env=prod or '{app="shop"}'
    #[arg(long, short, value_name = "LABELS", value_parser = labels::parse_labels)]
    pub(crate) labels: Labels,
    /// What to send; - for stdin
    #[arg(default_value = "-", value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct RingArgs {
    /// Which ring: ingester, distributor, index-gateway, query-scheduler, compactor
    #[arg(long, value_name = "NAME", default_value = "ingester")]
    pub(crate) ring: String,
}

/// What to do with a segment object.
#[derive(Debug, Subcommand)]
pub(crate) enum SegmentCommand {
    /// Show what a segment object holds
    Inspect(InspectArgs),
}

#[derive(Debug, Args)]
pub(crate) struct InspectArgs {
    /// The object, as a local file
    pub(crate) file: PathBuf,
    /// List the streams of each section as well
    #[arg(long)]
    pub(crate) streams: bool,
    /// Read every page and report all damage
    #[arg(long)]
    pub(crate) verify: bool,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn definition_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn usage() {
        let cases: &[(&str, bool)] = &[
            ("query {a=\"b\"} --since 5m --limit 10 --forward -o raw", true),
            ("query {a=\"b\"} --from now-1h --to 1700000000 --batch 10", true),
            ("query {a=\"b\"} --since 5m --from now-1h", false),
            ("query {a=\"b\"} --batch 0", false),
            ("query {a=\"b\"} --since soon", false),
            ("query {a=\"b\"} --instant --forward", false),
            ("query -t {a=\"b\"} --limit 5", true),
            ("--addr http://x:1 --org-id t query x", true),
            ("query x --addr http://x:1 --header A:b --header C:d", true),
            ("query", false),
            ("instant-query x --now 1700000000", true),
            ("tail {a=\"b\"} --delay-for 2", true),
            ("labels", true),
            ("labels app --query {a=\"b\"}", true),
            ("series", false),
            ("series {} --analyze-labels", true),
            ("push -l a=b x.log y.log", true),
            ("push --labels a=b", true),
            ("push x.log", false),
            ("push --labels a x.log", false),
            ("ring --ring distributor", true),
            ("segment inspect f --streams --verify", true),
            ("segment inspect", false),
            ("wat", false),
        ];
        for (text, ok) in cases {
            let parsed = Cli::try_parse_from(format!("skaldctl {text}").split(' '));
            assert_eq!(parsed.is_ok(), *ok, "{text}: {:?}", parsed.err().map(|e| e.to_string()));
        }
    }
}
