//! Rows held in memory until they are flushed.
