//! Rows on their way to a merge: fetched by tasks, decoded by the thread that merges.
//!
//! A merge pulls from all its sources at once, so each source keeps at most [`PAGES_AHEAD`] fetched
//! pages beside the one being read: memory is bounded by the number of sections, not by their rows.
//! The fetching tasks live in a [`Fetching`]; dropping it ends them, their channels close, and the
//! merging thread sees that within one page and stops: that is how a task is cancelled.

use std::{collections::VecDeque, sync::Arc};

use bytes::Bytes;
use futures::StreamExt;
use skald_model::{Rows, TenantId};
use skald_segment::{PageRead, RowSource};
use skald_wire::pb;
use tokio::{sync::mpsc, task::JoinSet};

use crate::{
    ask::IngesterRows,
    counters::{Counters, add},
    error::Failure,
    fetch::Fetcher,
};

/// Fetched pages that wait to be read, per source: enough to overlap fetching with reading.
const PAGES_AHEAD: usize = 1;

/// Pages of one section are fetched together up to this many bytes.
const FETCH_BYTES: u64 = 1 << 20;

/// What a fetching task hands over. A channel that closes without `End` was cancelled.
enum Item {
    Page(PageRead, Vec<Bytes>),
    Rows(Rows),
    End,
}

/// One source of a merge.
pub(crate) enum Source {
    /// Rows already here, sorted.
    Memory(VecDeque<Rows>),
    /// Rows being fetched.
    Fetched(FetchedSource),
}

/// The receiving end of a fetching task.
pub(crate) struct FetchedSource {
    items: mpsc::Receiver<Result<Item, Failure>>,
    counters: Arc<Counters>,
    ended: bool,
}

impl Source {
    /// Sorted rows as a source.
    pub(crate) fn memory(rows: Rows) -> Self {
        Self::Memory(VecDeque::from([rows]))
    }
}

impl RowSource for Source {
    type Error = Failure;

    fn next(&mut self) -> Result<Option<Rows>, Failure> {
        match self {
            Self::Memory(rows) => Ok(rows.pop_front()),
            Self::Fetched(source) => source.next(),
        }
    }
}

impl FetchedSource {
    fn next(&mut self) -> Result<Option<Rows>, Failure> {
        if self.ended {
            return Ok(None);
        }
        match self.items.blocking_recv() {
            None => Err(Failure::Cancelled),
            Some(Err(failure)) => Err(failure),
            Some(Ok(Item::End)) => {
                self.ended = true;
                Ok(None)
            }
            Some(Ok(Item::Rows(rows))) => Ok(Some(rows)),
            Some(Ok(Item::Page(page, fetched))) => {
                add(&self.counters.pages_read, 1);
                Ok(Some(page.decode(&fetched)?))
            }
        }
    }
}

/// The tasks that fetch for one merge.
#[derive(Default)]
pub(crate) struct Fetching(JoinSet<()>);

impl Fetching {
    /// The pages of one section, in their order.
    pub(crate) fn section(
        &mut self,
        fetcher: &Arc<Fetcher>,
        counters: &Arc<Counters>,
        tenant: &TenantId,
        object: &str,
        pages: Vec<PageRead>,
    ) -> Source {
        let (sender, items) = mpsc::channel(PAGES_AHEAD);
        let (fetcher, tenant, object) = (fetcher.clone(), tenant.clone(), object.to_owned());
        let task_counters = counters.clone();
        self.0.spawn(async move {
            let mut pages = VecDeque::from(pages);
            while !pages.is_empty() {
                let together = next_fetch(&mut pages);
                let ranges: Vec<_> = together.iter().flat_map(|p| p.ranges.iter().cloned()).collect();
                let mut fetched = match fetcher.pages(&task_counters, &tenant, &object, &ranges).await {
                    Ok(fetched) => fetched.into_iter(),
                    Err(failure) => {
                        // The receiver may be gone: then nobody is interested in the failure.
                        let _ = sender.send(Err(failure)).await;
                        return;
                    }
                };
                for page in together {
                    let parts = fetched.by_ref().take(page.ranges.len()).collect();
                    if sender.send(Ok(Item::Page(page, parts))).await.is_err() {
                        return;
                    }
                }
            }
            let _ = sender.send(Ok(Item::End)).await;
        });
        Source::Fetched(FetchedSource { items, counters: counters.clone(), ended: false })
    }

    /// The rows of one ingester as they arrive.
    pub(crate) fn ingester(&mut self, counters: &Arc<Counters>, id: &str, rows: IngesterRows) -> Source {
        let (sender, items) = mpsc::channel(PAGES_AHEAD);
        let (task_counters, id) = (counters.clone(), id.to_owned());
        self.0.spawn(async move {
            let mut parts = futures::stream::iter([Ok(rows.first)]).chain(rows.rest);
            while let Some(part) = parts.next().await {
                let item = decode_part(&task_counters, &id, part);
                let failed = item.is_err();
                if sender.send(item.map(Item::Rows)).await.is_err() || failed {
                    return;
                }
            }
            let _ = sender.send(Ok(Item::End)).await;
        });
        Source::Fetched(FetchedSource { items, counters: counters.clone(), ended: false })
    }
}

/// The rows of one message of an ingester; a message may have none.
pub(crate) fn decode_part(
    counters: &Counters,
    id: &str,
    part: Result<pb::QueryRowsPart, skald_wire::RpcError>,
) -> Result<Rows, Failure> {
    let lost = |reason: String| Failure::IngesterLost { id: id.to_owned(), reason };
    let part = part.map_err(|error| lost(error.to_string()))?;
    if part.rows.is_empty() {
        return Ok(Rows::default());
    }
    let rows = Rows::decode(&part.rows).map_err(|error| lost(error.to_string()))?;
    add(&counters.ingester_rows, rows.len() as u64);
    Ok(rows)
}

/// Takes the first pages, at least one, as many as are fetched together.
fn next_fetch(pages: &mut VecDeque<PageRead>) -> Vec<PageRead> {
    let mut together = Vec::new();
    let mut bytes = 0;
    while let Some(page) = pages.front() {
        bytes += page.bytes();
        if !together.is_empty() && bytes > FETCH_BYTES {
            break;
        }
        together.extend(pages.pop_front());
    }
    together
}
