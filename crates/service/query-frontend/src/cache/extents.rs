//! Stretches of a result that are known, and what is missing between them. Pure.

use bytes::Bytes;
use prost::Message;
use skald_model::varint::{self, Reader};
use skald_wire::pb;

use crate::split::StepSplit;

/// The first byte of an encoded entry.
const VERSION: u8 = 1;

/// Known steps of one part of a query.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Extent {
    pub(crate) steps: StepSplit,
    /// What the catalog said of the part's windows before the result was computed.
    pub(crate) fingerprint: u64,
    pub(crate) result: pb::MetricOutcome,
}

/// All extents of one part, ascending and apart from one another.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Extents(Vec<Extent>);

impl Extents {
    /// Reads a cache entry; anything that is not one counts as empty.
    pub(crate) fn decode(bytes: &Bytes) -> Self {
        decode(bytes).unwrap_or_default()
    }

    /// The form that is cached.
    pub(crate) fn encode(&self) -> Bytes {
        let mut out = vec![VERSION];
        varint::put_u64(&mut out, self.0.len() as u64);
        for extent in &self.0 {
            varint::put_i64(&mut out, extent.steps.start_ns);
            varint::put_i64(&mut out, extent.steps.end_ns);
            varint::put_u64(&mut out, extent.fingerprint);
            varint::put_bytes(&mut out, &extent.result.encode_to_vec());
        }
        out.into()
    }

    /// Drops extents that may have changed.
    pub(crate) fn retain_fresh(&mut self, fingerprint: u64) {
        self.0.retain(|e| e.fingerprint == fingerprint);
    }

    /// Splits the wanted steps into results that are known and steps to compute, both ascending.
    pub(crate) fn lookup(&self, wanted: StepSplit, step_ns: i64) -> (Vec<Extent>, Vec<StepSplit>) {
        let mut known = Vec::new();
        let mut gaps = Vec::new();
        let mut next = wanted.start_ns;
        for extent in &self.0 {
            let start_ns = extent.steps.start_ns.max(next);
            let end_ns = extent.steps.end_ns.min(wanted.end_ns);
            if start_ns > end_ns {
                continue;
            }
            if next < start_ns {
                gaps.push(StepSplit { start_ns: next, end_ns: start_ns - step_ns });
            }
            let steps = StepSplit { start_ns, end_ns };
            known.push(Extent { steps, result: cut(&extent.result, steps), ..*extent });
            next = end_ns + step_ns;
        }
        if next <= wanted.end_ns {
            gaps.push(StepSplit { start_ns: next, end_ns: wanted.end_ns });
        }
        (known, gaps)
    }

    /// Adds computed steps; neighbours with one fingerprint become one extent. Steps that are already
    /// known stay as they are.
    pub(crate) fn insert(&mut self, extent: Extent, step_ns: i64) {
        let overlaps = |e: &Extent| e.steps.start_ns <= extent.steps.end_ns && extent.steps.start_ns <= e.steps.end_ns;
        if self.0.iter().any(overlaps) {
            return;
        }
        let at = self.0.partition_point(|e| e.steps.start_ns < extent.steps.start_ns);
        self.0.insert(at, extent);
        let mut joined: Vec<Extent> = Vec::with_capacity(self.0.len());
        for extent in self.0.drain(..) {
            match joined.last_mut() {
                Some(last)
                    if last.fingerprint == extent.fingerprint
                        && last.steps.end_ns + step_ns == extent.steps.start_ns =>
                {
                    last.steps.end_ns = extent.steps.end_ns;
                    append(&mut last.result, extent.result);
                }
                _ => joined.push(extent),
            }
        }
        self.0 = joined;
    }
}

fn decode(bytes: &Bytes) -> Option<Extents> {
    let mut reader = Reader::new(bytes);
    if reader.u8()? != VERSION {
        return None;
    }
    let extents = (0..reader.count()?).map(|_| {
        let steps = StepSplit { start_ns: reader.i64()?, end_ns: reader.i64()? };
        let fingerprint = reader.u64()?;
        let result = pb::MetricOutcome::decode(reader.bytes()?).ok()?;
        Some(Extent { steps, fingerprint, result })
    });
    extents.collect::<Option<_>>().map(Extents)
}

/// The samples of some steps.
fn cut(result: &pb::MetricOutcome, steps: StepSplit) -> pb::MetricOutcome {
    let (start_ms, end_ms) = (steps.start_ns.div_euclid(1_000_000), steps.end_ns.div_euclid(1_000_000));
    let series = result.series.iter().filter_map(|series| {
        let from = series.timestamps_ms.partition_point(|&t| t < start_ms);
        let to = series.timestamps_ms.partition_point(|&t| t <= end_ms);
        (from < to).then(|| pb::MetricSeries {
            labels: series.labels.clone(),
            timestamps_ms: series.timestamps_ms[from..to].to_vec(),
            values: series.values[from..to].to_vec(),
        })
    });
    pb::MetricOutcome { scalar: result.scalar, series: series.collect() }
}

/// Adds later samples.
fn append(result: &mut pb::MetricOutcome, later: pb::MetricOutcome) {
    result.scalar |= later.scalar;
    for series in later.series {
        match result.series.iter_mut().find(|s| s.labels == series.labels) {
            Some(known) => {
                known.timestamps_ms.extend(series.timestamps_ms);
                known.values.extend(series.values);
            }
            None => result.series.push(series),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: i64 = 1_000_000;

    /// Steps in milliseconds, ten apart; the value of a step is its time.
    fn extent(start: i64, end: i64, fingerprint: u64) -> Extent {
        let times: Vec<i64> = (start..=end).step_by(10).collect();
        let values = times.iter().map(|&t| t as f64).collect();
        let series = pb::MetricSeries { labels: Bytes::new(), timestamps_ms: times, values };
        let result = pb::MetricOutcome { scalar: false, series: vec![series] };
        Extent { steps: steps(start, end), fingerprint, result }
    }

    fn steps(start: i64, end: i64) -> StepSplit {
        StepSplit { start_ns: start * MS, end_ns: end * MS }
    }

    fn in_ms(splits: impl IntoIterator<Item = StepSplit>) -> Vec<(i64, i64)> {
        splits.into_iter().map(|s| (s.start_ns / MS, s.end_ns / MS)).collect()
    }

    #[test]
    fn known_and_missing_steps() {
        let mut extents = Extents::default();
        extents.insert(extent(100, 120, 7), 10 * MS);
        extents.insert(extent(150, 160, 7), 10 * MS);
        // (wanted, known, missing)
        type Case<'a> = ((i64, i64), &'a [(i64, i64)], &'a [(i64, i64)]);
        let table: &[Case<'_>] = &[
            ((100, 120), &[(100, 120)], &[]),
            ((110, 110), &[(110, 110)], &[]),
            ((80, 200), &[(100, 120), (150, 160)], &[(80, 90), (130, 140), (170, 200)]),
            ((130, 140), &[], &[(130, 140)]),
            ((120, 150), &[(120, 120), (150, 150)], &[(130, 140)]),
            ((0, 50), &[], &[(0, 50)]),
        ];
        for ((start, end), known, missing) in table {
            let (got, gaps) = extents.lookup(steps(*start, *end), 10 * MS);
            assert_eq!(in_ms(got.iter().map(|e| e.steps)), *known, "{start} {end}");
            assert_eq!(in_ms(gaps), *missing, "{start} {end}");
            for extent in got {
                let times = &extent.result.series[0].timestamps_ms;
                let ends = (extent.steps.start_ns / MS, extent.steps.end_ns / MS);
                assert_eq!((times[0], times[times.len() - 1]), ends);
            }
        }
    }

    #[test]
    fn neighbours_join_and_stale_ones_go() {
        let mut extents = Extents::default();
        extents.insert(extent(130, 140, 7), 10 * MS);
        extents.insert(extent(100, 120, 7), 10 * MS);
        extents.insert(extent(150, 150, 8), 10 * MS);
        // Already known: the old one stays.
        extents.insert(extent(140, 160, 9), 10 * MS);
        assert_eq!(extents.0, [extent(100, 140, 7), extent(150, 150, 8)]);
        assert_eq!(Extents::decode(&extents.encode()), extents);
        extents.retain_fresh(8);
        assert_eq!(extents.0, [extent(150, 150, 8)]);
        for broken in [&b""[..], b"\x07", b"\x01\x05\x01"] {
            assert_eq!(Extents::decode(&Bytes::from_static(broken)), Extents::default());
        }
    }
}
