//! `| drop …` and `| keep …`: take labels away, by name or where a value matches.

use super::RowContext;
use crate::{
    matcher::Matcher,
    row::{ERROR, ERROR_DETAILS, NameId, Names},
    syntax::ast::NameOrMatcher,
};

#[derive(Clone, Debug)]
struct Items(Vec<(NameId, Option<Matcher>)>);

impl Items {
    fn compile(items: &[NameOrMatcher], names: &mut Names) -> Self {
        let compile = |item: &NameOrMatcher| match item {
            NameOrMatcher::Name(name) => (names.id(name), None),
            NameOrMatcher::Matcher(matcher) => (names.id(matcher.name()), Some(matcher.clone())),
        };
        Self(items.iter().map(compile).collect())
    }

    fn holds(matcher: Option<&Matcher>, value: &[u8]) -> bool {
        matcher.is_none_or(|matcher| std::str::from_utf8(value).is_ok_and(|value| matcher.matches_value(value)))
    }
}

/// `| drop …`
#[derive(Clone, Debug)]
pub(crate) struct Drop(Items);

impl Drop {
    pub(super) fn compile(items: &[NameOrMatcher], names: &mut Names) -> Self {
        Self(Items::compile(items, names))
    }

    pub(super) fn run(&self, row: &mut RowContext<'_>) {
        for (name, matcher) in &self.0.0 {
            let value = row.labels.get(row.view, *name);
            if !value.is_some_and(|value| Items::holds(matcher.as_ref(), value)) {
                continue;
            }
            match *name {
                ERROR => row.labels.clear_error(),
                ERROR_DETAILS => row.labels.clear_details(),
                name => row.labels.delete(name),
            }
        }
    }
}

/// `| keep …`
#[derive(Clone, Debug)]
pub(crate) struct Keep(Items);

impl Keep {
    pub(super) fn compile(items: &[NameOrMatcher], names: &mut Names) -> Self {
        Self(Items::compile(items, names))
    }

    pub(super) fn run(&self, row: &mut RowContext<'_>) {
        let kept = |name: NameId, value: &[u8]| {
            self.0.0.iter().any(|(wanted, matcher)| *wanted == name && Items::holds(matcher.as_ref(), value))
        };
        row.labels.retain(row.view, kept);
    }
}
