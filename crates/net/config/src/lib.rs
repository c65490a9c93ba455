//! The configuration file, its flags and its overrides.
