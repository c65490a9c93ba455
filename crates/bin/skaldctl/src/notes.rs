//! What is said beside the results, on stderr.

use std::io::{self, Write};

/// Says `text` on a line of its own. A stderr that is gone is no reason to stop.
pub(crate) fn say(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}

/// Says things that `--quiet` silences.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Notes {
    /// True for `--quiet`.
    pub(crate) quiet: bool,
}

impl Notes {
    /// Says `text`, unless quiet.
    pub(crate) fn say(self, text: &str) {
        if !self.quiet {
            say(text);
        }
    }
}
