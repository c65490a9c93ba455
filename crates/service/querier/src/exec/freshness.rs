//! Whether a result over a range may be used again: what the catalog says of its rows, and whether
//! ingesters hold any.

use std::hash::Hasher;

use skald_model::CommitVector;
use skald_wire::pb;
use xxhash_rust::xxh3::Xxh3;

use super::Attempt;
use crate::{ask, error::Failure, section};

/// The fingerprint is a hash of the log positions that added rows to the sections in the range: it
/// changes with every commit of rows there and stays when sections are merely rewritten.
pub(crate) async fn freshness(a: &Attempt, selection: &pb::Selection) -> Result<pb::FreshnessOutcome, Failure> {
    let asked = ask::bounds(&a.cluster, &a.counters, &a.tenant).await?;
    let (from, to) = (selection.from_ns, selection.to_ns);
    let rows_in_memory = asked.answers.iter().any(|(_, b)| b.is_some_and(|(min, max)| min < to && max >= from));
    let refs = ask::view(&a.cluster, &a.tenant, from, to, &asked.need).await?;
    let mut sources = CommitVector::new();
    for (_, entry) in section::entries(refs)? {
        sources.merge(&entry.sources);
    }
    let mut hasher = Xxh3::new();
    for (writer, seq) in sources.iter() {
        hasher.write(writer.as_str().as_bytes());
        hasher.write_u8(0);
        hasher.write_u64(seq);
    }
    Ok(pb::FreshnessOutcome { fingerprint: hasher.digest(), rows_in_memory })
}
