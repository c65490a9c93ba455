//! `| regexp "(?P<name>…)"`: named groups as labels. A line that does not match is left alone.

use regex::bytes::Regex;

use super::{Needed, RowContext};
use crate::{
    regex_dialect,
    row::{NameId, Names},
};

#[derive(Clone, Debug)]
pub(crate) struct Regexp {
    regex: Regex,
    /// Number of the group and its label, those that are needed.
    groups: Vec<(usize, NameId)>,
    needed: Needed,
}

impl Regexp {
    pub(super) fn compile(pattern: &str, names: &mut Names, needed: &Needed) -> Result<Self, String> {
        let regex = regex_dialect::compile_bytes(pattern)?;
        let groups: Vec<(usize, NameId)> =
            regex.capture_names().enumerate().filter_map(|(i, name)| name.map(|name| (i, names.id(name)))).collect();
        if groups.is_empty() {
            return Err("at least one named capture must be supplied".to_owned());
        }
        Ok(Self { regex, groups, needed: needed.clone() })
    }

    pub(super) fn run(&mut self, row: &mut RowContext<'_>) {
        if self.needed.nothing() {
            return;
        }
        let line = row.line.get(row.original);
        let Some(captures) = self.regex.captures(line) else { return };
        for (group, name) in &self.groups {
            let value = captures.get(*group).map_or(&b""[..], |m| m.as_bytes());
            let name = row.labels.parsed_name(row.view, row.names, *name);
            if self.needed.contains(name) && !row.labels.has_parsed(name) {
                row.labels.set_parsed(name, value);
            }
        }
    }
}
