//! Benchmarks: load generator, query runner, micro benches.
