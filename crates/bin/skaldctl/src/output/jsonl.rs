//! The mode for programs: one JSON object a line, with the keys of `logcli`.

use std::{
    collections::BTreeMap,
    io::{self, Write},
};

use jiff::tz::TimeZone;
use serde::Serialize;
use skald_model::Labels;

use super::{point_json, series_json};
use crate::{paging::Line, response::QueryResult, time::rfc3339_nanos};

#[derive(Serialize)]
struct Object<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    labels: Option<BTreeMap<&'a str, &'a str>>,
    line: &'a str,
    timestamp: String,
}

/// One log line; `labels` is what is shown of its labels.
pub(super) fn line(out: &mut impl Write, zone: &TimeZone, line: &Line, labels: Option<&Labels>) -> io::Result<()> {
    let labels = labels.map(|labels| labels.iter().collect());
    let object = Object { labels, line: &line.line, timestamp: rfc3339_nanos(line.timestamp, zone) };
    serde_json::to_writer(&mut *out, &object)?;
    writeln!(out)
}

/// One object a series: `{"metric":{..},"values":[[seconds,"value"],..]}`, at an instant with `value`;
/// a scalar is one `[seconds,"value"]`.
pub(super) fn metric(out: &mut impl Write, result: &QueryResult) -> io::Result<()> {
    match result {
        QueryResult::Streams(_) => Err(io::Error::other("lines are no series")),
        QueryResult::Matrix(all) => {
            all.iter().try_for_each(|s| writeln!(out, "{}", series_json(&s.metric, &s.values, false)))
        }
        QueryResult::Vector(all) => all
            .iter()
            .try_for_each(|s| writeln!(out, "{}", series_json(&s.metric, std::slice::from_ref(&s.value), true))),
        QueryResult::Scalar(point) => writeln!(out, "{}", point_json(point)),
    }
}
