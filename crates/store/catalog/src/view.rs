//! A view of a shard: the content of a root, and the directories of all flushed objects above what
//! that root has consumed.
//!
//! A view grows by root ([`View::adopt`]) and by directory ([`View::insert`]) and never goes
//! backwards: an older root is refused, a directory goes only when a root has consumed it. What it
//! covers is the longest run of each log without a gap, because a writer creates object `n + 1` only
//! after object `n`, so a gap means something unseen. Pure: whoever holds it does the fetching.

use std::{
    collections::{BTreeMap, HashMap},
    ops::{Range, RangeInclusive},
    sync::Arc,
};

use skald_model::{CommitVector, TenantId, Timestamp, Writer};
use skald_segment::{Directory, SectionEntry};

use crate::{content::Content, keys, root::Root};

/// One flushed object above `consumed`.
#[derive(Clone, Debug)]
pub struct TailObject {
    /// Its key.
    pub object: Arc<str>,
    /// What it holds.
    pub directory: Arc<Directory>,
    by_tenant: HashMap<TenantId, Vec<u32>>,
}

/// What stands at a position of a log.
#[derive(Clone, Debug)]
pub enum LogObject {
    /// A flushed object.
    Flushed(Arc<Directory>),
    /// The end of the log.
    Seal,
}

#[derive(Clone, Debug)]
enum Slot {
    Flushed(Arc<TailObject>),
    Seal,
}

/// A section that a view names.
#[derive(Clone, Debug)]
pub struct ViewSection<'a> {
    /// Key of the object it lies in.
    pub object: &'a Arc<str>,
    /// Where it lies and what it holds.
    pub section: &'a SectionEntry,
    /// True: a flushed object, whose rows may have copies in other sections of the view.
    pub unfolded: bool,
}

/// See the module's documentation.
#[derive(Clone, Debug)]
pub struct View {
    content: Arc<Content>,
    logs: BTreeMap<Writer, BTreeMap<u64, Slot>>,
}

impl View {
    /// The view of `content` with nothing above it.
    pub fn new(content: Arc<Content>) -> Self {
        Self { content, logs: BTreeMap::new() }
    }

    /// The content of the root it stands on.
    pub fn content(&self) -> &Arc<Content> {
        &self.content
    }

    /// The root it stands on.
    pub fn root(&self) -> &Arc<Root> {
        self.content.root()
    }

    /// Stands on `content` from now on, unless its generation is not newer. Says whether it did.
    pub fn adopt(&mut self, content: Arc<Content>) -> bool {
        let root = content.root();
        if root.generation <= self.root().generation {
            return false;
        }
        self.logs.retain(|writer, log| {
            let above = root.consumed.get(writer).saturating_add(1);
            *log = log.split_off(&above);
            !log.is_empty()
        });
        self.content = content;
        true
    }

    /// Takes in what stands at a position of a log; what the root has consumed already is ignored.
    pub fn insert(&mut self, writer: &Writer, seq: u64, object: LogObject) {
        if seq <= self.root().consumed.get(writer) {
            return;
        }
        let slot = match object {
            LogObject::Flushed(directory) => Slot::Flushed(Arc::new(TailObject::new(writer, seq, directory))),
            LogObject::Seal => Slot::Seal,
        };
        self.logs.entry(writer.clone()).or_default().insert(seq, slot);
    }

    /// Up to where it knows the log of `writer` without a gap.
    pub fn head(&self, writer: &Writer) -> u64 {
        let mut head = self.root().consumed.get(writer);
        for &seq in self.logs.get(writer).into_iter().flat_map(BTreeMap::keys) {
            if seq != head + 1 {
                break;
            }
            head = seq;
        }
        head
    }

    /// Whether the log of `writer` is known to have ended.
    pub fn ended(&self, writer: &Writer) -> bool {
        let last = self.logs.get(writer).and_then(|log| log.values().next_back());
        matches!(last, Some(Slot::Seal)) || self.root().ended.contains(writer)
    }

    /// Up to where it knows each log without a gap.
    pub fn covers(&self) -> CommitVector {
        let mut covers = self.root().consumed.clone();
        for writer in self.logs.keys() {
            covers.raise(writer, self.head(writer));
        }
        covers
    }

    /// Which positions it must still take in to cover `need`: per writer the span from its head to
    /// what is needed. Some positions within a span may be known.
    pub fn gaps(&self, need: &CommitVector) -> Vec<(Writer, RangeInclusive<u64>)> {
        let span = |(writer, seq): (&Writer, u64)| (writer.clone(), self.head(writer) + 1..=seq);
        need.iter().map(span).filter(|(_, span)| !span.is_empty()).collect()
    }

    /// Whether it has taken in this position, or stands on a root that consumed it.
    pub fn knows(&self, writer: &Writer, seq: u64) -> bool {
        seq <= self.root().consumed.get(writer) || self.logs.get(writer).is_some_and(|log| log.contains_key(&seq))
    }

    /// The writers whose logs it knows anything of, ended ones left out.
    pub fn writers(&self) -> Vec<Writer> {
        let consumed = self.root().consumed.iter().map(|(writer, _)| writer);
        let mut writers: Vec<Writer> = consumed.chain(self.logs.keys()).cloned().collect();
        writers.sort();
        writers.dedup();
        writers.retain(|writer| !self.ended(writer));
        writers
    }

    /// The flushed objects above `consumed` that have no gap below them, in the order of their logs.
    pub fn tail(&self) -> impl Iterator<Item = (&Writer, u64, Option<&Arc<TailObject>>)> {
        self.logs.iter().flat_map(|(writer, log)| {
            let head = self.head(writer);
            let whole = log.range(..=head);
            whole.map(move |(&seq, slot)| {
                let object = match slot {
                    Slot::Flushed(object) => Some(object),
                    Slot::Seal => None,
                };
                (writer, seq, object)
            })
        })
    }

    /// Every section of `tenant` that may hold rows of `range`.
    pub fn sections<'a>(&'a self, tenant: &'a TenantId, range: Range<Timestamp>) -> Vec<ViewSection<'a>> {
        let folded = self.content.find(tenant, range.clone()).map(|entry| ViewSection {
            object: &entry.object,
            section: &entry.section,
            unfolded: false,
        });
        let mut sections: Vec<_> = folded.collect();
        for object in self.flushed() {
            let found = object.find(tenant, &range);
            sections.extend(found.map(|section| ViewSection { object: &object.object, section, unfolded: true }));
        }
        sections
    }

    /// The newest positions whose rows lie in sections of `tenant` that touch `range`: as long as it
    /// stays the same, no rows have been added there. It may change when none were, by a fold.
    pub fn fingerprint(&self, tenant: &TenantId, range: Range<Timestamp>) -> CommitVector {
        let mut newest = CommitVector::new();
        for entry in self.content.find(tenant, range.clone()) {
            newest.merge(&entry.section.sources);
        }
        for (writer, log) in &self.logs {
            for (&seq, slot) in log {
                if let Slot::Flushed(object) = slot
                    && object.find(tenant, &range).next().is_some()
                {
                    newest.raise(writer, seq);
                }
            }
        }
        newest
    }

    /// How many flushed objects and sections it holds above `consumed`.
    pub fn tail_size(&self) -> (usize, usize) {
        self.flushed().fold((0, 0), |(objects, sections), o| (objects + 1, sections + o.directory.sections.len()))
    }

    fn flushed(&self) -> impl Iterator<Item = &Arc<TailObject>> {
        self.logs.values().flat_map(BTreeMap::values).filter_map(|slot| match slot {
            Slot::Flushed(object) => Some(object),
            Slot::Seal => None,
        })
    }
}

impl TailObject {
    fn new(writer: &Writer, seq: u64, directory: Arc<Directory>) -> Self {
        let mut by_tenant: HashMap<TenantId, Vec<u32>> = HashMap::new();
        for (i, section) in directory.sections.iter().enumerate() {
            by_tenant.entry(section.key.tenant.clone()).or_default().push(i as u32);
        }
        Self { object: keys::log_key(writer, seq).into(), directory, by_tenant }
    }

    /// Its sections of `tenant` that may hold rows of `range`.
    fn find<'a>(&'a self, tenant: &TenantId, range: &Range<Timestamp>) -> impl Iterator<Item = &'a SectionEntry> {
        let of_tenant = self.by_tenant.get(tenant).map(Vec::as_slice).unwrap_or_default();
        let range = range.clone();
        of_tenant
            .iter()
            .map(|&i| &self.directory.sections[i as usize])
            .filter(move |s| s.overlaps(range.start, range.end))
    }
}

#[cfg(test)]
mod tests;
