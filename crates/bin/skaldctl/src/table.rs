//! Columns of text, and amounts as people read them.

use std::fmt::Write;

use anstyle::Style;

/// How a column is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Align {
    /// For words.
    Left,
    /// For numbers.
    Right,
}

/// A cell and how it looks.
pub(crate) type Cell = (String, Style);

/// Rows under headings, two blanks between columns, none at the end of a line.
pub(crate) fn render(heads: &[(&str, Align)], rows: &[Vec<Cell>], heading: Style) -> String {
    let heads_row = heads.iter().map(|(head, _)| ((*head).to_owned(), heading)).collect();
    let all: Vec<&Vec<Cell>> = std::iter::once(&heads_row).chain(rows).collect();
    let width_of = |column: usize| all.iter().map(|row| row[column].0.chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..heads.len()).map(width_of).collect();
    let mut out = String::new();
    for row in all {
        for (column, (text, style)) in row.iter().enumerate() {
            let pad = " ".repeat(widths[column] - text.chars().count());
            let last = column + 1 == heads.len();
            let gap = if column == 0 { "" } else { "  " };
            let written = match heads[column].1 {
                Align::Right => write!(out, "{gap}{pad}{style}{text}{style:#}"),
                Align::Left if last => write!(out, "{gap}{style}{text}{style:#}"),
                Align::Left => write!(out, "{gap}{style}{text}{style:#}{pad}"),
            };
            written.expect("writing to a String does not fail");
        }
        out.push('\n');
    }
    out
}

/// `1.5 MB`: decimal units, as the server's messages have them.
pub(crate) fn bytes(count: u64) -> String {
    const UNITS: [&str; 6] = ["kB", "MB", "GB", "TB", "PB", "EB"];
    if count < 1000 {
        return format!("{count} B");
    }
    let mut value = count as f64 / 1000.0;
    let mut unit = 0;
    // 999.95 would be printed as 1000.0.
    while value >= 999.95 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    format!("{value:.1} {}", UNITS[unit])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let plain = |text: &str| (text.to_owned(), Style::new());
        let heads = [("NAME", Align::Left), ("ROWS", Align::Right), ("NOTE", Align::Left)];
        let rows = [vec![plain("ingester-0"), plain("7"), plain("")], vec![plain("ü"), plain("12345"), plain("x")]];
        let text = render(&heads, &rows, Style::new());
        assert_eq!(text, "NAME         ROWS  NOTE\ningester-0      7  \nü           12345  x\n");
        assert_eq!(render(&heads, &[], Style::new()), "NAME  ROWS  NOTE\n");
    }

    #[test]
    fn amounts() {
        let cases = [
            (0, "0 B"),
            (999, "999 B"),
            (1000, "1.0 kB"),
            (999_949, "999.9 kB"),
            (999_950, "1.0 MB"),
            (1_500_000, "1.5 MB"),
            (u64::MAX, "18.4 EB"),
        ];
        for (count, text) in cases {
            assert_eq!(bytes(count), text);
        }
    }
}
