//! One answer from the outcomes of many tasks.
//!
//! Tasks of one query never overlap in time, so merging is putting parts one after the other; what is
//! left to do is to stop at the limit of entries in the middle of a part, and to count series.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, HashMap},
};

use bytes::Bytes;
use skald_model::{Direction, Labels};
use skald_wire::{labels_from_bytes, pb};

use crate::QueryError;

/// One line of an answer.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Entry {
    pub(crate) timestamp_ns: i64,
    /// Place among entries of one stream with one timestamp.
    pub(crate) arrival: u64,
    pub(crate) line: Bytes,
    pub(crate) structured_metadata: Labels,
    pub(crate) parsed: Labels,
    /// All labels of the entry in one set.
    pub(crate) labels: Labels,
}

/// The entries of one stored stream in the query's direction.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct StreamEntries {
    pub(crate) labels: Labels,
    pub(crate) entries: Vec<Entry>,
}

/// The parts of a log query, added in the query's direction.
pub(crate) struct LogMerge {
    direction: Direction,
    limit: usize,
    count: usize,
    streams: BTreeMap<Labels, Vec<Entry>>,
    /// Label sets seen: entries share them.
    interned: HashMap<Bytes, Labels>,
}

impl LogMerge {
    pub(crate) fn new(direction: Direction, limit: u64) -> Self {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        Self { direction, limit, count: 0, streams: BTreeMap::new(), interned: HashMap::new() }
    }

    /// Adds the next part in the query's direction, as much of it as the limit allows.
    pub(crate) fn add(&mut self, part: pb::LogOutcome) -> Result<(), QueryError> {
        let mut part = self.decode(part)?;
        let room = self.limit - self.count;
        if part.iter().map(|s| s.entries.len()).sum::<usize>() > room {
            cut(&mut part, self.direction, room);
        }
        for stream in part {
            self.count += stream.entries.len();
            self.streams.entry(stream.labels).or_default().extend(stream.entries);
        }
        Ok(())
    }

    /// True when no more entries are wanted.
    pub(crate) fn is_full(&self) -> bool {
        self.count >= self.limit
    }

    /// How many entries have been added.
    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// The streams in the order of their labels.
    pub(crate) fn finish(self) -> Vec<StreamEntries> {
        let streams = self.streams.into_iter().filter(|(_, entries)| !entries.is_empty());
        streams.map(|(labels, entries)| StreamEntries { labels, entries }).collect()
    }

    fn decode(&mut self, part: pb::LogOutcome) -> Result<Vec<StreamEntries>, QueryError> {
        let mut streams = Vec::with_capacity(part.streams.len());
        for stream in part.streams {
            let labels = self.labels(stream.stream)?;
            let mut entries = Vec::with_capacity(stream.entries.len());
            for entry in stream.entries {
                entries.push(Entry {
                    timestamp_ns: entry.timestamp_ns,
                    arrival: entry.arrival,
                    line: entry.line,
                    structured_metadata: self.labels(entry.structured_metadata)?,
                    parsed: self.labels(entry.parsed)?,
                    labels: self.labels(entry.labels)?,
                });
            }
            streams.push(StreamEntries { labels, entries });
        }
        Ok(streams)
    }

    fn labels(&mut self, bytes: Bytes) -> Result<Labels, QueryError> {
        if let Some(labels) = self.interned.get(&bytes) {
            return Ok(labels.clone());
        }
        let labels = labels_from_bytes(&bytes).map_err(|e| QueryError::internal(e.to_string()))?;
        self.interned.insert(bytes, labels.clone());
        Ok(labels)
    }
}

/// Keeps the first `room` entries in the query's direction; entries with one timestamp stand in the
/// order of their streams' hashes, as queriers order them.
fn cut(part: &mut [StreamEntries], direction: Direction, room: usize) {
    let mut order: Vec<(i64, usize)> =
        part.iter().enumerate().flat_map(|(i, s)| s.entries.iter().map(move |e| (e.timestamp_ns, i))).collect();
    match direction {
        Direction::Forward => order.sort_by_key(|&(time, i)| (time, part[i].labels.hash64(), i)),
        Direction::Backward => order.sort_by_key(|&(time, i)| (Reverse(time), part[i].labels.hash64(), i)),
    }
    let mut kept = vec![0; part.len()];
    for (_, stream) in order.into_iter().take(room) {
        kept[stream] += 1;
    }
    for (stream, kept) in part.iter_mut().zip(kept) {
        stream.entries.truncate(kept);
    }
}

/// Numbers over time under one label set.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Series {
    pub(crate) labels: Labels,
    /// Milliseconds since the epoch and the value there, ascending.
    pub(crate) samples: Vec<(i64, f64)>,
}

/// The parts of a metric query, added in the order of time.
pub(crate) struct MetricMerge {
    series: Vec<Series>,
    index: HashMap<Labels, usize>,
    series_max: usize,
    pub(crate) scalar: bool,
}

impl MetricMerge {
    /// More than `series_max` series are an error; 0: no bound.
    pub(crate) fn new(series_max: u32) -> Self {
        let series_max = if series_max == 0 { usize::MAX } else { series_max as usize };
        Self { series: Vec::new(), index: HashMap::new(), series_max, scalar: false }
    }

    /// Adds the next part in time.
    pub(crate) fn add(&mut self, part: pb::MetricOutcome) -> Result<(), QueryError> {
        self.scalar |= part.scalar;
        for series in part.series {
            let labels = labels_from_bytes(&series.labels).map_err(|e| QueryError::internal(e.to_string()))?;
            let at = *self.index.entry(labels).or_insert_with_key(|labels| {
                self.series.push(Series { labels: labels.clone(), samples: Vec::new() });
                self.series.len() - 1
            });
            if self.series.len() > self.series_max {
                return Err(too_many_series(self.series_max));
            }
            self.series[at].samples.extend(series.timestamps_ms.into_iter().zip(series.values));
        }
        Ok(())
    }

    /// The series: by labels, pair by pair, or in the order in which they came.
    pub(crate) fn finish(mut self, sorted: bool) -> Vec<Series> {
        if sorted {
            self.series.sort_by(|a, b| a.labels.iter().cmp(b.labels.iter()));
        }
        self.series
    }
}

fn too_many_series(limit: usize) -> QueryError {
    QueryError::bad_request(format!(
        "maximum number of series ({limit}) reached for a single query; consider reducing query cardinality by adding \
         more specific stream selectors, reducing the time range, or aggregating results with functions like sum(), \
         count() or topk()"
    ))
}

#[cfg(test)]
mod tests {
    use skald_wire::labels_to_bytes;

    use super::*;

    fn app(value: &str) -> Labels {
        Labels::from_pairs([("app", value)])
    }

    /// `"b:3,2 a:3"`: entries at 3 and 2 of stream b, at 3 of stream a.
    fn part(text: &str) -> pb::LogOutcome {
        let streams = text.split_whitespace().map(|stream| {
            let (name, times) = stream.split_once(':').unwrap();
            let entries = times.split(',').map(|time| pb::LogEntry {
                timestamp_ns: time.parse().unwrap(),
                labels: labels_to_bytes(&app(name)),
                ..Default::default()
            });
            pb::LogStream { stream: labels_to_bytes(&app(name)), entries: entries.collect() }
        });
        pb::LogOutcome { streams: streams.collect() }
    }

    fn shown(streams: &[StreamEntries]) -> String {
        let stream = |s: &StreamEntries| {
            let times: Vec<_> = s.entries.iter().map(|e| e.timestamp_ns.to_string()).collect();
            format!("{}:{}", s.labels.get("app").unwrap(), times.join(","))
        };
        streams.iter().map(stream).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn log_parts_up_to_the_limit() {
        use Direction::{Backward, Forward};
        let table: &[(Direction, u64, &[&str], &str)] = &[
            (Backward, 10, &["b:9,8 a:8", "b:3", "c:1"], "a:8 b:9,8,3 c:1"),
            (Backward, 3, &["b:9,8 a:8", "b:3"], "a:8 b:9,8"),
            (Backward, 2, &["b:9,8 a:7,6"], "b:9,8"),
            (Backward, 4, &["b:9", "b:8,7 a:7,6"], "a:7 b:9,8,7"),
            (Forward, 2, &["b:7,9 a:8,9"], "a:8 b:7"),
            (Forward, 5, &[""], ""),
        ];
        for (direction, limit, parts, expect) in table {
            let mut merge = LogMerge::new(*direction, *limit);
            for text in *parts {
                merge.add(part(text)).unwrap();
            }
            assert_eq!(merge.is_full(), merge.count() as u64 >= *limit);
            assert_eq!(shown(&merge.finish()), *expect, "{direction:?} {limit} {parts:?}");
        }
    }

    fn metric(series: &[(&str, &[(i64, f64)])]) -> pb::MetricOutcome {
        let series = series.iter().map(|(name, samples)| pb::MetricSeries {
            labels: labels_to_bytes(&app(name)),
            timestamps_ms: samples.iter().map(|s| s.0).collect(),
            values: samples.iter().map(|s| s.1).collect(),
        });
        pb::MetricOutcome { scalar: false, series: series.collect() }
    }

    #[test]
    fn series_are_joined_and_counted() {
        let parts = [metric(&[("b", &[(1, 1.0)])]), metric(&[("b", &[(2, 2.0)]), ("a", &[(2, 5.0)])])];
        let merged = |max, sorted| {
            let mut merge = MetricMerge::new(max);
            parts.iter().try_for_each(|p| merge.add(p.clone()))?;
            let series = merge.finish(sorted);
            Ok::<_, QueryError>(series.into_iter().map(|s| (s.labels, s.samples)).collect::<Vec<_>>())
        };
        let (a, b) = ((app("a"), vec![(2, 5.0)]), (app("b"), vec![(1, 1.0), (2, 2.0)]));
        assert_eq!(merged(2, true), Ok(vec![a.clone(), b.clone()]));
        assert_eq!(merged(0, false), Ok(vec![b, a]));
        let error = merged(1, true).unwrap_err();
        assert_eq!(error.status, 400);
        assert!(error.message.starts_with("maximum number of series (1) reached for a single query;"));
    }
}
