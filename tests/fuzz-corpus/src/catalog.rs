//! Objects of the catalog: roots, pages, seals.

use std::sync::LazyLock;

use skald_catalog::{Entry, PageRef, Root, decode_page, decode_seal, encode_page, encode_seal, is_seal};
use xxhash_rust::xxh3::xxh3_128;

/// Magic of roots, pages and seals, and the version they share.
const KINDS: [&[u8; 8]; 3] = [b"SKALDROO", b"SKALDPAG", b"SKALDEND"];
const VERSION: u8 = 1;

/// Any reference to a page. Made once: making it takes longer than reading an input.
static REFERENCE: LazyLock<PageRef> =
    LazyLock::new(|| encode_page(&[crate::seeds::entry("log/ing-0/00000000000000000001", "t")]).0);

/// Reads the input as an object of each kind: as it is, and as a body in a frame that holds.
pub fn catalog_root(data: &[u8]) {
    read(data);
    for kind in KINDS {
        let mut framed = [&kind[..], &[VERSION], data].concat();
        framed.extend_from_slice(&crc32fast::hash(&framed).to_le_bytes());
        read(&framed);
    }
}

fn read(bytes: &[u8]) {
    if let Ok(root) = Root::decode(bytes) {
        let again = root.encode();
        assert_eq!(Root::decode(&again).as_ref(), Ok(&root));
        page(&root.added);
    }
    if let Ok(position) = decode_seal(bytes) {
        assert_eq!(decode_seal(&encode_seal(&position)), Ok(position));
        assert!(is_seal(bytes));
    }
    // A page is checked against its reference, of which only the hash is known here.
    let reference = PageRef { hash: xxh3_128(bytes), ..REFERENCE.clone() };
    if let Ok(table) = decode_page(&reference, bytes) {
        page(table.entries());
    }
}

/// Entries that were read are in order, so they make a page.
fn page(entries: &[Entry]) {
    if entries.is_empty() {
        return;
    }
    let (reference, bytes) = encode_page(entries);
    let table = decode_page(&reference, &bytes).expect("own encoding");
    assert_eq!(table.entries(), entries);
    for entry in entries {
        let at = entry.section.tmin;
        let _ = table.find(entry.tenant(), at..at).count();
    }
}
