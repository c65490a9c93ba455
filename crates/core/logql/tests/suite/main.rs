//! LogQL from outside: worked cases in data files, and properties of generated queries and data.

#![allow(clippy::unwrap_used)] // A test that unwraps fails as it should.

mod cases;
mod reference;
mod round_trip;
