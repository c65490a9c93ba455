//! Gossip: the states of the rings as other processes send them.

use skald_ring::{Rings, decode, decode_tokens, encode_tokens};

/// A moment after every stamp that seeds carry.
const NOW_MS: u64 = 1_700_000_000_000;

/// Decodes a message, takes it into an empty and into a filled state, and passes on what changed.
pub fn ring_message(data: &[u8]) {
    if let Ok(tokens) = decode_tokens(data) {
        assert_eq!(decode_tokens(&encode_tokens(&tokens)).as_ref(), Ok(&tokens));
    }
    let Ok(message) = decode(data) else { return };
    let bytes = message.encode();
    let again = decode(&bytes).expect("own encoding");
    assert_eq!(again.encode(), bytes);

    let mut rings = Rings::new();
    let delta = rings.merge(&message, NOW_MS);
    assert!(rings.merge(&message, NOW_MS).is_empty(), "what was merged is known");
    let mut other = Rings::new();
    other.merge(&delta, NOW_MS);
    assert_eq!(other.encode(), rings.encode(), "a delta carries all that changed");
    let items = rings.items();
    let (part, taken) = rings.extract(&items, 1200);
    assert!(taken <= items.len());
    assert!(decode(&part.encode()).is_ok());
    rings.prune(NOW_MS, 1000);
}
