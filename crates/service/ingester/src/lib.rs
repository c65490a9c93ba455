//! The ingester: WAL, memtable, flush, recent reads, tails.
