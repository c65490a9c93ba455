//! The querier: runs query tasks over ingesters and segments.
