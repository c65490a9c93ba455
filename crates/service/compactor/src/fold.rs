//! One fold: flushed sections in, pack objects out. Sees no roots and commits nothing.
//!
//! Memory: the compressed pages of one slice, one decoded page per input, and one pack.

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use skald_blob::BlobStore;
use skald_model::{CommitVector, Rows};
use skald_segment::{
    Columns, MergeStats, PageRead, RowSource, SectionEntry, SectionIndex, SectionKey, SegmentError, merge, plan_read,
};

use crate::{
    error::CompactError,
    heavy::heavy,
    pack::{PackWriter, Packs},
    slices::{self, Slice},
};

/// Lines and metadata that are merged at once, all copies counted: a few dozen pages.
const SLICE_RAW_BYTES: u64 = 64 << 20;

/// Inputs read at once: hides the latency of a bucket.
const INPUT_READS_MAX: usize = 8;

/// One flushed section.
#[derive(Clone, Debug)]
pub(crate) struct Input {
    /// Key of its object.
    pub(crate) object: Arc<str>,
    /// What it holds.
    pub(crate) section: SectionEntry,
    /// The log positions its rows come from.
    pub(crate) sources: CommitVector,
}

/// The inputs of a fold by tenant and window.
pub(crate) type Groups = BTreeMap<SectionKey, Vec<Input>>;

/// Merges each group into one section of `packs` (several, where a pack was full in between).
pub(crate) async fn fold(
    store: &Arc<dyn BlobStore>,
    groups: Groups,
    packs: &mut Packs,
) -> Result<MergeStats, CompactError> {
    let mut total = MergeStats::default();
    for (key, inputs) in groups {
        let mut sources = CommitVector::new();
        inputs.iter().for_each(|input| sources.merge(&input.sources));
        packs.begin(key, sources)?;
        let reads: Vec<_> = inputs.iter().map(|input| read_index(store, input)).collect();
        let indexes: Vec<SectionIndex> = stream::iter(reads).buffered(INPUT_READS_MAX).try_collect().await?;
        for slice in slices::cut(&slices::sizes(&indexes), SLICE_RAW_BYTES) {
            let parts = inputs.iter().zip(&indexes);
            let reads: Vec<_> = parts.map(|(input, index)| read_pages(store, input, index, &slice)).collect();
            let pages: Vec<PagesSource> = stream::iter(reads).buffered(INPUT_READS_MAX).try_collect().await?;
            let writer = packs.take()?;
            let (writer, stats) = heavy(move || merge_into(pages, writer)).await??;
            total.rows_in += stats.rows_in;
            total.duplicates += stats.duplicates;
            packs.put_back(writer).await?;
        }
    }
    Ok(total)
}

async fn read_index(store: &Arc<dyn BlobStore>, input: &Input) -> Result<SectionIndex, CompactError> {
    let bytes = store.get_range(&input.object, input.section.index.clone()).await?;
    SectionIndex::decode(&input.section, &bytes)
        .map_err(|source| CompactError::Segment { object: input.object.to_string(), source })
}

async fn read_pages(
    store: &Arc<dyn BlobStore>,
    input: &Input,
    index: &SectionIndex,
    slice: &Slice,
) -> Result<PagesSource, CompactError> {
    let pages = {
        let wanted = |labels: &skald_model::Labels| *labels >= slice.first && *labels <= slice.last;
        plan_read(index, &wanted, slice.from, slice.to, &Columns::ALL).pages
    };
    let ranges: Vec<_> = pages.iter().flat_map(|page| page.ranges.iter().cloned()).collect();
    let mut fetched = store.get_ranges(&input.object, &ranges).await?.into_iter();
    let pages: Vec<_> = pages
        .into_iter()
        .map(|page| {
            let bytes: Vec<Bytes> = fetched.by_ref().take(page.ranges.len()).collect();
            (page, bytes)
        })
        .collect();
    Ok(PagesSource { object: input.object.clone(), pages: pages.into_iter() })
}

/// The rows of one input's pages, decoded one page at a time.
struct PagesSource {
    object: Arc<str>,
    pages: std::vec::IntoIter<(PageRead, Vec<Bytes>)>,
}

impl RowSource for PagesSource {
    type Error = (Arc<str>, SegmentError);

    fn next(&mut self) -> Result<Option<Rows>, Self::Error> {
        let Some((page, bytes)) = self.pages.next() else { return Ok(None) };
        page.decode(&bytes).map(Some).map_err(|source| (self.object.clone(), source))
    }
}

fn merge_into(sources: Vec<PagesSource>, mut writer: PackWriter) -> Result<(PackWriter, MergeStats), CompactError> {
    let mut merge = merge(sources);
    let damaged =
        |(object, source): (Arc<str>, SegmentError)| CompactError::Segment { object: object.to_string(), source };
    while let Some(rows) = merge.next().map_err(damaged)? {
        writer.push(&rows)?;
    }
    Ok((writer, merge.stats()))
}
