//! LogQL: syntax, plan and vectorised operators.
