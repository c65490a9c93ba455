//! Label filters. `and` binds tighter than `or`; a comma or mere juxtaposition binds loosest, so that
//! `a, b or c` is `a and (b or c)`.

use super::{Kind, Parsed, Parser, Value};
use crate::syntax::ast::{CompareOp, Comparison, LabelFilter};

impl Parser {
    pub(super) fn label_filter(&mut self) -> Parsed<LabelFilter> {
        let mut all = vec![self.label_filter_or()?];
        loop {
            let more = match self.kind() {
                Kind::Comma => {
                    self.advance();
                    true
                }
                kind => matches!(kind, Kind::Identifier | Kind::OpenParen),
            };
            if !more {
                return Ok(LabelFilter::all(all));
            }
            all.push(self.label_filter_or()?);
        }
    }

    fn label_filter_or(&mut self) -> Parsed<LabelFilter> {
        let mut any = vec![self.label_filter_and()?];
        while self.accept(Kind::Or) {
            any.push(self.label_filter_and()?);
        }
        Ok(LabelFilter::any(any))
    }

    fn label_filter_and(&mut self) -> Parsed<LabelFilter> {
        let mut all = vec![self.label_filter_atom()?];
        while self.accept(Kind::And) {
            all.push(self.label_filter_atom()?);
        }
        Ok(LabelFilter::all(all))
    }

    fn label_filter_atom(&mut self) -> Parsed<LabelFilter> {
        if self.accept(Kind::OpenParen) {
            let inner = self.nested(Self::label_filter)?;
            self.expect(Kind::CloseParen)?;
            return Ok(inner);
        }
        if self.kind() != Kind::Identifier {
            return self.unexpected(&[Kind::Identifier, Kind::OpenParen]);
        }
        let name_at = self.at;
        let name = self.expect_text(Kind::Identifier)?;
        let op_kind = self.kind();
        let value_kind = self.kind_after();
        if super::selector::match_op(op_kind).is_some() && value_kind == Kind::String {
            self.at = name_at;
            return Ok(LabelFilter::Matcher(self.matcher()?));
        }
        if matches!(op_kind, Kind::Re | Kind::NotRe) {
            self.advance();
            return self.unexpected(&[Kind::String]);
        }
        let Some(op) = compare_op(op_kind) else { return self.unexpected(&[]) };
        self.advance();
        if self.kind() == Kind::Ip && matches!(op_kind, Kind::Eq | Kind::NotEq) {
            return Ok(LabelFilter::Ip { name, negative: op_kind == Kind::NotEq, pattern: self.ip()? });
        }
        self.quantity(name, op)
    }

    fn quantity(&mut self, name: String, op: CompareOp) -> Parsed<LabelFilter> {
        let negative = match self.kind() {
            Kind::Sub => true,
            Kind::Add => false,
            _ => {
                return self.unsigned_quantity(name, op, false);
            }
        };
        self.advance();
        self.unsigned_quantity(name, op, negative)
    }

    fn unsigned_quantity(&mut self, name: String, op: CompareOp, negative: bool) -> Parsed<LabelFilter> {
        let filter = match self.token().value {
            Value::Number(value) => {
                LabelFilter::Number(Comparison { name, op, value: if negative { -value } else { value } })
            }
            Value::Nanos(value) if self.kind() == Kind::Duration => {
                LabelFilter::Duration(Comparison { name, op, value: if negative { -value } else { value } })
            }
            Value::Bytes(value) if !negative => LabelFilter::Bytes(Comparison { name, op, value }),
            _ => return self.unexpected(&[Kind::Bytes, Kind::Number, Kind::Duration]),
        };
        self.advance();
        Ok(filter)
    }
}

impl LabelFilter {
    /// All of `filters`, which are at least one; nested conjunctions become one.
    pub fn all(filters: Vec<Self>) -> Self {
        let flat = filters.into_iter().flat_map(|filter| match filter {
            Self::And(inner) => inner,
            other => vec![other],
        });
        one_or(flat.collect(), Self::And)
    }

    /// One of `filters`, which are at least one; nested disjunctions become one.
    pub fn any(filters: Vec<Self>) -> Self {
        let flat = filters.into_iter().flat_map(|filter| match filter {
            Self::Or(inner) => inner,
            other => vec![other],
        });
        one_or(flat.collect(), Self::Or)
    }
}

fn one_or(mut filters: Vec<LabelFilter>, join: fn(Vec<LabelFilter>) -> LabelFilter) -> LabelFilter {
    match filters.pop() {
        Some(only) if filters.is_empty() => only,
        Some(last) => {
            filters.push(last);
            join(filters)
        }
        None => join(filters),
    }
}

fn compare_op(kind: Kind) -> Option<CompareOp> {
    Some(match kind {
        Kind::Eq | Kind::CmpEq => CompareOp::Eq,
        Kind::NotEq => CompareOp::Ne,
        Kind::Gt => CompareOp::Gt,
        Kind::Gte => CompareOp::Gte,
        Kind::Lt => CompareOp::Lt,
        Kind::Lte => CompareOp::Lte,
        _ => return None,
    })
}
