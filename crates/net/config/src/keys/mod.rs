//! Which keys a file may hold. Three classes, and a second name for some of the first:
//!
//! - ours: whatever the serialised default configuration holds ([`schema`]);
//! - Loki's under another path ([`aliases`]), taken over as ours;
//! - Loki's that mean nothing here ([`foreign`]), accepted with a warning;
//! - the rest, refused with its line ([`locate`]) and the nearest known name ([`nearest`]).
//!
//! [`walk`] goes through a parsed file and sorts every key into its class.

pub(crate) mod aliases;
pub(crate) mod foreign;
pub(crate) mod locate;
pub(crate) mod nearest;
pub(crate) mod schema;
pub(crate) mod walk;
