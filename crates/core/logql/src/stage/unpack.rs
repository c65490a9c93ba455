//! `| unpack`: undoes what Promtail's pack stage did: the packed labels come back, `_entry` becomes the line.

use super::{
    RowContext,
    json::{ERROR_VALUE, Scanner, unescape},
};

const ENTRY: &[u8] = b"_entry";

pub(super) fn run(row: &mut RowContext<'_>) {
    let line = row.line.get(row.original);
    if !line.starts_with(b"{") {
        row.labels.set_error(ERROR_VALUE, || "expecting json object(6), but it is not".to_owned());
        return;
    }
    // Labels count only where an entry exists, so the line is read for it first.
    row.scratch.clear();
    let mut has_entry = false;
    let scratch = &mut *row.scratch;
    let scanned = strings(line, |key, value| {
        if key == ENTRY && !has_entry {
            has_entry = true;
            return unescape(value, scratch);
        }
        Ok(())
    });
    if let Err(details) = scanned {
        row.labels.set_error(ERROR_VALUE, || details.to_owned());
        return;
    }
    if !has_entry {
        return;
    }
    let (labels, names) = (&mut *row.labels, &mut *row.names);
    let view = row.view;
    let _ = strings(line, |key, value| {
        if key != ENTRY
            && let Some(name) = names.key(key)
        {
            let name = labels.parsed_name(view, names, name);
            if !labels.has_parsed(name) {
                let mut result = Ok(());
                labels.add_parsed_with(name, |arena| result = unescape(value, arena));
                return result;
            }
        }
        Ok(())
    });
    row.line.replace(row.scratch);
}

/// Calls `visit` with the string fields of an object; other fields are skipped.
fn strings(line: &[u8], mut visit: impl FnMut(&[u8], &[u8]) -> Result<(), &'static str>) -> Result<(), &'static str> {
    let mut scanner = Scanner { bytes: line, at: 0 };
    if !scanner.accept(b'{') || scanner.accept(b'}') {
        return Ok(());
    }
    loop {
        let key = scanner.string()?;
        if !scanner.accept(b':') {
            return Err("Malformed JSON error");
        }
        if scanner.peek() == Some(b'"') {
            let value = scanner.string()?;
            visit(key, value)?;
        } else {
            scanner.skip_value()?;
        }
        if scanner.accept(b'}') {
            return Ok(());
        }
        if !scanner.accept(b',') {
            return Err("Malformed JSON error");
        }
    }
}
