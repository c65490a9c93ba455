//! The composition root: every role in one process, or one role a binary.
