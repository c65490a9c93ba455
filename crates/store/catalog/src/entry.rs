//! Entries: the sections that a root names.
//!
//! An entry is a section as the segment format describes it, and the object it lies in. Each is encoded with its length in front, so that later releases can add to it.

use std::{collections::HashMap, sync::Arc};

use skald_model::{
    TenantId, Timestamp,
    varint::{self, Reader},
};
use skald_segment::SectionEntry;

/// Nanoseconds in a day, the coarsest part of the order of entries.
const DAY_NS: i64 = 86_400 * 1_000_000_000;

/// A section that a root names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Key of the object it lies in. Sections of one object share it.
    pub object: Arc<str>,
    /// Where it lies and what it holds.
    pub section: SectionEntry,
}

/// The place of an entry in the order of a catalog, and its name: no two entries share one.
///
/// The day comes first, so that commits of today touch the last pages only and old pages never change.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntryKey {
    /// Days since the epoch, of the window's first instant.
    pub day: i64,
    /// Whose rows.
    pub tenant: TenantId,
    /// First instant of the window.
    pub window_start: Timestamp,
    /// Key of the object.
    pub object: Arc<str>,
    /// Where the section begins in it, in bytes.
    pub offset: u64,
}

impl Entry {
    /// Whose rows.
    pub fn tenant(&self) -> &TenantId {
        &self.section.key.tenant
    }

    /// Its place in the order of entries.
    pub fn key(&self) -> EntryKey {
        let key = &self.section.key;
        EntryKey {
            day: key.window_start.0.div_euclid(DAY_NS),
            tenant: key.tenant.clone(),
            window_start: key.window_start,
            object: self.object.clone(),
            offset: self.section.data.start,
        }
    }
}

impl EntryKey {
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        varint::put_i64(out, self.day);
        varint::put_bytes(out, self.tenant.as_str().as_bytes());
        varint::put_i64(out, self.window_start.0);
        varint::put_bytes(out, self.object.as_bytes());
        varint::put_u64(out, self.offset);
    }

    pub(crate) fn decode(r: &mut Reader<'_>) -> Option<Self> {
        Some(Self {
            day: r.i64()?,
            tenant: TenantId::new(r.str()?).ok()?,
            window_start: Timestamp(r.i64()?),
            object: r.str()?.into(),
            offset: r.u64()?,
        })
    }
}

/// Appends a list of entries: the object keys once each, then the entries.
pub(crate) fn encode_entries(out: &mut Vec<u8>, entries: &[Entry]) {
    let mut index: HashMap<&str, u64> = HashMap::new();
    let mut objects: Vec<&str> = Vec::new();
    for entry in entries {
        index.entry(&entry.object).or_insert_with(|| {
            objects.push(&entry.object);
            objects.len() as u64 - 1
        });
    }
    varint::put_u64(out, objects.len() as u64);
    for object in objects {
        varint::put_bytes(out, object.as_bytes());
    }
    varint::put_u64(out, entries.len() as u64);
    let mut record = Vec::new();
    for entry in entries {
        record.clear();
        varint::put_u64(&mut record, index[&*entry.object]);
        varint::put_bytes(&mut record, &entry.section.encode());
        varint::put_bytes(out, &record);
    }
}

/// Reads what [`encode_entries`] wrote; `None` when it is anything else.
pub(crate) fn decode_entries(r: &mut Reader<'_>) -> Option<Vec<Entry>> {
    let objects: Vec<Arc<str>> = (0..r.count()?).map(|_| r.str().map(Arc::from)).collect::<Option<_>>()?;
    (0..r.count()?)
        .map(|_| {
            let mut record = Reader::new(r.bytes()?);
            let object = objects.get(record.usize()?)?.clone();
            let section = SectionEntry::decode(record.bytes()?).ok()?;
            Some(Entry { object, section })
        })
        .collect()
}
