//! Which labels are still used after a stage: parsers extract no others.

use smallvec::SmallVec;

use super::template::Template;
use crate::{
    row::{ERROR, ERROR_DETAILS, NameId, Names},
    syntax::ast::{LabelFilter, LabelFormatSource, NameOrMatcher, Stage, Unwrap},
};

/// A set of labels, or all there are.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Needed {
    All,
    Some {
        labels: SmallVec<[NameId; 8]>,
        /// Somebody asks for errors: parsers may not stop before the end of the line.
        errors: bool,
    },
}

impl Needed {
    pub(crate) fn none() -> Self {
        Self::Some { labels: SmallVec::new(), errors: false }
    }

    pub(crate) fn add(&mut self, name: NameId) {
        if let Self::Some { labels, errors } = self {
            if name == ERROR || name == ERROR_DETAILS {
                *errors = true;
            } else if !labels.contains(&name) {
                labels.push(name);
            }
        }
    }

    pub(crate) fn contains(&self, name: NameId) -> bool {
        match self {
            Self::All => true,
            Self::Some { labels, .. } => labels.contains(&name),
        }
    }

    /// True when a parser has nothing to do at all.
    pub(crate) fn nothing(&self) -> bool {
        matches!(self, Self::Some { labels, errors: false } if labels.is_empty())
    }

    /// From what is needed after `stage` to what is needed before it.
    pub(super) fn before(&mut self, stage: &Stage, names: &mut Names) -> Result<(), String> {
        match stage {
            Stage::LabelFilter(filter) => self.add_filter(filter, names),
            Stage::LineFormat(template) => self.add_template(&Template::parse(template, names)?),
            Stage::LabelFormat(formats) => {
                for format in formats {
                    match &format.source {
                        LabelFormatSource::Label(source) => self.add(names.id(source)),
                        LabelFormatSource::Template(template) => self.add_template(&Template::parse(template, names)?),
                    }
                }
            }
            Stage::Drop(items) => {
                for item in items {
                    if let NameOrMatcher::Matcher(matcher) = item {
                        self.add(names.id(matcher.name()));
                    }
                }
            }
            Stage::Keep(items) => {
                // Whatever is not listed is gone afterwards, so nobody can need it; errors survive.
                let errors = !matches!(self, Self::Some { errors: false, .. });
                *self = Self::Some { labels: SmallVec::new(), errors };
                for item in items {
                    self.add(names.id(match item {
                        NameOrMatcher::Name(name) => name,
                        NameOrMatcher::Matcher(matcher) => matcher.name(),
                    }));
                }
            }
            Stage::LineFilter(_)
            | Stage::Json(_)
            | Stage::Logfmt { .. }
            | Stage::Regexp(_)
            | Stage::Pattern(_)
            | Stage::Unpack
            | Stage::Decolorize => {}
        }
        Ok(())
    }

    /// Adds what an unwrap reads.
    pub(crate) fn add_unwrap(&mut self, unwrap: &Unwrap, names: &mut Names) {
        self.add(names.id(&unwrap.label));
        for filter in &unwrap.filters {
            self.add_filter(filter, names);
        }
    }

    fn add_filter(&mut self, filter: &LabelFilter, names: &mut Names) {
        match filter {
            LabelFilter::Matcher(matcher) => self.add(names.id(matcher.name())),
            LabelFilter::Number(c) => self.add(names.id(&c.name)),
            LabelFilter::Duration(c) => self.add(names.id(&c.name)),
            LabelFilter::Bytes(c) => self.add(names.id(&c.name)),
            LabelFilter::Ip { name, .. } => self.add(names.id(name)),
            LabelFilter::And(filters) | LabelFilter::Or(filters) => {
                filters.iter().for_each(|filter| self.add_filter(filter, names));
            }
        }
    }

    fn add_template(&mut self, template: &Template) {
        match template.labels() {
            Some(labels) => labels.iter().for_each(|name| self.add(*name)),
            None => *self = Self::All,
        }
    }
}
