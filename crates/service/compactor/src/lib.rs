//! The compactor: folds the log into segments stored once.
