//! What every command works with: the server, the time zone, the colours, the clock's reading.

use std::{env, io, io::IsTerminal};

use anyhow::anyhow;
use clap::ValueEnum;
use jiff::tz::TimeZone;

use crate::{
    cli::Global,
    client::{Client, ClientOptions},
    error::Usage,
    notes::Notes,
    output::Palette,
};

/// Where a server is looked for when nothing says otherwise.
const ADDR_DEFAULT: &str = "http://localhost:3100";

/// When to colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ColorChoice {
    /// On a terminal, unless `NO_COLOR` is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// One run of the program.
pub(crate) struct Session {
    /// The server.
    pub(crate) client: Client,
    /// What to say beside results.
    pub(crate) notes: Notes,
    /// Colours of stdout.
    pub(crate) palette: Palette,
    /// The zone of printed times.
    pub(crate) zone: TimeZone,
    /// When the program started, nanoseconds since the epoch: all ranges of one run end at one `now`.
    pub(crate) now: i64,
}

impl Session {
    /// From the global options and the environment.
    ///
    /// # Errors
    /// When an option makes no sense (a usage error).
    pub(crate) fn new(global: &Global) -> anyhow::Result<Self> {
        let client = Client::new(ClientOptions {
            addr: option_or_env(&global.addr, &["SKALD_ADDR", "LOKI_ADDR"]).unwrap_or_else(|| ADDR_DEFAULT.to_owned()),
            org_id: option_or_env(&global.org_id, &["SKALD_ORG_ID", "LOKI_ORG_ID"]),
            headers: global.headers.clone(),
            timeout: global.timeout,
        })?;
        let coloured = match global.color {
            ColorChoice::Always => true,
            ColorChoice::Never => false,
            ColorChoice::Auto => env_text("NO_COLOR").is_none() && io::stdout().is_terminal(),
        };
        Ok(Self {
            client,
            notes: Notes { quiet: global.quiet },
            palette: Palette::new(coloured),
            zone: zone(&global.timezone)?,
            now: now(),
        })
    }
}

/// The clock's reading, nanoseconds since the epoch.
pub(crate) fn now() -> i64 {
    i64::try_from(jiff::Timestamp::now().as_nanosecond()).expect("the year lies before 2262")
}

fn zone(name: &str) -> anyhow::Result<TimeZone> {
    match name.to_ascii_lowercase().as_str() {
        "local" => Ok(TimeZone::system()),
        "utc" => Ok(TimeZone::UTC),
        _ => TimeZone::get(name).map_err(|error| anyhow!(Usage(format!("timezone {name:?} is not known: {error}")))),
    }
}

fn option_or_env(option: &Option<String>, names: &[&str]) -> Option<String> {
    option.clone().or_else(|| names.iter().find_map(|name| env_text(name)))
}

/// An empty variable counts as unset.
fn env_text(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}
