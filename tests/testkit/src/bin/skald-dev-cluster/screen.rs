//! Text that replaces itself on a terminal.

use std::io::{self, Write};

/// Where the text goes, and how many lines of it stand there.
pub(crate) struct Screen<W> {
    out: W,
    lines: usize,
}

impl<W: Write> Screen<W> {
    /// Nothing drawn yet.
    pub(crate) fn new(out: W) -> Self {
        Self { out, lines: 0 }
    }

    /// Draws `text` over what was drawn before. Nothing but text is written the first time.
    pub(crate) fn draw(&mut self, text: &str) -> io::Result<()> {
        if self.lines > 0 {
            // To the first column of the first line, and clear from there to the end.
            write!(self.out, "\x1b[{}F\x1b[J", self.lines)?;
        }
        self.out.write_all(text.as_bytes())?;
        self.lines = text.lines().count();
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::Screen;

    #[test]
    fn the_second_text_replaces_the_first() {
        let mut out = Vec::new();
        let mut screen = Screen::new(&mut out);
        screen.draw("a\nb\n").expect("memory");
        screen.draw("c\n").expect("memory");
        screen.draw("d\n").expect("memory");
        assert_eq!(String::from_utf8(out).expect("text"), "a\nb\n\x1b[2F\x1b[Jc\n\x1b[1F\x1b[Jd\n");
    }
}
