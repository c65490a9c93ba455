//! The line on which a key stands.
//!
//! The YAML parser keeps no positions in its tree, so the text is read once more, by indentation. In
//! flow style (`{a: {b: 1}}`) the answer is the line of the innermost block that stands alone, which
//! is near enough to find the key by eye.

/// The line (from 1) of the key at `path` in `text`; 0 when not even its first part is found.
pub(crate) fn line_of(text: &str, path: &[String]) -> usize {
    // Keys on the way to the current line, with their indentation.
    let mut stack: Vec<(usize, &str)> = Vec::new();
    let (mut best_depth, mut best_line) = (0, 0);
    for (i, line) in text.lines().enumerate() {
        let content = line.trim_start();
        if content.is_empty() || content.starts_with('#') {
            continue;
        }
        let indent = line.len() - content.len();
        while stack.last().is_some_and(|(at, _)| *at >= indent) {
            stack.pop();
        }
        let Some(key) = key_of(content) else { continue };
        stack.push((indent, key));
        let matched = stack.iter().zip(path).take_while(|((_, key), part)| key == part).count();
        if matched == stack.len() && matched > best_depth {
            (best_depth, best_line) = (matched, i + 1);
        }
    }
    best_line
}

/// The key at the beginning of a line, without quotes.
fn key_of(content: &str) -> Option<&str> {
    let colon = content.find(": ").or_else(|| content.ends_with(':').then(|| content.len() - 1));
    let key = content[..colon.or_else(|| content.find(':'))?].trim_end();
    Some(key.trim_matches(|c| c == '"' || c == '\''))
}

#[cfg(test)]
mod tests {
    use super::line_of;

    #[test]
    fn lines() {
        let text =
            "# head\na: 1\nb:\n  c: 2\n\n  # note\n  d:\n    e: {f: 3}\ng:\n  c: 4\n  list:\n  - c: 9\n\"h\": 5\n";
        for (path, line) in [
            ("a", 2),
            ("b", 3),
            ("b.c", 4),
            ("b.d", 7),
            ("b.d.e", 8),
            ("b.d.e.f", 8),
            ("g.c", 10),
            ("h", 13),
            ("zzz", 0),
        ] {
            let path: Vec<String> = path.split('.').map(str::to_owned).collect();
            assert_eq!(line_of(text, &path), line, "{path:?}");
        }
    }
}
