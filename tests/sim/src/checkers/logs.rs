//! LogIsDense, SealIsForever, RegisteredBeforeFirstCommit: logs have no gaps, nothing stands behind a
//! SEAL, every log's writer is registered, and nothing is consumed that does not exist.

use std::{collections::BTreeMap, sync::Arc};

use skald_blob::BlobStore;
use skald_catalog::{Root, is_seal, keys};
use skald_model::Writer;

use super::Violation;

/// Reads every log of the bucket.
pub(super) async fn check(store: &Arc<dyn BlobStore>, newest: Option<&Root>) -> Result<(), Violation> {
    let broken = |invariant, detail| Violation { invariant, detail };
    let listed = store.list("log/", None, usize::MAX).await.expect("memory lists");
    let mut heads: BTreeMap<Writer, (u64, bool)> = BTreeMap::new();
    for meta in listed {
        let (writer, seq) = parse(&meta.key).ok_or_else(|| broken("LogIsDense", meta.key.clone()))?;
        let (head, ended) = heads.get(&writer).copied().unwrap_or((0, false));
        if seq != head + 1 {
            return Err(broken("LogIsDense", format!("{} follows {head}", meta.key)));
        }
        if ended {
            return Err(broken("SealIsForever", format!("{} stands behind a SEAL", meta.key)));
        }
        if head == 0 && store.get(&keys::writer_key(&writer)).await.is_err() {
            return Err(broken("RegisteredBeforeFirstCommit", meta.key));
        }
        let body = store.get(&meta.key).await.expect("it was listed");
        heads.insert(writer, (seq, is_seal(&body)));
    }
    for (writer, seq) in newest.into_iter().flat_map(|root| root.consumed.iter()) {
        let head = heads.get(writer).map_or(0, |&(head, _)| head);
        if seq > head {
            return Err(broken("LogIsDense", format!("{writer} is consumed to {seq} and has {head} objects")));
        }
    }
    Ok(())
}

fn parse(key: &str) -> Option<(Writer, u64)> {
    let (writer, seq) = key.strip_prefix("log/")?.split_once('/')?;
    Some((Writer::new(writer)?, seq.parse().ok()?))
}
