//! `-config.expand-env`: variables of the environment inside the text of a configuration file.
//!
//! Works on the text before it is parsed, so that a variable may hold a number or a list. What is not
//! set becomes nothing, as in Loki.

/// Replaces `${NAME}` and `${NAME:-default}` (also `${NAME:default}`) in `text`. A variable that is
/// set but empty takes the default, too. `$` without a brace stays as it is.
///
/// # Errors
/// The line number of a `${` that is never closed.
pub(crate) fn expand(text: &str, lookup: impl Fn(&str) -> Option<String>) -> Result<String, usize> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find("${") {
        out.push_str(&rest[..start]);
        let body = &rest[start + 2..];
        let Some(end) = body.find('}') else {
            return Err(1 + text[..text.len() - body.len()].matches('\n').count());
        };
        let (name, default) = match body[..end].split_once(':') {
            Some((name, default)) => (name, default.strip_prefix('-').unwrap_or(default)),
            None => (&body[..end], ""),
        };
        match lookup(name.trim()).filter(|value| !value.is_empty()) {
            Some(value) => out.push_str(&value),
            None => out.push_str(default),
        }
        rest = &body[end + 1..];
    }
    out.push_str(rest);
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::expand;

    #[test]
    fn variables() {
        let lookup = |name: &str| match name {
            "HOST" => Some("db".to_owned()),
            "EMPTY" => Some(String::new()),
            _ => None,
        };
        let cases: &[(&str, Result<&str, usize>)] = &[
            ("a: b", Ok("a: b")),
            ("a: ${HOST}:9000", Ok("a: db:9000")),
            ("a: ${NONE}", Ok("a: ")),
            ("a: ${NONE:-x}", Ok("a: x")),
            ("a: ${NONE:x}", Ok("a: x")),
            ("a: ${NONE:-http://x:1}", Ok("a: http://x:1")),
            ("a: ${EMPTY:-x}", Ok("a: x")),
            ("a: ${HOST:-x}${HOST}", Ok("a: dbdb")),
            ("a: $HOST $1", Ok("a: $HOST $1")),
            ("a: 1\nb: ${HOST", Err(2)),
        ];
        for (text, expect) in cases {
            assert_eq!(expand(text, lookup), expect.map(str::to_owned), "{text}");
        }
    }
}
