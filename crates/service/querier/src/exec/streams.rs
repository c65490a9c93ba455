//! Which streams there are, with their rows and bytes: for labels, series and statistics.
//!
//! The set of streams is exact. Rows and bytes are an estimate, as in Loki: a stream's rows in a
//! section count by the share of its time that the range covers, and while copies of one row lie in
//! several flushed objects and memories, the fullest of the replicas is counted once, on top of what
//! is folded.

use std::collections::BTreeMap;

use skald_model::Labels;
use skald_wire::{labels_from_bytes, labels_to_bytes, pb};

use super::{Attempt, matches, selector};
use crate::{ask, counters::add, error::Failure, section};

/// Rows and bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Size {
    rows: u64,
    bytes: u64,
}

impl Size {
    fn add(&mut self, other: Self) {
        self.rows += other.rows;
        self.bytes += other.bytes;
    }
}

/// What is known of one stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Use {
    /// Every row once.
    folded: Size,
    /// Per replica (a writer's log, or an ingester) what is not folded yet.
    replicas: BTreeMap<String, Size>,
}

impl Use {
    fn total(&self) -> Size {
        let fullest = self.replicas.values().max_by_key(|size| size.rows).copied().unwrap_or_default();
        let mut total = self.folded;
        total.add(fullest);
        total
    }
}

/// Collects the streams of the selection.
pub(crate) async fn streams(a: &Attempt, selection: &pb::Selection) -> Result<pb::StreamsOutcome, Failure> {
    let matchers = skald_logql::parse_matchers_allow_empty(&selection.matchers)
        .map_err(|error| Failure::bad_request(error.to_string()))?;
    let wanted = pb::Selection {
        tenant: a.tenant.as_str().to_owned(),
        matchers: selector(&matchers),
        from_ns: selection.from_ns,
        to_ns: selection.to_ns.max(selection.from_ns.saturating_add(1)),
    };
    let (from, to) = (wanted.from_ns, wanted.to_ns);
    let asked = ask::streams(&a.cluster, &a.counters, &a.tenant, &wanted).await?;
    let refs = ask::view(&a.cluster, &a.tenant, from, to, &asked.need).await?;
    let sections = section::load(&a.fetcher, &a.counters, &a.tenant, refs).await?;
    add(&a.counters.sections, sections.len() as u64);

    let mut uses: BTreeMap<Labels, Use> = BTreeMap::new();
    let mut pieces = 0;
    for (instance, streams) in asked.answers {
        // Memory and flushed objects of one ingester are one replica.
        let replica = instance.writer.as_ref().map_or_else(|| instance.id.clone(), ToString::to_string);
        let mut any = false;
        for info in streams {
            let labels = labels_from_bytes(&info.labels)?;
            if !matches(&matchers, &labels) || !overlaps(info.min_ns, info.max_ns, from, to) {
                continue;
            }
            any = true;
            let size = share(info.rows, info.bytes, info.min_ns, info.max_ns, from, to);
            uses.entry(labels).or_default().replicas.entry(replica.clone()).or_default().add(size);
        }
        pieces += u64::from(any);
    }
    for section in &sections {
        let replica = section.entry.sources.iter().next().map(|(writer, _)| writer.to_string()).unwrap_or_default();
        let mut any = false;
        for stream in section.index.streams() {
            let (min, max) = (stream.tmin.0, stream.tmax.0);
            if !overlaps(min, max, from, to) || !matches(&matchers, &stream.labels) {
                continue;
            }
            any = true;
            let size = share(stream.rows, stream.raw_bytes, min, max, from, to);
            let entry = uses.entry(stream.labels.clone()).or_default();
            if section.unfolded {
                entry.replicas.entry(replica.clone()).or_default().add(size);
            } else {
                entry.folded.add(size);
            }
        }
        pieces += u64::from(any);
    }
    let streams = uses.iter().map(|(labels, r#use)| {
        let Size { rows, bytes } = r#use.total();
        pb::StreamUse { labels: labels_to_bytes(labels), rows, bytes }
    });
    Ok(pb::StreamsOutcome { streams: streams.collect(), chunks: pieces })
}

fn overlaps(min: i64, max: i64, from: i64, to: i64) -> bool {
    min < to && max >= from
}

/// The part of `rows` and `bytes`, spread evenly over `min..=max`, that lies in `from..to`; at least one row.
fn share(rows: u64, bytes: u64, min: i64, max: i64, from: i64, to: i64) -> Size {
    if from <= min && max < to {
        return Size { rows, bytes };
    }
    let whole = (i128::from(max) - i128::from(min) + 1) as f64;
    let part = (i128::from(max.min(to - 1)) - i128::from(min.max(from)) + 1) as f64;
    let of = |n: u64| (n as f64 * part / whole).round() as u64;
    Size { rows: of(rows).max(1), bytes: of(bytes) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replicas_count_once() {
        let size = |rows| Size { rows, bytes: rows * 10 };
        let replicas = BTreeMap::from([("a".to_owned(), size(5)), ("b".to_owned(), size(7))]);
        assert_eq!(Use { folded: size(3), replicas }.total(), size(10));
    }

    #[test]
    fn shares_of_a_stream() {
        // (min, max, from, to) → rows of 100
        let table = [
            ((0, 99, 0, 100), 100),
            ((0, 99, -5, 500), 100),
            ((0, 99, 50, 100), 50),
            ((0, 99, 99, 200), 1),
            ((0, 99, 0, 1), 1),
            ((0, 0, 0, 1), 100),
        ];
        for ((min, max, from, to), rows) in table {
            assert_eq!(
                share(100, 1000, min, max, from, to),
                Size { rows, bytes: rows * 10 },
                "{min} {max} {from} {to}"
            );
        }
    }
}
