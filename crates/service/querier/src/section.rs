//! Sections of a view with their indexes.

use std::sync::Arc;

use futures::{StreamExt, TryStreamExt, stream};
use skald_model::TenantId;
use skald_segment::{SectionEntry, SectionIndex};
use skald_wire::pb;

use crate::{counters::Counters, error::Failure, fetch::Fetcher};

/// Index regions fetched at a time by one task: hides the bucket's latency, leaves connections to others.
const INDEXES_AT_ONCE: usize = 16;

/// A section and what its index says.
#[derive(Clone)]
pub(crate) struct Section {
    pub(crate) object: Arc<str>,
    pub(crate) entry: SectionEntry,
    pub(crate) index: Arc<SectionIndex>,
    /// Copies of its rows may be in other sections and in ingesters.
    pub(crate) unfolded: bool,
}

/// What a reference says without its index; for freshness and for choosing.
pub(crate) fn entries(refs: Vec<pb::SectionRef>) -> Result<Vec<(pb::SectionRef, SectionEntry)>, Failure> {
    refs.into_iter()
        .map(|r| {
            let entry = SectionEntry::decode(&r.entry)?;
            Ok((r, entry))
        })
        .collect()
}

/// Loads the indexes of `refs`, in their order.
pub(crate) async fn load(
    fetcher: &Fetcher,
    counters: &Arc<Counters>,
    tenant: &TenantId,
    refs: Vec<pb::SectionRef>,
) -> Result<Vec<Section>, Failure> {
    let entries = entries(refs)?;
    let load_one = |(r, entry): (pb::SectionRef, SectionEntry)| async move {
        // A section of another tenant would be a fault of the gateway; nobody must ever see its rows.
        if entry.key.tenant != *tenant {
            return Err(Failure::internal("a view held a section of another tenant"));
        }
        let bytes = fetcher.index(counters, tenant, &r.object, entry.index.clone()).await?;
        let decoded = tokio::task::spawn_blocking(move || {
            let index = SectionIndex::decode(&entry, &bytes)?;
            Ok::<_, Failure>((entry, index))
        });
        let (entry, index) = decoded.await.map_err(|e| Failure::internal(e.to_string()))??;
        Ok(Section { object: r.object.into(), entry, index: Arc::new(index), unfolded: r.unfolded })
    };
    stream::iter(entries.into_iter().map(load_one)).buffered(INDEXES_AT_ONCE).try_collect().await
}
