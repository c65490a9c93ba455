//! One YAML file, a few flags and a file of per-tenant overrides become one checked [`Config`].
//!
//! - `blocks/`: one file per block of the YAML file; value, default and consequence beside each field.
//! - [`Config::load`]: arguments in, configuration out, or every problem at once with its line.
//! - `keys/`: the three classes of key: ours, Loki's that mean nothing here (accepted with a warning
//!   that names the replacement), and unknown (refused, with the nearest known name).
//! - [`LimitsHandle`]: the limits as they are now; [`overrides`] reads a new set from text.
//!
//! Not here: watching files (the server kit reloads), opening sockets, or any default that depends on
//! the machine. A setting is a value; what is built from it is built elsewhere.

#![cfg_attr(test, allow(clippy::unwrap_used))] // a failing test may panic

mod blocks;
mod effective;
mod env;
mod error;
mod flags;
mod handle;
mod keys;
mod load;
#[cfg(test)]
mod load_tests;
pub mod overrides;
mod secret;
mod validate;

pub use blocks::*;
pub use effective::{as_yaml, diff_yaml};
pub use error::{ConfigError, Problem};
pub use flags::{Command, HELP};
pub use handle::LimitsHandle;
pub use load::Loaded;
pub use secret::Secret;
