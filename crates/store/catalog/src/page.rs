//! Pages: entries that roots share.
//!
//! A page is immutable and named by the hash of its bytes, so that a root keeps the pages it does not
//! change by naming them again, and two committers that write the same page write the same object.
//! In memory a page is an [`EntryTable`]: its entries with an index by tenant.

use std::{collections::HashMap, ops::Range};

use bytes::Bytes;
use skald_model::{
    TenantId, Timestamp,
    varint::{self, Reader},
};
use xxhash_rust::xxh3::xxh3_128;

use crate::{
    entry::{self, Entry, EntryKey},
    frame::{FormatError, Frame},
};

const FRAME: Frame = Frame { what: "catalog page", magic: b"SKALDPAG", version: 1 };

/// A page as its root names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageRef {
    /// Hash of the page's bytes, which is its name.
    pub hash: u128,
    /// Its size in bytes.
    pub bytes: u64,
    /// How many entries it holds.
    pub entries: u64,
    /// Its first key.
    pub first: EntryKey,
    /// Its last key.
    pub last: EntryKey,
    /// Earliest timestamp of any row.
    pub min: Timestamp,
    /// Latest timestamp of any row.
    pub max: Timestamp,
}

impl PageRef {
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.hash.to_le_bytes());
        varint::put_u64(out, self.bytes);
        varint::put_u64(out, self.entries);
        self.first.encode(out);
        self.last.encode(out);
        varint::put_i64(out, self.min.0);
        varint::put_i64(out, self.max.0);
    }

    pub(crate) fn decode(r: &mut Reader<'_>) -> Option<Self> {
        let hash = u128::from_le_bytes(r.take(16)?.try_into().ok()?);
        Some(Self {
            hash,
            bytes: r.u64()?,
            entries: r.u64()?,
            first: EntryKey::decode(r)?,
            last: EntryKey::decode(r)?,
            min: Timestamp(r.i64()?),
            max: Timestamp(r.i64()?),
        })
    }
}

/// The page of `entries`, which are in the order of their keys and not none.
pub fn encode_page(entries: &[Entry]) -> (PageRef, Bytes) {
    let (first, last) = entries.first().zip(entries.last()).expect("a page has entries");
    let bytes: Bytes = FRAME.seal(|out| entry::encode_entries(out, entries)).into();
    let page = PageRef {
        hash: xxh3_128(&bytes),
        bytes: bytes.len() as u64,
        entries: entries.len() as u64,
        first: first.key(),
        last: last.key(),
        min: entries.iter().map(|entry| entry.section.tmin).min().unwrap_or_default(),
        max: entries.iter().map(|entry| entry.section.tmax).max().unwrap_or_default(),
    };
    (page, bytes)
}

/// Reads the page `expected` from its object.
///
/// # Errors
/// When the bytes are not that page.
pub fn decode_page(expected: &PageRef, bytes: &[u8]) -> Result<EntryTable, FormatError> {
    let mut reader = FRAME.open(bytes)?;
    if xxh3_128(bytes) != expected.hash {
        return Err(FormatError::Damaged { what: FRAME.what });
    }
    let entries = entry::decode_entries(&mut reader).ok_or_else(|| FRAME.malformed("entries"))?;
    let ordered = entries.windows(2).all(|w| w[0].key() < w[1].key());
    if reader.remaining() > 0 || !ordered {
        return Err(FRAME.malformed("order of entries"));
    }
    Ok(EntryTable::new(entries))
}

/// Entries in memory, found by tenant and time.
#[derive(Clone, Debug, Default)]
pub struct EntryTable {
    entries: Vec<Entry>,
    by_tenant: HashMap<TenantId, Vec<u32>>,
}

impl EntryTable {
    /// Indexes `entries`, which are in the order of their keys.
    pub fn new(entries: Vec<Entry>) -> Self {
        let mut by_tenant: HashMap<TenantId, Vec<u32>> = HashMap::new();
        for (i, entry) in entries.iter().enumerate() {
            match by_tenant.get_mut(entry.tenant()) {
                Some(list) => list.push(i as u32),
                None => {
                    by_tenant.insert(entry.tenant().clone(), vec![i as u32]);
                }
            }
        }
        Self { entries, by_tenant }
    }

    /// All entries in the order of their keys.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The entries of `tenant` that may hold rows of `range` (nanoseconds).
    pub fn find<'a>(&'a self, tenant: &TenantId, range: Range<Timestamp>) -> impl Iterator<Item = &'a Entry> {
        let of_tenant = self.by_tenant.get(tenant).map(Vec::as_slice).unwrap_or_default();
        of_tenant
            .iter()
            .map(|&i| &self.entries[i as usize])
            .filter(move |entry| entry.section.overlaps(range.start, range.end))
    }
}
