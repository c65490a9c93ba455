//! Results as text. One file a mode; what they share is here.
//!
//! A [`Printer`] writes to anything, and knows neither where its lines come from nor what else is said
//! about them: common labels are returned, for the caller to say on stderr.

mod default;
mod jsonl;
mod palette;
mod raw;

use std::io::{self, BufWriter, Stdout, Write};

use clap::ValueEnum;
use jiff::tz::TimeZone;
use skald_model::Labels;

use crate::{
    cli::OutputArgs,
    error,
    paging::Line,
    response::{Point, QueryResult},
    session::Session,
};

pub(crate) use palette::Palette;

/// How results look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Mode {
    /// For people: time, the labels that differ, line.
    Default,
    /// Lines alone; metrics as the server's JSON.
    Raw,
    /// One JSON object a line.
    Jsonl,
}

/// Which labels are shown, and how.
#[derive(Clone, Debug, Default)]
pub(crate) struct LabelView {
    /// None at all.
    pub(crate) hidden: bool,
    /// Only these, when there are any.
    pub(crate) include: Vec<String>,
    /// Not these.
    pub(crate) exclude: Vec<String>,
    /// Padded to at least this many characters.
    pub(crate) length_min: usize,
}

impl LabelView {
    /// The shown labels among `labels`, without those of `common`.
    fn of(&self, labels: &Labels, common: &Labels) -> Labels {
        let shown = |name: &str, value: &str| {
            (self.include.is_empty() || self.include.iter().any(|i| i == name))
                && !self.exclude.iter().any(|e| e == name)
                && common.get(name) != Some(value)
        };
        Labels::from_pairs(labels.iter().filter(|&(name, value)| shown(name, value)))
    }
}

/// Prints results to `out`.
pub(crate) struct Printer<W: Write> {
    mode: Mode,
    palette: Palette,
    zone: TimeZone,
    view: LabelView,
    common: Labels,
    /// The longest labels of lines that came one by one.
    labels_width: usize,
    out: W,
}

impl Printer<BufWriter<Stdout>> {
    /// To stdout, as the options say.
    pub(crate) fn to_stdout(session: &Session, args: &OutputArgs) -> Self {
        let view = LabelView {
            hidden: args.no_labels,
            include: args.include_labels.clone(),
            exclude: args.exclude_labels.clone(),
            length_min: args.labels_length,
        };
        Self::new(args.output, session.palette, session.zone.clone(), view, BufWriter::new(io::stdout()))
    }
}

impl<W: Write> Printer<W> {
    /// Nothing printed yet.
    pub(crate) fn new(mode: Mode, palette: Palette, zone: TimeZone, view: LabelView, out: W) -> Self {
        Self { mode, palette, zone, view, common: Labels::empty(), labels_width: 0, out }
    }

    /// Prints lines that came together. Returns the labels they have in common, which are not printed
    /// with each, when they are others than those of the page before.
    ///
    /// # Errors
    /// When the output takes no more.
    pub(crate) fn page(&mut self, lines: &[Line]) -> io::Result<Option<Labels>> {
        let mut said = None;
        if self.mode == Mode::Default && !self.view.hidden && !lines.is_empty() {
            let common = common(lines);
            if common != self.common {
                said = Some(self.view.of(&common, &Labels::empty()));
                self.common = common;
            }
        }
        self.lines(lines).map_err(error::of_output)?;
        Ok(said.filter(|labels| !labels.is_empty()))
    }

    /// Prints lines as they arrive, each with all its labels.
    ///
    /// # Errors
    /// When the output takes no more.
    pub(crate) fn arrived(&mut self, lines: &[Line]) -> io::Result<()> {
        self.lines(lines).map_err(error::of_output)
    }

    /// Prints series.
    ///
    /// # Errors
    /// When the output takes no more, or for [`QueryResult::Streams`], whose lines have an order first.
    pub(crate) fn metric(&mut self, result: &QueryResult) -> io::Result<()> {
        match self.mode {
            Mode::Default => default::metric(&mut self.out, &self.palette, &self.zone, result),
            Mode::Raw => raw::metric(&mut self.out, result),
            Mode::Jsonl => jsonl::metric(&mut self.out, result),
        }
        .and_then(|()| self.out.flush())
        .map_err(error::of_output)
    }

    fn lines(&mut self, lines: &[Line]) -> io::Result<()> {
        match self.mode {
            Mode::Default => {
                let labels: Vec<String> = match self.view.hidden {
                    true => Vec::new(),
                    false => lines.iter().map(|l| self.view.of(&l.labels, &self.common).to_string()).collect(),
                };
                let longest = labels.iter().map(|text| text.chars().count()).max().unwrap_or(0);
                self.labels_width = self.labels_width.max(longest).max(self.view.length_min);
                let columns = default::Columns { width: self.labels_width, palette: &self.palette, zone: &self.zone };
                for (i, line) in lines.iter().enumerate() {
                    columns.line(&mut self.out, line, labels.get(i).map(String::as_str))?;
                }
            }
            Mode::Raw => lines.iter().try_for_each(|line| raw::line(&mut self.out, line))?,
            Mode::Jsonl => lines.iter().try_for_each(|line| {
                let labels = (!self.view.hidden).then(|| self.view.of(&line.labels, &Labels::empty()));
                jsonl::line(&mut self.out, &self.zone, line, labels.as_ref())
            })?,
        }
        self.out.flush()
    }
}

/// Labels that all lines have with one value.
fn common(lines: &[Line]) -> Labels {
    let Some(first) = lines.first() else { return Labels::empty() };
    let everywhere =
        |name: &str, value: &str| lines.iter().all(|l| l.labels == first.labels || l.labels.get(name) == Some(value));
    Labels::from_pairs(first.labels.iter().filter(|&(name, value)| everywhere(name, value)))
}

/// A metric result as the API's JSON, which the modes for programs print.
fn series_json(labels: &Labels, values: &[Point], at_instant: bool) -> serde_json::Value {
    let metric: serde_json::Map<_, _> = labels.iter().map(|(n, v)| (n.to_owned(), v.into())).collect();
    let (name, points) = match (at_instant, values) {
        (true, [point]) => ("value", point_json(point)),
        _ => ("values", values.iter().map(point_json).collect()),
    };
    serde_json::json!({ "metric": metric, name: points })
}

fn point_json(point: &Point) -> serde_json::Value {
    let seconds = point.0;
    // Whole seconds are printed without a fraction, as the server does.
    let time = if seconds.fract() == 0.0 { serde_json::json!(seconds as i64) } else { serde_json::json!(seconds) };
    serde_json::json!([time, point.1])
}

#[cfg(test)]
mod tests;
