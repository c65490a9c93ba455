//! Recursive descent over the tokens: the cursor and its errors here, the grammar in one file per part.

mod label_filter;
mod metric;
mod selector;
mod stage;

use super::{
    ParseError,
    ast::Expr,
    lexer::{Token, Value, tokens},
    token::{Kind, function},
};

/// How deep parentheses and operators may nest: the tree is walked recursively by everybody.
const DEPTH_MAX: usize = 300;

/// What comes of an expression in parentheses before it is known which kind it is.
pub(super) type Parsed<T> = Result<T, ParseError>;

/// Parses a whole query.
pub(super) fn parse(query: &str) -> Parsed<Expr> {
    let mut parser = Parser { tokens: tokens(query), at: 0, depth: 0 };
    let expr = parser.expr()?;
    parser.end()?;
    Ok(expr)
}

pub(super) struct Parser {
    tokens: Vec<Token>,
    at: usize,
    depth: usize,
}

impl Parser {
    fn token(&self) -> &Token {
        &self.tokens[self.at]
    }

    fn kind(&self) -> Kind {
        self.token().kind
    }

    fn kind_after(&self) -> Kind {
        self.tokens.get(self.at + 1).map_or(Kind::End, |t| t.kind)
    }

    /// Moves on; the last token stays, so that there always is one.
    fn advance(&mut self) {
        if self.at + 1 < self.tokens.len() {
            self.at += 1;
        }
    }

    fn accept(&mut self, kind: Kind) -> bool {
        let found = self.kind() == kind;
        if found {
            self.advance();
        }
        found
    }

    fn expect(&mut self, kind: Kind) -> Parsed<()> {
        if self.accept(kind) { Ok(()) } else { self.unexpected(&[kind]) }
    }

    /// The text of the token here, which must be of this kind.
    fn expect_text(&mut self, kind: Kind) -> Parsed<String> {
        match &self.token().value {
            Value::Text(text) if self.kind() == kind => {
                let text = text.clone();
                self.advance();
                Ok(text)
            }
            _ => self.unexpected(&[kind]),
        }
    }

    fn end(&mut self) -> Parsed<()> {
        if self.kind() == Kind::End { Ok(()) } else { self.unexpected(&[]) }
    }

    /// The error of a token that does not fit here. More than four expectations are not listed.
    fn unexpected<T>(&self, expected: &[Kind]) -> Parsed<T> {
        let token = self.token();
        let message = match (&token.value, token.kind) {
            (Value::Text(message), Kind::Error) => message.clone(),
            (Value::Text(name), Kind::Function) => {
                format!("syntax error: unexpected {}{}", function(name).unwrap_or(name), expectations(expected))
            }
            (_, kind) => format!("syntax error: unexpected {}{}", kind.name(), expectations(expected)),
        };
        Err(ParseError { line: token.line, col: token.col, message })
    }

    /// Runs `parse` one level deeper.
    fn nested<T>(&mut self, parse: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        if self.depth >= DEPTH_MAX {
            let Token { line, col, .. } = *self.token();
            return Err(ParseError { line, col, message: format!("query nests deeper than {DEPTH_MAX} levels") });
        }
        self.depth += 1;
        let result = parse(self);
        self.depth -= 1;
        result
    }

    /// `( name, name )`; may be empty.
    fn names_in_parens(&mut self) -> Parsed<Vec<String>> {
        self.expect(Kind::OpenParen)?;
        let mut names = Vec::new();
        if self.accept(Kind::CloseParen) {
            return Ok(names);
        }
        loop {
            names.push(match self.kind() {
                Kind::Identifier => self.expect_text(Kind::Identifier)?,
                _ if names.is_empty() => return self.unexpected(&[Kind::Identifier, Kind::CloseParen]),
                _ => return self.unexpected(&[Kind::Identifier]),
            });
            if self.accept(Kind::CloseParen) {
                return Ok(names);
            }
            if !self.accept(Kind::Comma) {
                return self.unexpected(&[Kind::Comma, Kind::CloseParen]);
            }
        }
    }
}

fn expectations(expected: &[Kind]) -> String {
    const LISTED_MAX: usize = 4;
    if expected.is_empty() || expected.len() > LISTED_MAX {
        return String::new();
    }
    let mut kinds = expected.to_vec();
    kinds.sort_unstable();
    let names: Vec<_> = kinds.iter().map(|kind| kind.name()).collect();
    format!(", expecting {}", names.join(" or "))
}
