//! The root of a shard: what a commit of the catalog is made of.
//!
//! Each root is one object under a generation number that can be created only once, so whoever
//! creates generation `g + 1` has committed, and whoever fails has changed nothing. A root names
//! everything: pages of entries, the entries not in pages yet, and how far each log is consumed.
//! Layout: `docs/format/catalog.md`. Fields are tagged: an unknown tag below [`OPTIONAL_TAGS`] is
//! refused, because ignoring it would change what the root means; one above is carried along.

use bytes::Bytes;
use skald_model::{
    CommitVector, Timestamp, Writer,
    varint::{self, Reader},
};
use std::collections::BTreeSet;

use crate::{
    Shard,
    entry::{self, Entry, EntryKey},
    frame::{FormatError, Frame},
    page::PageRef,
};

const FRAME: Frame = Frame { what: "catalog root", magic: b"SKALDROO", version: 1 };

/// From this tag on, fields may be skipped by readers that do not know them.
const OPTIONAL_TAGS: u64 = 64;

/// The name of one attempt to commit: tells an own root from another's after an ambiguous answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct CommitId(pub u128);

/// Up to where windows of one length are closed: rows that arrive for them later are late.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Closed {
    /// Length of the windows in nanoseconds.
    pub window_ns: u64,
    /// Windows that end at or before this are closed.
    pub through: Timestamp,
}

/// One generation of a shard's content. [`Root::genesis`] is the content of an empty bucket; it is never stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Root {
    /// Which shard.
    pub shard: Shard,
    /// Its number: 0 for the genesis, then one more with each commit.
    pub generation: u64,
    /// The commit id of the generation before.
    pub parent: CommitId,
    /// The commit id of this one.
    pub commit: CommitId,
    /// When the committer made it, by its own clock: for people, nothing is decided by it.
    pub created_at: Timestamp,
    /// Per writer, up to where the log has been folded into entries. Never falls.
    pub consumed: CommitVector,
    /// Writers whose SEAL is consumed: their logs have ended.
    pub ended: BTreeSet<Writer>,
    /// Pages in the order of their keys; their key ranges do not overlap.
    pub pages: Vec<PageRef>,
    /// Entries that are in no page yet, in the order of their keys.
    pub added: Vec<Entry>,
    /// Entries of pages that exist no more, in order.
    pub removed: Vec<EntryKey>,
    /// Unreferenced objects created before this may be collected; commits prepared before it have lost.
    pub orphan_floor: Timestamp,
    /// Which version of the retention rules has been applied.
    pub retention_version: u64,
    /// Per window length, up to where windows are closed.
    pub closed_through: Vec<Closed>,
    /// Optional fields of newer releases, carried along unread: tag and content.
    pub unknown: Vec<(u64, Bytes)>,
}

/// What a commit changes.
#[derive(Clone, Debug, Default)]
pub struct Change {
    /// Logs are consumed up to here; writers not named stay where they are.
    pub consumed: CommitVector,
    /// Writers whose SEAL lies within `consumed`.
    pub ended: Vec<Writer>,
    /// Entries that come into being.
    pub added: Vec<Entry>,
    /// Entries that cease to be.
    pub removed: Vec<EntryKey>,
}

impl Root {
    /// Generation 0: what a shard holds before its first commit.
    pub fn genesis(shard: Shard) -> Self {
        Self {
            shard,
            generation: 0,
            parent: CommitId::default(),
            commit: CommitId::default(),
            created_at: Timestamp(0),
            consumed: CommitVector::new(),
            ended: BTreeSet::new(),
            pages: Vec::new(),
            added: Vec::new(),
            removed: Vec::new(),
            orphan_floor: Timestamp(0),
            retention_version: 0,
            closed_through: Vec::new(),
            unknown: Vec::new(),
        }
    }

    /// The next generation: this one after `change`.
    pub fn successor(&self, commit: CommitId, created_at: Timestamp, change: Change) -> Self {
        let mut next = self.clone();
        next.generation += 1;
        next.parent = self.commit;
        next.commit = commit;
        next.created_at = created_at;
        next.consumed.merge(&change.consumed);
        next.ended.extend(change.ended);
        for key in change.removed {
            match next.added.binary_search_by(|entry| entry.key().cmp(&key)) {
                Ok(at) => {
                    next.added.remove(at);
                }
                Err(_) => next.removed.push(key),
            }
        }
        next.added.extend(change.added);
        next.added.sort_by_cached_key(Entry::key);
        next.removed.sort();
        next
    }

    /// The object.
    pub fn encode(&self) -> Bytes {
        let sealed = FRAME.seal(|out| {
            let mut field = |tag: u64, write: &dyn Fn(&mut Vec<u8>)| {
                let mut body = Vec::new();
                write(&mut body);
                varint::put_u64(out, tag);
                varint::put_bytes(out, &body);
            };
            field(tag::SHARD, &|o| varint::put_u64(o, u64::from(self.shard)));
            field(tag::GENERATION, &|o| varint::put_u64(o, self.generation));
            field(tag::PARENT, &|o| o.extend_from_slice(&self.parent.0.to_le_bytes()));
            field(tag::COMMIT, &|o| o.extend_from_slice(&self.commit.0.to_le_bytes()));
            field(tag::CREATED_AT, &|o| varint::put_i64(o, self.created_at.0));
            field(tag::CONSUMED, &|o| {
                varint::put_u64(o, self.consumed.len() as u64);
                for (writer, seq) in self.consumed.iter() {
                    varint::put_bytes(o, writer.as_str().as_bytes());
                    varint::put_u64(o, seq);
                }
            });
            field(tag::ENDED, &|o| {
                varint::put_u64(o, self.ended.len() as u64);
                for writer in &self.ended {
                    varint::put_bytes(o, writer.as_str().as_bytes());
                }
            });
            field(tag::PAGES, &|o| {
                varint::put_u64(o, self.pages.len() as u64);
                for page in &self.pages {
                    page.encode(o);
                }
            });
            field(tag::ADDED, &|o| entry::encode_entries(o, &self.added));
            field(tag::REMOVED, &|o| {
                varint::put_u64(o, self.removed.len() as u64);
                for key in &self.removed {
                    key.encode(o);
                }
            });
            field(tag::ORPHAN_FLOOR, &|o| varint::put_i64(o, self.orphan_floor.0));
            field(tag::RETENTION_VERSION, &|o| varint::put_u64(o, self.retention_version));
            field(tag::CLOSED_THROUGH, &|o| {
                varint::put_u64(o, self.closed_through.len() as u64);
                for closed in &self.closed_through {
                    varint::put_u64(o, closed.window_ns);
                    varint::put_i64(o, closed.through.0);
                }
            });
            for (tag, content) in &self.unknown {
                field(*tag, &|o| o.extend_from_slice(content));
            }
        });
        sealed.into()
    }

    /// Reads what [`Root::encode`] wrote.
    ///
    /// # Errors
    /// When the bytes are anything else, or carry fields of a newer release that must not be ignored.
    pub fn decode(bytes: &[u8]) -> Result<Self, FormatError> {
        let mut reader = FRAME.open(bytes)?;
        let mut root = Self::genesis(0);
        while reader.remaining() > 0 {
            let (tag, content) = reader.u64().zip(reader.bytes()).ok_or_else(|| FRAME.malformed("field length"))?;
            let mut field = Reader::new(content);
            let part = match root.read_field(tag, &mut field) {
                Some(()) if field.remaining() == 0 => continue,
                Some(()) => "field longer than its content",
                None if tag::NAMES.iter().all(|&(known, _)| known != tag) => {
                    if tag < OPTIONAL_TAGS {
                        return Err(FormatError::Newer { what: FRAME.what, number: tag });
                    }
                    root.unknown.push((tag, Bytes::copy_from_slice(content)));
                    continue;
                }
                None => tag::NAMES.iter().find(|&&(known, _)| known == tag).map_or("field", |&(_, name)| name),
            };
            return Err(FRAME.malformed(part));
        }
        if root.generation == 0 {
            return Err(FRAME.malformed("generation"));
        }
        let ordered = root.added.windows(2).all(|w| w[0].key() < w[1].key())
            && root.pages.windows(2).all(|w| w[0].last < w[1].first);
        if !ordered {
            return Err(FRAME.malformed("order of entries"));
        }
        Ok(root)
    }

    /// Takes the content of one field; `None` when the tag is unknown or the content does not fit.
    fn read_field(&mut self, tag: u64, r: &mut Reader<'_>) -> Option<()> {
        match tag {
            tag::SHARD => self.shard = r.u32()?,
            tag::GENERATION => self.generation = r.u64()?,
            tag::PARENT => self.parent = read_commit_id(r)?,
            tag::COMMIT => self.commit = read_commit_id(r)?,
            tag::CREATED_AT => self.created_at = Timestamp(r.i64()?),
            tag::CONSUMED => {
                for _ in 0..r.count()? {
                    let writer = Writer::new(r.str()?)?;
                    self.consumed.raise(&writer, r.u64()?);
                }
            }
            tag::ENDED => {
                for _ in 0..r.count()? {
                    self.ended.insert(Writer::new(r.str()?)?);
                }
            }
            tag::PAGES => {
                for _ in 0..r.count()? {
                    self.pages.push(PageRef::decode(r)?);
                }
            }
            tag::ADDED => self.added = entry::decode_entries(r)?,
            tag::REMOVED => {
                for _ in 0..r.count()? {
                    self.removed.push(EntryKey::decode(r)?);
                }
            }
            tag::ORPHAN_FLOOR => self.orphan_floor = Timestamp(r.i64()?),
            tag::RETENTION_VERSION => self.retention_version = r.u64()?,
            tag::CLOSED_THROUGH => {
                for _ in 0..r.count()? {
                    self.closed_through.push(Closed { window_ns: r.u64()?, through: Timestamp(r.i64()?) });
                }
            }
            _ => return None,
        }
        Some(())
    }
}

fn read_commit_id(r: &mut Reader<'_>) -> Option<CommitId> {
    let bytes: [u8; 16] = r.take(16)?.try_into().ok()?;
    Some(CommitId(u128::from_le_bytes(bytes)))
}

mod tag {
    pub(super) const SHARD: u64 = 1;
    pub(super) const GENERATION: u64 = 2;
    pub(super) const PARENT: u64 = 3;
    pub(super) const COMMIT: u64 = 4;
    pub(super) const CREATED_AT: u64 = 5;
    pub(super) const CONSUMED: u64 = 6;
    pub(super) const ENDED: u64 = 7;
    pub(super) const PAGES: u64 = 8;
    pub(super) const ADDED: u64 = 9;
    pub(super) const REMOVED: u64 = 10;
    pub(super) const ORPHAN_FLOOR: u64 = 11;
    pub(super) const RETENTION_VERSION: u64 = 12;
    pub(super) const CLOSED_THROUGH: u64 = 13;

    /// Every tag with its name, for errors.
    pub(super) const NAMES: &[(u64, &str)] = &[
        (SHARD, "shard"),
        (GENERATION, "generation"),
        (PARENT, "parent"),
        (COMMIT, "commit id"),
        (CREATED_AT, "creation time"),
        (CONSUMED, "consumed positions"),
        (ENDED, "ended writers"),
        (PAGES, "pages"),
        (ADDED, "added entries"),
        (REMOVED, "removed entries"),
        (ORPHAN_FLOOR, "orphan floor"),
        (RETENTION_VERSION, "retention version"),
        (CLOSED_THROUGH, "closed windows"),
    ];
}

#[cfg(test)]
mod tests;
