//! The mode that adds nothing: lines alone; for metrics the server's own JSON, indented, in the form
//! that scripts written for `logcli` read.

use std::io::{self, Write};

use super::{point_json, series_json};
use crate::{paging::Line, response::QueryResult};

/// One log line.
pub(super) fn line(out: &mut impl Write, line: &Line) -> io::Result<()> {
    writeln!(out, "{}", line.line.strip_suffix('\n').unwrap_or(&line.line))
}

/// The `result` of the answer.
pub(super) fn metric(out: &mut impl Write, result: &QueryResult) -> io::Result<()> {
    let json: serde_json::Value = match result {
        QueryResult::Streams(_) => return Err(io::Error::other("lines are no series")),
        QueryResult::Matrix(all) => all.iter().map(|s| series_json(&s.metric, &s.values, false)).collect(),
        QueryResult::Vector(all) => {
            all.iter().map(|s| series_json(&s.metric, std::slice::from_ref(&s.value), true)).collect()
        }
        QueryResult::Scalar(point) => point_json(point),
    };
    serde_json::to_writer_pretty(&mut *out, &json)?;
    writeln!(out)
}
