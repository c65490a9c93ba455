//! Moves entries from a root's inline delta into pages once the delta is too large.
//!
//! Pages divide the order of entries among them: page `i` holds the keys from its first one up to the
//! first one of page `i + 1`. A spill rewrites the pages that the delta touches and names all others
//! again. Pure: the caller reads the touched pages before and writes the new ones after.

use std::{collections::BTreeSet, ops::Range};

use bytes::Bytes;

use crate::{
    entry::{self, Entry, EntryKey},
    page::{self, EntryTable, PageRef},
    root::Root,
};

/// The inline delta of a root may grow to this: a root is read and written by every commit, so it
/// must stay one small request, and a delta that is too small rewrites pages too often.
pub const DELTA_BYTES_MAX: usize = 64 << 10;

/// Pages are split above this: one page is rewritten per spill and touched day.
pub const PAGE_BYTES_MAX: usize = 1 << 20;

/// Whether the inline delta of `root` should move into pages.
pub fn needs_spill(root: &Root) -> bool {
    let mut bytes = Vec::new();
    entry::encode_entries(&mut bytes, &root.added);
    root.removed.iter().for_each(|key| key.encode(&mut bytes));
    bytes.len() > DELTA_BYTES_MAX
}

/// The pages of `root` that its delta touches, by index: [`spill`] needs their entries.
pub fn touched_pages(root: &Root) -> Vec<usize> {
    if root.pages.is_empty() {
        return Vec::new();
    }
    let keys = root.added.iter().map(Entry::key).chain(root.removed.iter().cloned());
    keys.map(|key| page_of(&root.pages, &key)).collect::<BTreeSet<_>>().into_iter().collect()
}

/// The same content with an empty delta, and the pages that must be written before it is committed.
///
/// `touched` holds the entries of the pages that [`touched_pages`] named, in that order.
pub fn spill(root: &Root, touched: &[&EntryTable]) -> (Root, Vec<(PageRef, Bytes)>) {
    let indexes = touched_pages(root);
    assert_eq!(indexes.len(), touched.len(), "the caller loads what touched_pages names");
    let removed: BTreeSet<&EntryKey> = root.removed.iter().collect();
    let mut written = Vec::new();
    let mut pages = Vec::new();
    let mut rewrite = |old: &[Entry], added: &[Entry]| {
        let kept = old.iter().chain(added).filter(|entry| !removed.contains(&entry.key())).cloned();
        let mut entries: Vec<Entry> = kept.collect();
        entries.sort_by_cached_key(Entry::key);
        let new = split(&entries);
        let refs: Vec<PageRef> = new.iter().map(|(page, _)| page.clone()).collect();
        written.extend(new);
        refs
    };
    if root.pages.is_empty() {
        pages = rewrite(&[], &root.added);
    }
    for (i, page) in root.pages.iter().enumerate() {
        match indexes.binary_search(&i) {
            Ok(at) => pages.extend(rewrite(touched[at].entries(), &root.added[added_of(root, i)])),
            Err(_) => pages.push(page.clone()),
        }
    }
    let next = Root { pages, added: Vec::new(), removed: Vec::new(), ..root.clone() };
    (next, written)
}

/// The page that `key` belongs to.
fn page_of(pages: &[PageRef], key: &EntryKey) -> usize {
    pages.partition_point(|page| page.first <= *key).saturating_sub(1)
}

/// Which added entries belong to page `i`.
fn added_of(root: &Root, i: usize) -> Range<usize> {
    let begin = |page: usize| root.added.partition_point(|entry| page_of(&root.pages, &entry.key()) < page);
    begin(i)..begin(i + 1)
}

/// Entries as pages of at most [`PAGE_BYTES_MAX`]; none for no entries.
fn split(entries: &[Entry]) -> Vec<(PageRef, Bytes)> {
    if entries.is_empty() {
        return Vec::new();
    }
    let page = page::encode_page(entries);
    if page.1.len() <= PAGE_BYTES_MAX || entries.len() == 1 {
        return vec![page];
    }
    let (left, right) = entries.split_at(entries.len() / 2);
    let mut pages = split(left);
    pages.extend(split(right));
    pages
}

#[cfg(test)]
mod tests;
