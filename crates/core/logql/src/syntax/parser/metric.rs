//! Metric queries: aggregations, binary operators, functions.

use super::{Kind, ParseError, Parsed, Parser, Value};
use crate::syntax::{
    ast::{
        Binary, BinaryOp, Conversion, Expr, Group, Grouping, LabelReplace, LogExpr, LogRange, MetricExpr,
        RangeAggregation, RangeOp, Unwrap, VectorAggregation, VectorMatching, VectorOp,
    },
    validate,
};

/// How many binary operators one chain may have: the tree leans to the left and is walked recursively.
const CHAIN_MAX: usize = 500;

impl Parser {
    /// A whole expression of either kind.
    pub(super) fn expr(&mut self) -> Parsed<Expr> {
        self.nested(|p| p.binary(0))
    }

    fn metric(&mut self) -> Parsed<MetricExpr> {
        match self.expr()? {
            Expr::Metric(metric) => Ok(metric),
            // The token after a log query is where a range was missing.
            Expr::Log(_) => self.unexpected(&[]),
        }
    }

    /// Precedence climbing: operators that bind at least as tight as `min`.
    fn binary(&mut self, min: u8) -> Parsed<Expr> {
        let mut left = self.primary()?;
        let mut chain = 0;
        while let Some((op, precedence)) = binary_op(self.kind()).filter(|(_, precedence)| *precedence >= min) {
            chain += 1;
            if chain > CHAIN_MAX {
                return Err(ParseError::general(format!("more than {CHAIN_MAX} binary operators in a row")));
            }
            self.advance();
            let return_bool = self.accept(Kind::Bool);
            let matching = self.matching()?;
            // `^` is the only operator that groups to the right.
            let right_min = if op == BinaryOp::Pow { precedence } else { precedence + 1 };
            let right = self.nested(|p| p.binary(right_min))?;
            left = Expr::Metric(combine(op, left, right, return_bool, matching)?);
        }
        Ok(left)
    }

    fn matching(&mut self) -> Parsed<Option<VectorMatching>> {
        let on = match self.kind() {
            Kind::On => true,
            Kind::Ignoring => false,
            _ => return Ok(None),
        };
        self.advance();
        let labels = self.names_in_parens()?;
        let left = match self.kind() {
            Kind::GroupLeft => true,
            Kind::GroupRight => false,
            _ => return Ok(Some(VectorMatching { on, labels, group: None })),
        };
        self.advance();
        // `group_left (…)`: an identifier or `)` inside says that these are labels, not an operand.
        let lists = self.kind() == Kind::OpenParen && matches!(self.kind_after(), Kind::Identifier | Kind::CloseParen);
        let include = if lists { self.names_in_parens()? } else { Vec::new() };
        Ok(Some(VectorMatching { on, labels, group: Some(Group { left, include }) }))
    }

    fn primary(&mut self) -> Parsed<Expr> {
        match self.kind() {
            Kind::OpenBrace => Ok(Expr::Log(self.log_pipeline()?)),
            Kind::OpenParen => {
                self.advance();
                let inner = self.expr()?;
                self.expect(Kind::CloseParen)?;
                Ok(inner)
            }
            Kind::Number | Kind::Add | Kind::Sub => Ok(Expr::Metric(MetricExpr::Literal(self.signed_number()?))),
            Kind::Function => self.function(),
            _ => self.unexpected(&[]),
        }
    }

    fn signed_number(&mut self) -> Parsed<f64> {
        let negative = self.kind() == Kind::Sub;
        if negative || self.kind() == Kind::Add {
            self.advance();
        }
        let number = self.number()?;
        Ok(if negative { -number } else { number })
    }

    fn number(&mut self) -> Parsed<f64> {
        match self.token().value {
            Value::Number(number) => {
                self.advance();
                Ok(number)
            }
            _ => self.unexpected(&[Kind::Number]),
        }
    }

    fn function(&mut self) -> Parsed<Expr> {
        let Value::Text(name) = self.token().value.clone() else { return self.unexpected(&[]) };
        if let Some(op) = RangeOp::from_name(&name) {
            self.advance();
            return Ok(Expr::Metric(self.range_aggregation(op)?));
        }
        if let Some(op) = VectorOp::from_name(&name) {
            self.advance();
            return Ok(Expr::Metric(self.vector_aggregation(op)?));
        }
        match name.as_str() {
            "vector" => {
                self.advance();
                self.expect(Kind::OpenParen)?;
                let number = self.signed_number()?;
                self.expect(Kind::CloseParen)?;
                Ok(Expr::Metric(MetricExpr::VectorLiteral(number)))
            }
            "label_replace" => {
                self.advance();
                Ok(Expr::Metric(self.label_replace()?))
            }
            // `bytes(`, `duration(`: only inside of unwrap.
            _ => self.unexpected(&[]),
        }
    }

    fn label_replace(&mut self) -> Parsed<MetricExpr> {
        self.expect(Kind::OpenParen)?;
        let inner = self.metric()?;
        let mut texts: [String; 4] = Default::default();
        for text in &mut texts {
            self.expect(Kind::Comma)?;
            *text = self.expect_text(Kind::String)?;
        }
        self.expect(Kind::CloseParen)?;
        let [dst, replacement, src, regex] = texts;
        Ok(MetricExpr::LabelReplace(Box::new(LabelReplace { inner, dst, replacement, src, regex })))
    }

    fn range_aggregation(&mut self, op: RangeOp) -> Parsed<MetricExpr> {
        self.expect(Kind::OpenParen)?;
        let param = self.leading_param()?;
        let range = self.log_range()?;
        self.expect(Kind::CloseParen)?;
        let grouping = self.grouping()?;
        let aggregation = RangeAggregation { op, param, range, grouping };
        validate::range_aggregation(&aggregation)?;
        Ok(MetricExpr::Range(Box::new(aggregation)))
    }

    fn vector_aggregation(&mut self, op: VectorOp) -> Parsed<MetricExpr> {
        let mut grouping = self.grouping()?;
        self.expect(Kind::OpenParen)?;
        let param = self.leading_param()?;
        let inner = self.metric()?;
        self.expect(Kind::CloseParen)?;
        if grouping.is_none() {
            grouping = self.grouping()?;
        }
        let k = validate::vector_param(op, param, grouping.as_ref())?;
        Ok(MetricExpr::Vector(Box::new(VectorAggregation { op, k, inner, grouping })))
    }

    /// `number ,` at the head of an argument list.
    fn leading_param(&mut self) -> Parsed<Option<f64>> {
        if self.kind() == Kind::Number && self.kind_after() == Kind::Comma {
            let number = self.number()?;
            self.advance();
            return Ok(Some(number));
        }
        Ok(None)
    }

    fn grouping(&mut self) -> Parsed<Option<Grouping>> {
        let without = match self.kind() {
            Kind::By => false,
            Kind::Without => true,
            _ => return Ok(None),
        };
        self.advance();
        Ok(Some(Grouping { without, labels: self.names_in_parens()? }))
    }

    /// A selector with a range in one of the places where it may stand.
    fn log_range(&mut self) -> Parsed<LogRange> {
        let mut parts = RangeParts::default();
        self.range_parts(&mut parts)?;
        if parts.range_ns.is_none() {
            self.range_suffix(&mut parts)?;
        }
        match parts {
            RangeParts { selector, range_ns: Some(range_ns), offset_ns, unwrap } => {
                Ok(LogRange { selector, range_ns, offset_ns, unwrap })
            }
            RangeParts { .. } => self.unexpected(&[]),
        }
    }

    fn range_parts(&mut self, parts: &mut RangeParts) -> Parsed<()> {
        if self.accept(Kind::OpenParen) {
            self.nested(|p| p.range_parts(parts))?;
            self.expect(Kind::CloseParen)?;
        } else {
            if self.kind() != Kind::OpenBrace {
                return self.unexpected(&[]);
            }
            parts.selector.matchers = self.selector()?;
        }
        // `{…}[5m] | json | unwrap x` and `{…} | json | unwrap x [5m]` are the same.
        self.range_suffix(parts)?;
        if parts.selector.stages.is_empty() && parts.unwrap.is_none() {
            parts.selector.stages = self.stages()?;
            parts.unwrap = self.unwrap()?;
        }
        self.range_suffix(parts)
    }

    /// `[range] offset duration`, where there is one and none came before.
    fn range_suffix(&mut self, parts: &mut RangeParts) -> Parsed<()> {
        if parts.range_ns.is_some() || self.kind() != Kind::Range {
            return Ok(());
        }
        if let Value::Nanos(nanos) = self.token().value {
            parts.range_ns = Some(nanos);
        }
        self.advance();
        if self.accept(Kind::Offset) {
            let negative = self.accept(Kind::Sub);
            let nanos = match self.token().value {
                Value::Nanos(nanos) if self.kind() == Kind::Duration => nanos,
                _ => return self.unexpected(&[Kind::Duration]),
            };
            self.advance();
            parts.offset_ns = if negative { -nanos } else { nanos };
        }
        Ok(())
    }

    fn unwrap(&mut self) -> Parsed<Option<Unwrap>> {
        if self.kind() != Kind::Pipe || self.kind_after() != Kind::Unwrap {
            return Ok(None);
        }
        self.advance();
        self.advance();
        let (label, conversion) = match self.kind() {
            Kind::Identifier => (self.expect_text(Kind::Identifier)?, Conversion::Number),
            Kind::Function => {
                let Value::Text(name) = self.token().value.clone() else { return self.unexpected(&[]) };
                let conversion = match name.as_str() {
                    "bytes" => Conversion::Bytes,
                    "duration" => Conversion::Duration,
                    "duration_seconds" => Conversion::DurationSeconds,
                    _ => return self.unexpected(&[]),
                };
                self.advance();
                self.expect(Kind::OpenParen)?;
                let label = self.expect_text(Kind::Identifier)?;
                self.expect(Kind::CloseParen)?;
                (label, conversion)
            }
            _ => return self.unexpected(&[]),
        };
        let mut filters = Vec::new();
        while self.accept(Kind::Pipe) {
            filters.push(self.label_filter()?);
        }
        Ok(Some(Unwrap { label, conversion, filters }))
    }
}

/// The parts of a range as they are found.
struct RangeParts {
    selector: LogExpr,
    range_ns: Option<i64>,
    offset_ns: i64,
    unwrap: Option<Unwrap>,
}

impl Default for RangeParts {
    fn default() -> Self {
        Self {
            selector: LogExpr { matchers: Vec::new(), stages: Vec::new() },
            range_ns: None,
            offset_ns: 0,
            unwrap: None,
        }
    }
}

fn binary_op(kind: Kind) -> Option<(BinaryOp, u8)> {
    Some(match kind {
        Kind::Or => (BinaryOp::Or, 1),
        Kind::And => (BinaryOp::And, 2),
        Kind::Unless => (BinaryOp::Unless, 2),
        Kind::CmpEq => (BinaryOp::Eq, 3),
        Kind::NotEq => (BinaryOp::Ne, 3),
        Kind::Lt => (BinaryOp::Lt, 3),
        Kind::Lte => (BinaryOp::Lte, 3),
        Kind::Gt => (BinaryOp::Gt, 3),
        Kind::Gte => (BinaryOp::Gte, 3),
        Kind::Add => (BinaryOp::Add, 4),
        Kind::Sub => (BinaryOp::Sub, 4),
        Kind::Mul => (BinaryOp::Mul, 5),
        Kind::Div => (BinaryOp::Div, 5),
        Kind::Mod => (BinaryOp::Mod, 5),
        Kind::Pow => (BinaryOp::Pow, 6),
        _ => return None,
    })
}

fn combine(
    op: BinaryOp,
    left: Expr,
    right: Expr,
    return_bool: bool,
    matching: Option<VectorMatching>,
) -> Parsed<MetricExpr> {
    let leg = |side: &str, expr: Expr| match expr {
        Expr::Metric(metric) => Ok(metric),
        Expr::Log(log) => Err(ParseError::general(format!(
            "unexpected type for {side} leg of binary operation ({}): {}",
            op.name(),
            if log.stages.is_empty() { "*syntax.MatchersExpr" } else { "*syntax.PipelineExpr" }
        ))),
    };
    let (left, right) = (leg("left", left)?, leg("right", right)?);
    if op.is_set() {
        for (side, expr) in [("left", &left), ("right", &right)] {
            if let MetricExpr::Literal(value) = expr {
                return Err(ParseError::general(format!(
                    "unexpected literal for {side} leg of logical/set binary operation ({}): {value:.6}",
                    op.name()
                )));
            }
        }
    }
    if let (MetricExpr::Literal(l), MetricExpr::Literal(r)) = (&left, &right) {
        return Ok(MetricExpr::Literal(crate::metric::scalar_op(op, *l, *r)));
    }
    Ok(MetricExpr::Binary(Box::new(Binary { op, left, right, return_bool, matching })))
}
