//! What one compactor knows, and its steps in order: observe, plan, fold, commit, tell.
//!
//! The letters in comments are the steps of the protocol in `docs/format/catalog.md`.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
    time::Duration,
};

use futures::{StreamExt, TryStreamExt, stream};
use skald_catalog::{
    Absence, Catalog, CatalogError, Change, CommitId, Content, LogObject, Monotonic, RootCursor, RootOutcome, TailItem,
    View, plan,
};
use skald_model::{CommitVector, Timestamp, Writer};
use skald_segment::MergeStats;

use crate::{
    config::CompactorConfig,
    error::CompactError,
    fold::{self, Groups, Input},
    metrics::CompactorMetrics,
    pack::Packs,
    service::RandomIds,
};

/// Logs looked at at once: hides the latency of a bucket, and is far below its limits.
const LOG_READS_MAX: usize = 16;

/// What folds have done, summed up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct FoldSummary {
    /// Folds committed.
    pub folds: u64,
    /// Folds thrown away because another compactor committed first.
    pub lost: u64,
    /// Flushed objects consumed.
    pub objects: u64,
    /// Sections made of them.
    pub sections: u64,
    /// Rows read.
    pub rows: u64,
    /// Rows dropped as copies.
    pub duplicates: u64,
    /// Bytes of pack objects written.
    pub written_bytes: u64,
    /// The newest root generation known at the end.
    pub generation: u64,
}

/// The state of a compactor; owned by one task.
pub(crate) struct Worker {
    pub(crate) catalog: Catalog,
    pub(crate) config: CompactorConfig,
    /// Nanoseconds since the epoch; only names objects and dates roots.
    pub(crate) wall_clock: Arc<dyn Fn() -> i64 + Send + Sync>,
    pub(crate) clock: Monotonic,
    pub(crate) ids: RandomIds,
    pub(crate) metrics: CompactorMetrics,
    cursor: RootCursor,
    view: View,
    /// Writers heard of; their logs are looked at even while nothing of them is known.
    writers: BTreeSet<Writer>,
    listed_at: Option<Duration>,
    /// Since when objects of the tail are known.
    known_since: HashMap<(Writer, u64), Duration>,
    absence: Absence,
}

impl Worker {
    /// A worker that knows nothing yet.
    pub(crate) fn new(
        catalog: Catalog,
        config: CompactorConfig,
        wall_clock: Arc<dyn Fn() -> i64 + Send + Sync>,
        clock: Monotonic,
        ids: RandomIds,
        metrics: CompactorMetrics,
    ) -> Self {
        let cursor = RootCursor::new(catalog.clone(), clock.clone(), config.grace);
        let view = View::new(cursor.content().clone());
        Self {
            catalog,
            config,
            wall_clock,
            clock,
            ids,
            metrics,
            cursor,
            view,
            writers: BTreeSet::new(),
            listed_at: None,
            known_since: HashMap::new(),
            absence: Absence::new(),
        }
    }

    /// C1: the newest root, and all of every log above it. `heard` are writers known from gossip; with
    /// `list` the registered ones are listed even if they were a moment ago.
    pub(crate) async fn observe(&mut self, heard: &CommitVector, list: bool) -> Result<(), CatalogError> {
        let content = self.cursor.refresh().await?.clone();
        self.adopt(content);
        let now = (self.clock)();
        if list || self.listed_at.is_none_or(|at| now.saturating_sub(at) >= self.config.writers_probe) {
            self.writers.extend(self.catalog.writers().await?);
            self.listed_at = Some(now);
        }
        self.writers.extend(heard.iter().map(|(writer, _)| writer.clone()));
        self.writers.extend(self.view.writers());
        self.writers.retain(|writer| !self.view.ended(writer));
        let read = |writer: &Writer| read_log(self.catalog.clone(), writer.clone(), self.view.head(writer) + 1);
        let logs: Vec<_> = self.writers.iter().map(read).collect();
        let found: Vec<_> = stream::iter(logs).buffered(LOG_READS_MAX).try_collect().await?;
        for (writer, seq, object) in found.into_iter().flatten() {
            self.known_since.insert((writer.clone(), seq), now);
            self.view.insert(&writer, seq, object);
        }
        self.report_tail(now);
        Ok(())
    }

    /// S1: seals the logs of writers that are gone. `present` are those whose ingesters are in the ring.
    pub(crate) async fn seal(&mut self, present: &BTreeSet<Writer>) -> Result<(), CatalogError> {
        let unended = self.writers.iter().filter(|writer| !self.view.ended(writer));
        let heads: Vec<(Writer, u64)> = unended.map(|writer| (writer.clone(), self.view.head(writer))).collect();
        for position in self.absence.due((self.clock)(), present, &heads, self.config.seal_after) {
            if self.catalog.seal_log(&position).await? {
                self.metrics.seals.inc();
                tracing::info!(writer = %position.writer, seq = position.seq, "sealed the log of a writer that is gone");
                self.known_since.insert((position.writer.clone(), position.seq), (self.clock)());
                self.view.insert(&position.writer, position.seq, LogObject::Seal);
            }
        }
        Ok(())
    }

    /// C2 and C3 once, if there is something to fold: what was done. With `now` nothing is waited for.
    pub(crate) async fn fold(&mut self, now: bool) -> Result<Option<FoldSummary>, CompactError> {
        let Some(upto) = plan(&self.tail_items(), now, &self.config.policy) else { return Ok(None) };
        let job = Job::take(&self.view, &upto);
        let mut summary = FoldSummary { objects: job.objects, ..FoldSummary::default() };
        let created = Timestamp((self.wall_clock)());
        let mut packs = Packs::new(self.catalog.store().clone(), self.catalog.shard(), created, self.ids.clone());
        let stats: MergeStats = fold::fold(self.catalog.store(), job.groups, &mut packs).await?;
        let (entries, bytes) = packs.finish().await?;
        summary.sections = entries.len() as u64;
        summary.rows = stats.rows_in;
        summary.duplicates = stats.duplicates;
        summary.written_bytes = bytes;
        let change = Change { consumed: upto, ended: job.ended, added: entries, removed: Vec::new() };
        let base = self.view.content().clone();
        match self.catalog.commit(&base, CommitId((self.ids)()), created, change).await? {
            RootOutcome::Committed(content) => {
                self.cursor.committed(content.clone());
                self.adopt(content);
                summary.folds = 1;
            }
            RootOutcome::Lost => summary.lost = 1,
        }
        summary.generation = self.generation();
        self.count(&summary);
        Ok(Some(summary))
    }

    /// The newest root generation known.
    pub(crate) fn generation(&self) -> u64 {
        self.view.root().generation
    }

    fn adopt(&mut self, content: Arc<Content>) {
        if self.view.adopt(content) {
            let consumed = self.view.root().consumed.clone();
            self.known_since.retain(|(writer, seq), _| *seq > consumed.get(writer));
            self.metrics.generation.set(self.generation() as i64);
        }
    }

    fn tail_items(&self) -> Vec<TailItem> {
        let now = (self.clock)();
        let item = |(writer, seq, object): (&Writer, u64, Option<&Arc<skald_catalog::TailObject>>)| TailItem {
            writer: writer.clone(),
            seq,
            bytes: object.map_or(0, |o| o.directory.sections.iter().map(|section| section.stored_bytes).sum()),
            age: self.known_since.get(&(writer.clone(), seq)).map_or(Duration::ZERO, |&at| now.saturating_sub(at)),
        };
        self.view.tail().map(item).collect()
    }

    fn report_tail(&self, now: Duration) {
        let oldest = self.known_since.values().min().map_or(Duration::ZERO, |&at| now.saturating_sub(at));
        self.metrics.tail_age.set(oldest.as_secs() as i64);
        self.metrics.tail_objects.set(self.view.tail_size().0 as i64);
    }

    fn count(&self, summary: &FoldSummary) {
        self.metrics.lost.inc_by(summary.lost);
        if summary.folds > 0 {
            self.metrics.folds.inc();
            self.metrics.objects.inc_by(summary.objects);
            self.metrics.rows.inc_by(summary.rows);
            self.metrics.duplicates.inc_by(summary.duplicates);
            self.metrics.sections.inc_by(summary.sections);
            self.metrics.bytes_written.inc_by(summary.written_bytes);
        }
    }
}

/// Everything of a log from `seq` on.
async fn read_log(
    catalog: Catalog,
    writer: Writer,
    mut seq: u64,
) -> Result<Vec<(Writer, u64, LogObject)>, CatalogError> {
    let mut found = Vec::new();
    while let Some(object) = catalog.log_object(&writer, seq).await? {
        let seal = matches!(object, LogObject::Seal);
        found.push((writer.clone(), seq, object));
        if seal {
            break;
        }
        seq += 1;
    }
    Ok(found)
}

/// What one fold takes from the tail.
struct Job {
    groups: Groups,
    objects: u64,
    ended: Vec<Writer>,
}

impl Job {
    /// The tail of `view` up to `upto`.
    fn take(view: &View, upto: &CommitVector) -> Self {
        let mut job = Self { groups: Groups::new(), objects: 0, ended: Vec::new() };
        for (writer, seq, object) in view.tail().filter(|(writer, seq, _)| *seq <= upto.get(writer)) {
            let Some(object) = object else {
                job.ended.push(writer.clone());
                continue;
            };
            job.objects += 1;
            for section in &object.directory.sections {
                let mut sources = section.sources.clone();
                sources.raise(writer, seq);
                let input = Input { object: object.object.clone(), section: section.clone(), sources };
                job.groups.entry(section.key.clone()).or_default().push(input);
            }
        }
        job
    }
}
