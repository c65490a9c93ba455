//! From a parsed push to encoded batches: what is taken, what is refused, and why.
//!
//! Pure but for the rates it is handed: bodies, limits and the time come in as arguments. The steps
//! and their order are Loki's, because they decide which error a client sees.

use skald_limits::Limits;
use skald_model::{Labels, StreamBatch, StreamBatchBuilder, TenantId, Timestamp};
use skald_wire::push::{PushBody, PushStream};

use crate::{
    entries::EntryRules,
    labels::{self, STREAM_SHARD_LABEL},
    numbering::Numbering,
    rates::{StreamRates, StreamVerdict},
    rejection::{Reason, Rejection, Rejections},
};

/// Rows of one stream that were taken, not encoded yet.
#[derive(Debug)]
struct Taken {
    labels: Labels,
    rows: StreamBatchBuilder,
}

/// A push after admission.
#[derive(Debug, Default)]
pub(crate) struct Admitted {
    taken: Vec<Taken>,
    /// Entries taken.
    pub(crate) lines: u64,
    /// Bytes of lines and metadata taken, as limits count them.
    pub(crate) bytes: u64,
    /// Of these, bytes of metadata.
    pub(crate) metadata_bytes: u64,
    /// What was refused.
    pub(crate) rejections: Rejections,
}

/// Checks every stream and entry of `body`.
pub(crate) fn admit(
    body: &PushBody<'_>,
    tenant: &TenantId,
    limits: &Limits,
    rates: &StreamRates,
    now: Timestamp,
) -> Admitted {
    let mut out = Admitted::default();
    for stream in body.streams.iter().filter(|s| !s.entries.is_empty()) {
        match labels::admit(&stream.labels, limits) {
            Ok(labels) => admit_stream(stream, labels, tenant, limits, rates, now, &mut out),
            Err(rejection) => {
                let bytes = stream.entries.iter().map(|e| e.line.len() as u64).sum();
                out.rejections.add(rejection, stream.entries.len() as u64, bytes);
            }
        }
    }
    out
}

fn admit_stream(
    stream: &PushStream<'_>,
    labels: Labels,
    tenant: &TenantId,
    limits: &Limits,
    rates: &StreamRates,
    now: Timestamp,
    out: &mut Admitted,
) {
    let rules = EntryRules::new(limits, &labels, now);
    let line_bytes: u64 = stream.entries.iter().map(|e| e.line.len() as u64).sum();
    let shards = match rates.admit(tenant, &labels, line_bytes, limits, now) {
        StreamVerdict::Shards(shards) => shards as usize,
        StreamVerdict::Limited => {
            let limit = limits.per_stream_rate_limit;
            let text = format!(
                "Per stream rate limit exceeded (limit: {limit}/sec) while attempting to ingest for stream '{labels}' totaling {line_bytes}B, consider splitting a stream via additional labels or contact your Skald administrator to see if the limit can be increased"
            );
            let entries = stream.entries.len() as u64;
            return out.rejections.add(Rejection::new(Reason::PerStreamRateLimit, text), entries, line_bytes);
        }
    };
    let capacity = line_bytes as usize / shards + 64;
    let mut parts: Vec<_> = (0..shards).map(|_| StreamBatchBuilder::with_capacity(capacity)).collect();
    let mut metadata = Vec::new();
    let mut duplicates = DuplicateTimestamps::default();
    let mut taken = 0;
    for entry in &stream.entries {
        match rules.admit(stream, entry, &mut metadata) {
            Ok(line) => {
                let timestamp = match limits.increment_duplicate_timestamp {
                    true => duplicates.next(entry.timestamp, line),
                    false => entry.timestamp,
                };
                parts[taken % shards].push(timestamp, line, metadata.iter().map(|(n, v)| (&**n, v.as_bytes())));
                taken += 1;
                let metadata_bytes = metadata.iter().map(|(n, v)| (n.len() + v.len()) as u64).sum::<u64>();
                out.lines += 1;
                out.metadata_bytes += metadata_bytes;
                out.bytes += line.len() as u64 + metadata_bytes;
            }
            Err(rejection) => out.rejections.add(rejection, 1, entry.line.len() as u64),
        }
    }
    for (shard, rows) in parts.into_iter().enumerate().filter(|(_, rows)| !rows.is_empty()) {
        let labels = if shards == 1 { labels.clone() } else { with_shard(&labels, shard) };
        out.taken.push(Taken { labels, rows });
    }
}

/// Moves entries with the timestamp of the one before them on by 1 ns, unless they are copies of it.
#[derive(Default)]
struct DuplicateTimestamps<'a> {
    /// Timestamp as pushed and as stored, and line, of the entry before.
    before: Option<(Timestamp, Timestamp, &'a [u8])>,
}

impl<'a> DuplicateTimestamps<'a> {
    fn next(&mut self, pushed: Timestamp, line: &'a [u8]) -> Timestamp {
        let stored = match self.before {
            Some((before, stored, text)) if text != line && (pushed == before || pushed == stored) => {
                stored.saturating_add(1)
            }
            _ => pushed,
        };
        self.before = Some((pushed, stored, line));
        stored
    }
}

/// The stream that part `shard` of a split stream goes to.
fn with_shard(labels: &Labels, shard: usize) -> Labels {
    let number = shard.to_string();
    Labels::from_pairs(labels.iter().chain([(STREAM_SHARD_LABEL, number.as_str())]))
}

impl Admitted {
    /// True when nothing was taken.
    pub(crate) fn is_empty(&self) -> bool {
        self.taken.is_empty()
    }

    /// Encodes what was taken, numbering its rows; the number names the push.
    pub(crate) fn encode(self, numbering: &Numbering, now: Timestamp) -> (u64, Vec<StreamBatch>) {
        let number = numbering.number(now, self.lines);
        let mut arrival = number;
        let batches = self.taken.into_iter().filter_map(|taken| {
            let base = arrival;
            arrival += taken.rows.len() as u64;
            taken.rows.finish(&taken.labels, base)
        });
        (number, batches.collect())
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use skald_limits::{ByteSize, ShardStreams};
    use skald_wire::push::PushEntry;

    use super::*;

    const NOW: Timestamp = Timestamp(1_700_000_000_000_000_000);

    fn stream<'a>(app: &'a str, lines: &[&'a str]) -> PushStream<'a> {
        let entry = |line: &&'a str| PushEntry { timestamp: NOW, line: Cow::Borrowed(line.as_bytes()), metadata: 0..0 };
        PushStream {
            labels: vec![(Cow::Borrowed("app"), Cow::Borrowed(app))],
            entries: lines.iter().map(entry).collect(),
            metadata: Vec::new(),
        }
    }

    fn run(streams: Vec<PushStream<'_>>, limits: &Limits) -> Admitted {
        let tenant = TenantId::new("t").expect("valid");
        admit(&PushBody { streams }, &tenant, limits, &StreamRates::default(), NOW)
    }

    #[test]
    fn the_good_part_of_a_push_is_taken() {
        let limits = Limits { max_line_size: ByteSize(5), ..Limits::default() };
        let admitted = run(vec![stream("a", &["ok", "too long"]), stream("", &["x"]), stream("b", &[])], &limits);
        assert_eq!(admitted.lines, 1);
        let counts: Vec<_> = admitted.rejections.counts().map(|(r, n, b)| (r.label(), n, b)).collect();
        assert_eq!(counts, [("line_too_long", 1, 8), ("missing_labels", 1, 1)]);
        let (number, batches) = admitted.encode(&Numbering::default(), NOW);
        assert_eq!(number, NOW.as_nanos() as u64);
        assert_eq!(batches.len(), 1);
        assert_eq!(batches[0].labels().to_string(), r#"{app="a", service_name="a"}"#);
    }

    #[test]
    fn arrivals_number_the_rows_of_the_whole_push() {
        let (number, batches) = run(vec![stream("a", &["1", "2"]), stream("b", &["3"])], &Limits::default())
            .encode(&Numbering::default(), NOW);
        let arrivals: Vec<_> = batches.iter().flat_map(|b| b.rows().arrivals).map(|a| a - number).collect();
        assert_eq!(arrivals, [0, 1, 2]);
    }

    #[test]
    fn a_hot_stream_is_dealt_round_robin() {
        let limits =
            Limits { shard_streams: ShardStreams { enabled: true, desired_rate: ByteSize(3) }, ..Limits::default() };
        let (_, batches) = run(vec![stream("a", &["11", "22", "33"])], &limits).encode(&Numbering::default(), NOW);
        let parts: Vec<_> = batches
            .iter()
            .map(|b| {
                let lines: Vec<_> = b.rows().lines.iter().map(|l| String::from_utf8_lossy(l).into_owned()).collect();
                (b.labels().get(STREAM_SHARD_LABEL).unwrap_or("").to_owned(), lines.join(","))
            })
            .collect();
        assert_eq!(parts, [("0".into(), "11".into()), ("1".into(), "22".into()), ("2".into(), "33".into())]);
    }

    #[test]
    fn duplicate_timestamps_move_on_when_asked() {
        let limits = Limits { increment_duplicate_timestamp: true, ..Limits::default() };
        let (_, batches) = run(vec![stream("a", &["1", "2", "3", "3"])], &limits).encode(&Numbering::default(), NOW);
        let steps: Vec<_> = batches[0].rows().timestamps.iter().map(|t| t - NOW.as_nanos()).collect();
        assert_eq!(steps, [0, 1, 2, 0], "a copy of the line before is left to de-duplication");
    }
}
