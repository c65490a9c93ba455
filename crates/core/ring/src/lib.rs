//! The ring as a pure function of a snapshot and a clock: placement, states, quorum.
