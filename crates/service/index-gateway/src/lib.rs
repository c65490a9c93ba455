//! The index gateway: serves catalog views.
