//! Gossip: memberlist below, the ring's state above.
