//! `| pattern "<ip> - <user> <_>"`: literals and captures, left to right. Also the reader of patterns
//! for the filters `|>` and `!>`.

use memchr::memmem;

use super::{Needed, RowContext};
use crate::row::{NameId, Names};

/// A piece of a pattern.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Piece {
    Literal(Vec<u8>),
    /// `<name>`; `None` for `<_>`.
    Capture(Option<String>),
}

/// Splits a pattern. Something in angle brackets that is no name is literal.
pub(super) fn pieces(pattern: &str) -> Result<Vec<Piece>, String> {
    let mut out: Vec<Piece> = Vec::new();
    let mut rest = pattern;
    while !rest.is_empty() {
        if let Some((name, behind)) = capture(rest) {
            if let Some(Piece::Capture(before)) = out.last() {
                let text = |name: &Option<String>| format!("<{}>", name.as_deref().unwrap_or("_"));
                let here = (name != "_").then(|| name.to_owned());
                return Err(format!("found consecutive capture '{}{}'", text(before), text(&here)));
            }
            out.push(Piece::Capture((name != "_").then(|| name.to_owned())));
            rest = behind;
            continue;
        }
        let first = rest.chars().next().map_or(1, char::len_utf8);
        match out.last_mut() {
            Some(Piece::Literal(literal)) => literal.extend_from_slice(&rest.as_bytes()[..first]),
            _ => out.push(Piece::Literal(rest.as_bytes()[..first].to_vec())),
        }
        rest = &rest[first..];
    }
    Ok(out)
}

/// The name of the capture at the start of `text`, and what follows it.
fn capture(text: &str) -> Option<(&str, &str)> {
    let (name, behind) = text.strip_prefix('<')?.split_once('>')?;
    let valid = name.starts_with(|c: char| c == '_' || c.is_ascii_alphabetic())
        && name.chars().all(|c| c == '_' || c.is_ascii_alphanumeric());
    valid.then_some((name, behind))
}

#[derive(Clone, Debug)]
pub(crate) struct Pattern {
    steps: Vec<Step>,
    needed: Needed,
}

#[derive(Clone, Debug)]
enum Step {
    /// The line must begin with this.
    Prefix(Vec<u8>),
    /// A value up to the literal, or to the end of the line without one.
    Capture { name: Option<NameId>, until: Option<Box<memmem::Finder<'static>>> },
}

impl Pattern {
    pub(super) fn compile(pattern: &str, names: &mut Names, needed: &Needed) -> Result<Self, String> {
        let pieces = pieces(pattern)?;
        let mut seen: Vec<&String> = Vec::new();
        for piece in &pieces {
            if let Piece::Capture(Some(name)) = piece {
                if seen.contains(&name) {
                    return Err(format!("duplicate capture name ({name})"));
                }
                seen.push(name);
            }
        }
        if seen.is_empty() {
            return Err("at least one capture is required".to_owned());
        }
        let mut steps = Vec::new();
        for (i, piece) in pieces.iter().enumerate() {
            match piece {
                Piece::Literal(literal) if i == 0 => steps.push(Step::Prefix(literal.clone())),
                // Other literals belong to the capture before them.
                Piece::Literal(_) => {}
                Piece::Capture(name) => {
                    let until = match pieces.get(i + 1) {
                        Some(Piece::Literal(literal)) => Some(Box::new(memmem::Finder::new(literal).into_owned())),
                        _ => None,
                    };
                    steps.push(Step::Capture { name: name.as_deref().map(|name| names.id(name)), until });
                }
            }
        }
        Ok(Self { steps, needed: needed.clone() })
    }

    pub(super) fn run(&mut self, row: &mut RowContext<'_>) {
        if self.needed.nothing() {
            return;
        }
        let mut rest = row.line.get(row.original);
        for step in &self.steps {
            match step {
                Step::Prefix(literal) => match rest.strip_prefix(literal.as_slice()) {
                    Some(behind) => rest = behind,
                    None => return,
                },
                Step::Capture { name, until } => {
                    let found = until.as_ref().map(|finder| (finder.find(rest), finder.needle().len()));
                    let (value, behind) = match found {
                        Some((Some(at), len)) => (&rest[..at], Some(&rest[at + len..])),
                        _ => (rest, None),
                    };
                    if let Some(name) = name {
                        let name = row.labels.parsed_name(row.view, row.names, *name);
                        if self.needed.contains(name) && !row.labels.has_parsed(name) {
                            row.labels.set_parsed(name, value);
                        }
                    }
                    match behind {
                        Some(behind) => rest = behind,
                        None => return,
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refused_patterns() {
        let cases = [
            ("<a><b>", "found consecutive capture '<a><b>'"),
            ("<a> <a>", "duplicate capture name (a)"),
            ("x <_>", "at least one capture is required"),
        ];
        for (pattern, expect) in cases {
            let error = Pattern::compile(pattern, &mut Names::new(), &Needed::All).expect_err(pattern);
            assert_eq!(error, expect);
        }
        assert_eq!(pieces("<1> <"), Ok(vec![Piece::Literal(b"<1> <".to_vec())]));
    }
}
