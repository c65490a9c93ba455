//! Text in columns.

/// `rows` below `head`, columns two spaces apart and as wide as their widest cell. Columns named in
/// `right` are aligned to the right.
pub(crate) fn table<const N: usize>(head: [&str; N], right: &[&str], rows: &[[String; N]]) -> String {
    let width = |text: &str| text.chars().count();
    let widths: [usize; N] = std::array::from_fn(|column| {
        rows.iter().map(|row| width(&row[column])).chain([width(head[column])]).max().unwrap_or_default()
    });
    let line = |cells: [&str; N]| {
        let mut line = String::new();
        for (column, cell) in cells.iter().enumerate() {
            let gap = " ".repeat(widths[column] - width(cell));
            let (before, after) = if right.contains(&head[column]) { (gap.as_str(), "") } else { ("", gap.as_str()) };
            line.push_str(&format!("{before}{cell}{after}  "));
        }
        line.truncate(line.trim_end().len());
        line.push('\n');
        line
    };
    let mut text = line(head);
    for row in rows {
        text.push_str(&line(std::array::from_fn(|column| row[column].as_str())));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::table;

    #[test]
    fn columns_are_as_wide_as_their_cells() {
        let row = |a: &str, b: &str, c: &str| [a, b, c].map(str::to_owned);
        let rows = [row("ingester-0", "9", "ja"), row("é", "12345", "")];
        let expect = "\
NAME          PID  READY
ingester-0      9  ja
é           12345
";
        assert_eq!(table(["NAME", "PID", "READY"], &["PID"], &rows), expect);
        assert_eq!(table(["A"], &[], &[]), "A\n");
    }
}
