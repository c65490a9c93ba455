//! The query frontend: the read API, splitting, results cache, merging.
