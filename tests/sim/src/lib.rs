//! Seeded simulation of the storage protocol.
