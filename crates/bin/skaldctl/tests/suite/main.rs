//! The program as its users meet it: the built binary against a server of the test's own.
// A panic is how a test fails, and the type of a table of cases is no interface.
#![allow(clippy::unwrap_used, clippy::type_complexity)]

mod command_line;
mod pushing;
mod querying;
mod support;
mod tailing;
