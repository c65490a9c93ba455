//! Colours. A stream has the same one in every run, so that eyes learn them.

use anstyle::{AnsiColor, Style};
use skald_model::Labels;

/// Colours of streams: those that can be read on dark and on light ground and do not say "error".
const STREAM_COLORS: [AnsiColor; 9] = [
    AnsiColor::Green,
    AnsiColor::Yellow,
    AnsiColor::Blue,
    AnsiColor::Magenta,
    AnsiColor::Cyan,
    AnsiColor::BrightGreen,
    AnsiColor::BrightBlue,
    AnsiColor::BrightMagenta,
    AnsiColor::BrightCyan,
];

/// Styles, all of them plain when colours are off.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Palette {
    on: bool,
}

impl Palette {
    /// Coloured or not.
    pub(crate) fn new(on: bool) -> Self {
        Self { on }
    }

    /// For times and other things that should not draw the eye.
    pub(crate) fn faint(self) -> Style {
        if self.on { Style::new().dimmed() } else { Style::new() }
    }

    /// For headings.
    pub(crate) fn heading(self) -> Style {
        if self.on { Style::new().bold() } else { Style::new() }
    }

    /// For what needs attention.
    pub(crate) fn alarm(self) -> Style {
        if self.on { AnsiColor::Red.on_default() } else { Style::new() }
    }

    /// For a stream: by the stored hash of its labels, which never changes.
    pub(crate) fn stream(self, labels: &Labels) -> Style {
        if !self.on {
            return Style::new();
        }
        STREAM_COLORS[(labels.hash64() % STREAM_COLORS.len() as u64) as usize].on_default()
    }
}
