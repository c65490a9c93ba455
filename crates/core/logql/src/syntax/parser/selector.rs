//! `{name="value", …}` and what follows it.

use super::{Kind, ParseError, Parsed, Parser};
use crate::{
    matcher::{MatchOp, Matcher},
    syntax::ast::LogExpr,
};

impl Parser {
    /// A selector with all stages that follow, up to an `unwrap`.
    pub(super) fn log_pipeline(&mut self) -> Parsed<LogExpr> {
        let matchers = self.selector()?;
        let stages = self.stages()?;
        Ok(LogExpr { matchers, stages })
    }

    pub(super) fn selector(&mut self) -> Parsed<Vec<Matcher>> {
        self.expect(Kind::OpenBrace)?;
        let mut matchers = Vec::new();
        if self.accept(Kind::CloseBrace) {
            return Ok(matchers);
        }
        loop {
            if self.kind() != Kind::Identifier {
                let first: &[Kind] =
                    if matchers.is_empty() { &[Kind::Identifier, Kind::CloseBrace] } else { &[Kind::Identifier] };
                return self.unexpected(first);
            }
            matchers.push(self.matcher()?);
            if self.accept(Kind::CloseBrace) {
                return Ok(matchers);
            }
            if !self.accept(Kind::Comma) {
                return self.unexpected(&[Kind::CloseBrace, Kind::Comma]);
            }
        }
    }

    /// `name op "value"`
    pub(super) fn matcher(&mut self) -> Parsed<Matcher> {
        let name = self.expect_text(Kind::Identifier)?;
        let Some(op) = match_op(self.kind()) else {
            return self.unexpected(&[Kind::Eq, Kind::Re, Kind::NotRe, Kind::NotEq]);
        };
        self.advance();
        let value = self.expect_text(Kind::String)?;
        Matcher::new(&name, op, &value).map_err(ParseError::general)
    }
}

/// The matcher operator a token is.
pub(super) fn match_op(kind: Kind) -> Option<MatchOp> {
    Some(match kind {
        Kind::Eq => MatchOp::Eq,
        Kind::NotEq => MatchOp::Ne,
        Kind::Re => MatchOp::Re,
        Kind::NotRe => MatchOp::NotRe,
        _ => return None,
    })
}
