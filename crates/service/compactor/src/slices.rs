//! Cuts the rows of one window into slices that fit in memory. Pure.
//!
//! Rows lie in the order (stream, time), so a slice is a span of streams, or of time within one large
//! stream. Merging slice after slice gives the same rows as merging everything at once: copies of a
//! row share stream and timestamp, so they lie in one slice.

use std::collections::BTreeMap;

use skald_model::{Labels, Timestamp};
use skald_segment::SectionIndex;

/// Rows of the streams `first..=last` in `from..to`; a `to` of [`Timestamp::MAX`] is no bound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Slice {
    pub(crate) first: Labels,
    pub(crate) last: Labels,
    pub(crate) from: Timestamp,
    pub(crate) to: Timestamp,
}

/// All copies of one stream together.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StreamSize {
    pub(crate) raw_bytes: u64,
    pub(crate) tmin: Timestamp,
    pub(crate) tmax: Timestamp,
}

/// The streams of several sections with their sizes.
pub(crate) fn sizes(indexes: &[SectionIndex]) -> BTreeMap<Labels, StreamSize> {
    let mut sizes: BTreeMap<Labels, StreamSize> = BTreeMap::new();
    for stream in indexes.iter().flat_map(SectionIndex::streams) {
        let new = StreamSize { raw_bytes: stream.raw_bytes, tmin: stream.tmin, tmax: stream.tmax };
        sizes
            .entry(stream.labels.clone())
            .and_modify(|size| {
                size.raw_bytes += new.raw_bytes;
                size.tmin = size.tmin.min(new.tmin);
                size.tmax = size.tmax.max(new.tmax);
            })
            .or_insert(new);
    }
    sizes
}

/// Slices of about `raw_bytes_max` each, in the order of rows.
pub(crate) fn cut(streams: &BTreeMap<Labels, StreamSize>, raw_bytes_max: u64) -> Vec<Slice> {
    let mut slices: Vec<Slice> = Vec::new();
    let mut taken = u64::MAX;
    for (labels, size) in streams {
        if size.raw_bytes > raw_bytes_max {
            slices.extend(cut_stream(labels, *size, raw_bytes_max));
            taken = u64::MAX;
            continue;
        }
        match slices.last_mut() {
            Some(slice) if taken.saturating_add(size.raw_bytes) <= raw_bytes_max => {
                slice.last = labels.clone();
                taken += size.raw_bytes;
            }
            _ => {
                slices.push(Slice {
                    first: labels.clone(),
                    last: labels.clone(),
                    from: Timestamp::MIN,
                    to: Timestamp::MAX,
                });
                taken = size.raw_bytes;
            }
        }
    }
    slices
}

/// Equal spans of time of one stream: its rows are taken to be spread evenly.
fn cut_stream(labels: &Labels, size: StreamSize, raw_bytes_max: u64) -> Vec<Slice> {
    let parts = size.raw_bytes.div_ceil(raw_bytes_max.max(1));
    let span = size.tmax.0.saturating_sub(size.tmin.0) as u64;
    // Fewer instants than parts: one slice an instant.
    let step = (span / parts).max(1);
    let parts = parts.min(span / step + 1);
    let bound = |part: u64| match part {
        0 => Timestamp::MIN,
        p if p == parts => Timestamp::MAX,
        p => size.tmin.saturating_add((p * step) as i64),
    };
    (0..parts)
        .map(|part| Slice { first: labels.clone(), last: labels.clone(), from: bound(part), to: bound(part + 1) })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_are_small_and_miss_nothing() {
        // streams as name:bytes:tmin:tmax | slices as first-last or stream@from..to
        let cases = [
            ("", ""),
            ("a:5:0:9", "a-a"),
            ("a:5:0:9 b:5:0:9 c:1:0:9", "a-b c-c"),
            ("a:1:0:9 b:25:0:9 c:1:0:9 d:1:0:9", "a-a b@..3 b@3..6 b@6.. c-d"),
            ("a:1000:7:7", "a-a"),
            ("a:1000:7:8", "a@..8 a@8.."),
        ];
        for (input, expect) in cases {
            let streams: BTreeMap<Labels, StreamSize> = input
                .split_whitespace()
                .map(|words| {
                    let words: Vec<&str> = words.split(':').collect();
                    let number = |i: usize| words[i].parse::<i64>().unwrap();
                    let size = StreamSize {
                        raw_bytes: number(1) as u64,
                        tmin: Timestamp(number(2)),
                        tmax: Timestamp(number(3)),
                    };
                    (Labels::from_pairs([("app", words[0])]), size)
                })
                .collect();
            let name = |labels: &Labels| labels.get("app").unwrap().to_owned();
            let show = |slice: &Slice| {
                let bound = |t: Timestamp| {
                    if matches!(t, Timestamp::MIN | Timestamp::MAX) { String::new() } else { t.to_string() }
                };
                match (slice.from, slice.to) {
                    (Timestamp::MIN, Timestamp::MAX) => format!("{}-{}", name(&slice.first), name(&slice.last)),
                    (from, to) => format!("{}@{}..{}", name(&slice.first), bound(from), bound(to)),
                }
            };
            let got: Vec<String> = cut(&streams, 10).iter().map(show).collect();
            assert_eq!(got.join(" "), expect, "{input}");
        }
    }
}
