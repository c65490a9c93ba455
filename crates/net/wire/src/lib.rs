//! What processes say to one another, and the one place where both sides of a conversation meet.
//!
//! This crate is a boundary: services never depend on services, they depend on the contracts here.
//!
//! - [`pb`]: the messages of `proto/`, generated.
//! - [`api`]: one trait per internal service, with a gRPC client that implements it and a server that
//!   serves any implementation. In the all-in-one the callee itself is handed to the caller.
//! - [`push`]: push bodies of Loki's clients.
//! - [`json`], [`params`]: pieces of the answers that Loki's clients read and of what they ask.
//! - [`RpcError`]: why a call failed, independent of the transport.
//!
//! Not here: HTTP statuses of the public API (`server`), placement (`ring`).

pub mod api;
mod convert;
mod error;
pub mod json;
pub mod params;
pub mod push;

pub use convert::{labels_from_bytes, labels_to_bytes};
pub use error::RpcError;

/// Messages generated from `proto/`.
#[allow(missing_docs, unreachable_pub, clippy::all, reason = "generated; the documentation stands in proto/")]
pub mod pb {
    tonic::include_proto!("skald.v1");

    /// Loki's push request.
    pub mod logproto {
        tonic::include_proto!("logproto");
    }
}

/// The largest message either side of an internal call accepts: a push of the largest body the
/// distributor takes (100 MiB) must fit with its framing.
pub const MESSAGE_BYTES_MAX: usize = 128 << 20;
