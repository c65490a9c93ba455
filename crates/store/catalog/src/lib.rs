//! Which segments exist: roots, logs, views, the commit protocol.
