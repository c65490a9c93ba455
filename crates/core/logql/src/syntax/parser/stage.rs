//! The stages of a pipeline.

use super::{Kind, Parsed, Parser};
use crate::syntax::ast::{
    Extraction, LabelFormat, LabelFormatSource, LineFilter, LineFilterOp, LineFilterText, NameOrMatcher, Stage,
};

impl Parser {
    /// All stages from here up to the end or an `unwrap`.
    pub(super) fn stages(&mut self) -> Parsed<Vec<Stage>> {
        let mut stages = Vec::new();
        loop {
            if let Some(op) = line_filter_op(self.kind()) {
                self.advance();
                stages.push(Stage::LineFilter(self.line_filter(op)?));
            } else if self.kind() == Kind::Pipe && self.kind_after() != Kind::Unwrap {
                self.advance();
                stages.push(self.stage()?);
            } else {
                return Ok(stages);
            }
        }
    }

    fn line_filter(&mut self, op: LineFilterOp) -> Parsed<LineFilter> {
        let mut alternatives = vec![self.line_filter_text()?];
        while self.kind() == Kind::Or && matches!(self.kind_after(), Kind::String | Kind::Ip) {
            self.advance();
            alternatives.push(self.line_filter_text()?);
        }
        Ok(LineFilter { op, alternatives })
    }

    fn line_filter_text(&mut self) -> Parsed<LineFilterText> {
        match self.kind() {
            Kind::Ip => Ok(LineFilterText::Ip(self.ip()?)),
            Kind::String => Ok(LineFilterText::Text(self.expect_text(Kind::String)?)),
            _ => self.unexpected(&[Kind::String, Kind::Ip]),
        }
    }

    /// `ip("…")`
    pub(super) fn ip(&mut self) -> Parsed<String> {
        self.expect(Kind::Ip)?;
        self.expect(Kind::OpenParen)?;
        let pattern = self.expect_text(Kind::String)?;
        self.expect(Kind::CloseParen)?;
        Ok(pattern)
    }

    /// What follows a `|`.
    fn stage(&mut self) -> Parsed<Stage> {
        let kind = self.kind();
        match kind {
            Kind::Identifier | Kind::OpenParen => return Ok(Stage::LabelFilter(self.label_filter()?)),
            Kind::Json
            | Kind::Logfmt
            | Kind::Regexp
            | Kind::Pattern
            | Kind::Unpack
            | Kind::Decolorize
            | Kind::LineFormat
            | Kind::LabelFormat
            | Kind::Drop
            | Kind::Keep => self.advance(),
            _ => return self.unexpected(&[]),
        }
        Ok(match kind {
            Kind::Json => Stage::Json(self.extractions()?),
            Kind::Logfmt => self.logfmt()?,
            Kind::Regexp => Stage::Regexp(self.expect_text(Kind::String)?),
            Kind::Pattern => Stage::Pattern(self.expect_text(Kind::String)?),
            Kind::Unpack => Stage::Unpack,
            Kind::Decolorize => Stage::Decolorize,
            Kind::LineFormat => Stage::LineFormat(self.expect_text(Kind::String)?),
            Kind::LabelFormat => Stage::LabelFormat(self.label_formats()?),
            Kind::Drop => Stage::Drop(self.names_or_matchers()?),
            _ => Stage::Keep(self.names_or_matchers()?),
        })
    }

    fn logfmt(&mut self) -> Parsed<Stage> {
        let (mut strict, mut keep_empty) = (false, false);
        while self.kind() == Kind::Flag {
            match self.expect_text(Kind::Flag)?.as_str() {
                "--strict" => strict = true,
                _ => keep_empty = true,
            }
        }
        Ok(Stage::Logfmt { strict, keep_empty, extractions: self.extractions()? })
    }

    /// `label="source", label`; none at all is allowed.
    fn extractions(&mut self) -> Parsed<Vec<Extraction>> {
        let mut extractions = Vec::new();
        if self.kind() != Kind::Identifier {
            return Ok(extractions);
        }
        loop {
            let label = self.expect_text(Kind::Identifier)?;
            let source = if self.accept(Kind::Eq) { self.expect_text(Kind::String)? } else { label.clone() };
            extractions.push(Extraction { label, source });
            if !self.accept(Kind::Comma) {
                return Ok(extractions);
            }
        }
    }

    fn label_formats(&mut self) -> Parsed<Vec<LabelFormat>> {
        let mut formats = Vec::new();
        loop {
            let label = self.expect_text(Kind::Identifier)?;
            self.expect(Kind::Eq)?;
            let source = match self.kind() {
                Kind::Identifier => LabelFormatSource::Label(self.expect_text(Kind::Identifier)?),
                Kind::String => LabelFormatSource::Template(self.expect_text(Kind::String)?),
                _ => return self.unexpected(&[Kind::Identifier, Kind::String]),
            };
            formats.push(LabelFormat { label, source });
            if !self.accept(Kind::Comma) {
                return Ok(formats);
            }
        }
    }

    fn names_or_matchers(&mut self) -> Parsed<Vec<NameOrMatcher>> {
        let mut items = Vec::new();
        loop {
            if self.kind() != Kind::Identifier {
                return self.unexpected(&[Kind::Identifier]);
            }
            items.push(if super::selector::match_op(self.kind_after()).is_some() {
                NameOrMatcher::Matcher(self.matcher()?)
            } else {
                NameOrMatcher::Name(self.expect_text(Kind::Identifier)?)
            });
            if !self.accept(Kind::Comma) {
                return Ok(items);
            }
        }
    }
}

fn line_filter_op(kind: Kind) -> Option<LineFilterOp> {
    Some(match kind {
        Kind::PipeExact => LineFilterOp::Contains,
        Kind::NotEq => LineFilterOp::NotContains,
        Kind::PipeMatch => LineFilterOp::Regex,
        Kind::NotRe => LineFilterOp::NotRegex,
        Kind::PipePattern => LineFilterOp::Pattern,
        Kind::NotPattern => LineFilterOp::NotPattern,
        _ => return None,
    })
}
