//! Templates of `line_format` and `label_format`: text with `{{ actions }}`.
//!
//! Fields, pipelines, parentheses, literals and functions; one file for the functions. Control
//! structures and variables are refused with their name until they have an evaluation.

mod functions;
mod parse;
mod value;

use smallvec::SmallVec;

use super::RowContext;
use crate::row::{NameId, Names};
use functions::Function;
use value::Value;

/// A parsed template.
#[derive(Clone, Debug)]
pub(crate) struct Template {
    nodes: Vec<Node>,
    labels: SmallVec<[NameId; 8]>,
    reads_line: bool,
}

#[derive(Clone, Debug)]
enum Node {
    Text(Vec<u8>),
    /// `{{.name}}` alone: copied without further ado.
    Field(NameId),
    Action(Expr),
}

#[derive(Clone, Debug)]
enum Expr {
    Field(NameId),
    Literal(Value),
    Line,
    Timestamp,
    Call(Function, Vec<Expr>),
}

impl Template {
    /// Parses a template.
    ///
    /// # Errors
    /// What is wrong with it or not supported.
    pub(crate) fn parse(text: &str, names: &mut Names) -> Result<Self, String> {
        let nodes = parse::nodes(text, names)?;
        let mut template = Self { nodes: Vec::new(), labels: SmallVec::new(), reads_line: false };
        for node in &nodes {
            match node {
                Node::Text(_) => {}
                Node::Field(name) => template.labels.push(*name),
                Node::Action(expr) => template.note(expr),
            }
        }
        template.nodes = nodes;
        Ok(template)
    }

    fn note(&mut self, expr: &Expr) {
        match expr {
            Expr::Field(name) => self.labels.push(*name),
            Expr::Line => self.reads_line = true,
            Expr::Literal(_) | Expr::Timestamp => {}
            Expr::Call(_, arguments) => arguments.iter().for_each(|argument| self.note(argument)),
        }
    }

    /// The labels the template reads; `None` when it may read any.
    pub(crate) fn labels(&self) -> Option<&[NameId]> {
        Some(&self.labels)
    }

    pub(super) fn reads_line(&self) -> bool {
        self.reads_line
    }

    /// Appends what the template makes of a row.
    ///
    /// # Errors
    /// A function that does not work on its arguments; `out` may hold part of the text then.
    pub(super) fn render(&self, row: &RowContext<'_>, out: &mut Vec<u8>) -> Result<(), String> {
        for node in &self.nodes {
            match node {
                Node::Text(text) => out.extend_from_slice(text),
                Node::Field(name) => out.extend_from_slice(row.labels.get(row.view, *name).unwrap_or_default()),
                Node::Action(expr) => eval(expr, row)?.write(out),
            }
        }
        Ok(())
    }
}

fn eval(expr: &Expr, row: &RowContext<'_>) -> Result<Value, String> {
    let text = |bytes: &[u8]| Value::Text(String::from_utf8_lossy(bytes).into_owned());
    Ok(match expr {
        Expr::Field(name) => text(row.labels.get(row.view, *name).unwrap_or_default()),
        Expr::Literal(value) => value.clone(),
        Expr::Line => text(row.line.get(row.original)),
        Expr::Timestamp => Value::Int(row.timestamp),
        Expr::Call(function, arguments) => {
            let values: SmallVec<[Value; 4]> = arguments.iter().map(|a| eval(a, row)).collect::<Result<_, _>>()?;
            function.call(&values)?
        }
    })
}
