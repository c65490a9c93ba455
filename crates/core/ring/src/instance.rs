//! One member's record, as gossip carries it and as every decision reads it.
//!
//! A record is small on purpose: one change travels in one gossip packet, so every string has a
//! bound and placement needs one token only (see `placement`). The owner of a record is the only
//! one who writes it, except for LEFT, which anybody may write to forget a dead member.

use skald_model::Writer;

/// No encoded record is larger, so that one always fits a gossip packet of about 1.3 KB beside the
/// packet's own framing: the bounds below add up to less.
pub const RECORD_BYTES_MAX: usize = 800;

/// Longest ring name, in bytes.
pub(crate) const RING_BYTES_MAX: usize = 32;
/// Longest instance id, in bytes; host names have at most 63 per label.
pub(crate) const ID_BYTES_MAX: usize = 128;
/// Longest address, in bytes.
pub(crate) const ADDR_BYTES_MAX: usize = 160;
/// Longest zone name, in bytes.
pub(crate) const ZONE_BYTES_MAX: usize = 64;
/// Longest version text, in bytes.
pub(crate) const VERSION_BYTES_MAX: usize = 48;

/// A member's place in life. The discriminants travel on the wire and are Loki's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum State {
    /// Serves: takes writes and answers reads.
    Active = 0,
    /// On its way out: takes no writes, answers reads until it is gone.
    Leaving = 1,
    /// Registered, nothing more: waits, or replays its log.
    Pending = 2,
    /// Taking its place; the next step is ACTIVE.
    Joining = 3,
    /// Gone. The record is a tombstone, kept so that older records of it cannot come back.
    Left = 4,
}

impl State {
    /// The state's name as Loki spells it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Active => "ACTIVE",
            Self::Leaving => "LEAVING",
            Self::Pending => "PENDING",
            Self::Joining => "JOINING",
            Self::Left => "LEFT",
        }
    }

    /// The state of a wire number.
    pub(crate) const fn from_wire(byte: u8) -> Option<Self> {
        Some(match byte {
            0 => Self::Active,
            1 => Self::Leaving,
            2 => Self::Pending,
            3 => Self::Joining,
            4 => Self::Left,
            _ => return None,
        })
    }

    /// Which of two records with equal stamps wins: the one further along in life.
    pub(crate) const fn rank(self) -> u8 {
        match self {
            Self::Pending => 0,
            Self::Joining => 1,
            Self::Active => 2,
            Self::Leaving => 3,
            Self::Left => 4,
        }
    }
}

/// One member of one ring.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instance {
    /// The stable name, unique in its ring; it survives restarts and changes of address.
    pub id: String,
    /// Where its gRPC port answers, `host:port`.
    pub addr: String,
    /// Where its HTTP port answers, `host:port`; empty when unknown.
    pub http_addr: String,
    /// The availability zone; empty when none is configured.
    pub zone: String,
    /// Its place in life.
    pub state: State,
    /// Where it stands in placement. Persisted with its data, so that an instance that returns owns what it owned.
    pub token: u32,
    /// Since when it has been taking writes without a break in membership, in ms since the epoch; 0 while it
    /// never has. Set at the first ACTIVE, kept over restarts, renewed when read-only is switched off.
    pub registered_ms: u64,
    /// The version of the record: `max(owner's clock, last stamp seen of itself + 1)`, in ms.
    pub stamp: u64,
    /// The owner's clock at its last heartbeat, in ms since the epoch.
    pub heartbeat_ms: u64,
    /// Since when it takes no new writes though it still answers reads (scale-down); `None` when it does.
    pub read_only_since_ms: Option<u64>,
    /// The log it writes; `None` for services without one.
    pub writer: Option<Writer>,
    /// The newest object of that log. In a LEAVING or LEFT record that its owner wrote it is the last one
    /// ever, which readers take into their commit vector.
    pub last_seq: u64,
    /// True in a LEFT record that somebody else wrote about it: `last_seq` need not be the log's end.
    pub forgotten: bool,
    /// The software version, for pages and for people.
    pub version: String,
    /// The internal protocol version it speaks, for rolling upgrades.
    pub protocol: u32,
}

/// Why a record cannot travel.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InstanceError {
    /// A text is longer than a gossip packet affords.
    #[error("{field} of a ring instance has {bytes} bytes, at most {max} are possible")]
    TooLong {
        /// Which field.
        field: &'static str,
        /// Its length.
        bytes: usize,
        /// The bound.
        max: usize,
    },
    /// The id or the ring's name is empty.
    #[error("{field} of a ring instance is empty")]
    Empty {
        /// Which field.
        field: &'static str,
    },
}

impl Instance {
    /// A new record in state PENDING that never took writes. Its token follows from the ring and the id;
    /// replace it by a persisted one if there is one.
    pub fn new(ring: &str, id: &str, addr: &str) -> Self {
        Self {
            id: id.to_owned(),
            addr: addr.to_owned(),
            http_addr: String::new(),
            zone: String::new(),
            state: State::Pending,
            token: crate::token_for(ring, id),
            registered_ms: 0,
            stamp: 0,
            heartbeat_ms: 0,
            read_only_since_ms: None,
            writer: None,
            last_seq: 0,
            forgotten: false,
            version: String::new(),
            protocol: 0,
        }
    }

    /// Whether the record, in a ring of that name, fits its bounds.
    ///
    /// # Errors
    /// The first field that does not.
    pub fn validate(&self, ring: &str) -> Result<(), InstanceError> {
        for (field, text) in [("ring", ring), ("id", self.id.as_str())] {
            if text.is_empty() {
                return Err(InstanceError::Empty { field });
            }
        }
        for (field, text, max) in [
            ("ring", ring, RING_BYTES_MAX),
            ("id", &self.id, ID_BYTES_MAX),
            ("addr", &self.addr, ADDR_BYTES_MAX),
            ("http_addr", &self.http_addr, ADDR_BYTES_MAX),
            ("zone", &self.zone, ZONE_BYTES_MAX),
            ("version", &self.version, VERSION_BYTES_MAX),
        ] {
            if text.len() > max {
                return Err(InstanceError::TooLong { field, bytes: text.len(), max });
            }
        }
        Ok(())
    }

    /// True when it owns a place in the ring for writes, whether or not it can take them this moment: it has
    /// been ACTIVE before and is not read-only. A member that restarts keeps its place, so its streams stay
    /// where they are; a newcomer owns nothing before it is ACTIVE.
    pub fn has_place(&self) -> bool {
        self.registered_ms != 0 && self.read_only_since_ms.is_none() && self.state != State::Left
    }
}
