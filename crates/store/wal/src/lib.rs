//! The write-ahead log: group commit, segments, replay.
