//! `| decolorize`: takes ANSI escape sequences out of the line.

use memchr::memchr;

use super::RowContext;

pub(super) fn run(row: &mut RowContext<'_>) {
    let line = row.line.get(row.original);
    if memchr(0x1b, line).is_none() {
        return;
    }
    row.scratch.clear();
    strip(line, row.scratch);
    row.line.replace(row.scratch);
}

/// Appends `line` without control sequences (`ESC [ parameters letter`).
fn strip(line: &[u8], out: &mut Vec<u8>) {
    let mut rest = line;
    while let Some(at) = memchr(0x1b, rest) {
        out.extend_from_slice(&rest[..at]);
        let sequence = &rest[at + 1..];
        let len = sequence.strip_prefix(b"[").and_then(|body| {
            let parameters = body.iter().take_while(|b| b.is_ascii_digit() || matches!(b, b';' | b'?' | b' ')).count();
            body.get(parameters).filter(|b| b.is_ascii_alphabetic()).map(|_| parameters + 2)
        });
        match len {
            Some(len) => rest = &sequence[len..],
            None => {
                out.push(0x1b);
                rest = sequence;
            }
        }
    }
    out.extend_from_slice(rest);
}

#[cfg(test)]
mod tests {
    use super::strip;

    #[test]
    fn sequences_go() {
        let cases = [
            ("\u{1b}[31mred\u{1b}[0m!", "red!"),
            ("\u{1b}[1;4;38;5;9mx", "x"),
            ("a\u{1b}b", "a\u{1b}b"),
            ("\u{1b}[", "\u{1b}["),
        ];
        for (line, expect) in cases {
            let mut out = Vec::new();
            strip(line.as_bytes(), &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), expect);
        }
    }
}
