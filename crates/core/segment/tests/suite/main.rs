//! The segment format from outside: rows in, bytes, the same rows out; damage, hostile bytes, order, golden bytes.
#![allow(clippy::unwrap_used)] // a panic is how a test fails

mod damage;
mod golden;
mod order;
mod round_trip;
mod support;
