//! The mode for people: `time {labels that differ} line`, and series as headed columns.

use std::io::{self, Write};

use jiff::tz::TimeZone;
use skald_model::Labels;

use super::Palette;
use crate::{
    paging::Line,
    response::{Point, QueryResult},
    time::rfc3339_millis,
};

/// How a line is laid out.
pub(super) struct Columns<'a> {
    /// Labels are padded to this many characters.
    pub(super) width: usize,
    pub(super) palette: &'a Palette,
    pub(super) zone: &'a TimeZone,
}

impl Columns<'_> {
    /// One log line; `labels` is what is shown of its labels.
    pub(super) fn line(&self, out: &mut impl Write, line: &Line, labels: Option<&str>) -> io::Result<()> {
        let faint = self.palette.faint();
        write!(out, "{faint}{}{faint:#} ", rfc3339_millis(line.timestamp, self.zone))?;
        if let Some(labels) = labels {
            let style = self.palette.stream(&line.labels);
            write!(out, "{style}{labels:<width$}{style:#} ", width = self.width)?;
        }
        writeln!(out, "{}", line.line.strip_suffix('\n').unwrap_or(&line.line))
    }
}

/// Series, each under its labels; at an instant one a line, the values first and aligned.
pub(super) fn metric(out: &mut impl Write, palette: &Palette, zone: &TimeZone, result: &QueryResult) -> io::Result<()> {
    match result {
        QueryResult::Streams(_) => Err(io::Error::other("lines are no series")),
        QueryResult::Matrix(all) => {
            for (i, series) in all.iter().enumerate() {
                if i > 0 {
                    writeln!(out)?;
                }
                let style = palette.stream(&series.metric);
                writeln!(out, "{style}{}{style:#}", series.metric)?;
                points(out, palette, zone, &series.values)?;
            }
            Ok(())
        }
        QueryResult::Vector(samples) => {
            let rows: Vec<(&Labels, &str)> = samples.iter().map(|s| (&s.metric, &*s.value.1)).collect();
            let width = rows.iter().map(|(_, value)| value.len()).max().unwrap_or(0);
            for (labels, value) in rows {
                let style = palette.stream(labels);
                writeln!(out, "{value:>width$}  {style}{labels}{style:#}")?;
            }
            Ok(())
        }
        QueryResult::Scalar(point) => writeln!(out, "{}", point.1),
    }
}

fn points(out: &mut impl Write, palette: &Palette, zone: &TimeZone, points: &[Point]) -> io::Result<()> {
    let width = points.iter().map(|point| point.1.len()).max().unwrap_or(0);
    let faint = palette.faint();
    for point in points {
        writeln!(out, "  {faint}{}{faint:#}  {:>width$}", rfc3339_millis(point.nanos(), zone), point.1)?;
    }
    Ok(())
}
