//! Byte caches in tiers: memory and Redis.
