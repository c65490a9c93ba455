//! Rows as they travel: batches of one stream, and rows of many streams between processes.

use bytes::Bytes;
use skald_model::{Rows, StreamBatch};

/// Decodes the input as both, and visits every row.
pub fn stream_batch(data: &[u8]) {
    let bytes = Bytes::copy_from_slice(data);
    if let Ok(batch) = StreamBatch::decode(bytes.clone()) {
        let rows = batch.rows();
        assert_eq!(rows.len(), batch.len());
        assert_eq!(rows.time_range(), Some(batch.time_range()));
        assert_eq!(rows.lines.buffer().len(), batch.line_bytes());
        round_trip(&rows);
    }
    if let Ok(rows) = Rows::decode(&bytes) {
        round_trip(&rows);
    }
}

fn round_trip(rows: &Rows) {
    let again = Rows::decode(&rows.encode()).expect("own encoding");
    assert_eq!(again.len(), rows.len());
    for i in 0..rows.len() {
        assert!(again.same_row(i, rows, i) && again.row_hash(i) == rows.row_hash(i));
    }
    assert!(
        again.streams().map(|(labels, range)| (labels.clone(), range)).eq(rows.streams().map(|(l, r)| (l.clone(), r)))
    );
    let half = rows.slice(0..rows.len() / 2);
    assert_eq!(half.len(), rows.len() / 2);
}
