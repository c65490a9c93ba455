//! The distributor: validates, limits, replicates pushes.
