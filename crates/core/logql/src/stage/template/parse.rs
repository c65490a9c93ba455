//! From template text to nodes.

use super::{Expr, Node, functions::Function, value::Value};
use crate::row::Names;

/// How deep parentheses may nest.
const DEPTH_MAX: usize = 50;
/// Words that begin a control structure.
const CONTROL: &[&str] = &["if", "else", "end", "range", "with", "define", "template", "block", "break", "continue"];

pub(super) fn nodes(text: &str, names: &mut Names) -> Result<Vec<Node>, String> {
    let mut out = Vec::new();
    let mut rest = text;
    let mut trim_next = false;
    while !rest.is_empty() {
        let (before, behind) = match rest.split_once("{{") {
            Some((before, behind)) => (before, Some(behind)),
            None => (rest, None),
        };
        let mut literal = if trim_next { before.trim_start() } else { before };
        let Some(action) = behind else {
            push_text(&mut out, literal);
            break;
        };
        let (body, left_trim) = match action.strip_prefix('-') {
            Some(body) if body.starts_with(char::is_whitespace) => (body, true),
            _ => (action, false),
        };
        if left_trim {
            literal = literal.trim_end();
        }
        push_text(&mut out, literal);
        let end = action_end(body).ok_or("unclosed action")?;
        rest = &body[end + 2..];
        let inner = &body[..end];
        let (inner, right_trim) = match inner.strip_suffix('-') {
            Some(inner) if inner.ends_with(char::is_whitespace) => (inner, true),
            _ => (inner, false),
        };
        trim_next = right_trim;
        let inner = inner.trim();
        if inner.starts_with("/*") {
            continue;
        }
        out.push(action_node(inner, names)?);
    }
    Ok(out)
}

fn push_text(out: &mut Vec<Node>, text: &str) {
    if !text.is_empty() {
        out.push(Node::Text(text.as_bytes().to_vec()));
    }
}

/// Where `}}` is, outside of strings.
fn action_end(body: &str) -> Option<usize> {
    let bytes = body.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'}' if bytes.get(at + 1) == Some(&b'}') => return Some(at),
            b'"' => {
                at += 1;
                while at < bytes.len() && bytes[at] != b'"' {
                    at += if bytes[at] == b'\\' { 2 } else { 1 };
                }
            }
            b'`' => at += 1 + bytes[at + 1..].iter().position(|b| *b == b'`')?,
            _ => {}
        }
        at += 1;
    }
    None
}

fn action_node(text: &str, names: &mut Names) -> Result<Node, String> {
    let mut parser = Parser { rest: text, names, depth: 0 };
    let expr = parser.pipeline()?;
    parser.skip_blank();
    if !parser.rest.is_empty() {
        return Err(format!("unexpected {:?} in action", parser.rest));
    }
    Ok(match expr {
        Expr::Field(name) => Node::Field(name),
        expr => Node::Action(expr),
    })
}

struct Parser<'a> {
    rest: &'a str,
    names: &'a mut Names,
    depth: usize,
}

impl Parser<'_> {
    fn skip_blank(&mut self) {
        self.rest = self.rest.trim_start();
    }

    /// `command | function …`: the result of each becomes the last argument of the next.
    fn pipeline(&mut self) -> Result<Expr, String> {
        let mut value = self.command(None)?;
        loop {
            self.skip_blank();
            match self.rest.strip_prefix('|') {
                Some(rest) => {
                    self.rest = rest;
                    value = self.command(Some(value))?;
                }
                None => return Ok(value),
            }
        }
    }

    /// A function with its arguments, or a lone operand.
    fn command(&mut self, piped: Option<Expr>) -> Result<Expr, String> {
        self.skip_blank();
        let word = self.word();
        if word.is_empty() || matches!(word, "true" | "false" | "nil") {
            let operand = self.operand()?;
            return if piped.is_some() { Err("non executable command in pipeline".to_owned()) } else { Ok(operand) };
        }
        if CONTROL.contains(&word) {
            return Err(format!("template action {word:?} is not supported yet"));
        }
        let word = word.to_owned();
        self.rest = &self.rest[word.len()..];
        let mut arguments = Vec::new();
        loop {
            self.skip_blank();
            if self.rest.is_empty() || self.rest.starts_with(['|', ')']) {
                break;
            }
            arguments.push(self.operand()?);
        }
        arguments.extend(piped);
        call(&word, arguments)
    }

    /// The identifier here, empty if there is none.
    fn word(&self) -> &str {
        let end = self.rest.find(|c: char| c != '_' && !c.is_alphanumeric()).unwrap_or(self.rest.len());
        let word = &self.rest[..end];
        if word.starts_with(|c: char| c.is_ascii_digit()) { "" } else { word }
    }

    fn operand(&mut self) -> Result<Expr, String> {
        self.skip_blank();
        let rest = self.rest;
        match rest.chars().next() {
            Some('(') => {
                self.depth += 1;
                if self.depth > DEPTH_MAX {
                    return Err("template nests too deeply".to_owned());
                }
                self.rest = &rest[1..];
                let inner = self.pipeline()?;
                self.skip_blank();
                self.rest = self.rest.strip_prefix(')').ok_or("unclosed left paren")?;
                self.depth -= 1;
                Ok(inner)
            }
            Some('.') => {
                self.rest = &rest[1..];
                let name = self.word().to_owned();
                if name.is_empty() {
                    return Err("the label map \".\" as a value is not supported yet".to_owned());
                }
                self.rest = &self.rest[name.len()..];
                if self.rest.starts_with('.') {
                    return Err(format!("can't evaluate a field of .{name}"));
                }
                Ok(Expr::Field(self.names.id(&name)))
            }
            Some('"') => {
                let end = string_end(rest).ok_or("unterminated quoted string")?;
                let text = crate::syntax::unquote(&rest[1..end]).ok_or("invalid escape in string")?;
                self.rest = &rest[end + 1..];
                Ok(Expr::Literal(Value::Text(text)))
            }
            Some('`') => {
                let end = rest[1..].find('`').ok_or("unterminated raw quoted string")?;
                self.rest = &rest[end + 2..];
                Ok(Expr::Literal(Value::Text(rest[1..=end].to_owned())))
            }
            Some('$') => Err("template variables are not supported yet".to_owned()),
            Some(c) if c.is_ascii_digit() || c == '-' || c == '+' => self.number(),
            Some(_) => {
                let word = self.word().to_owned();
                self.rest = &rest[word.len()..];
                match word.as_str() {
                    "" => Err(format!("unexpected {rest:?} in operand")),
                    "true" => Ok(Expr::Literal(Value::Bool(true))),
                    "false" => Ok(Expr::Literal(Value::Bool(false))),
                    "nil" => Err("nil is not a command".to_owned()),
                    word => call(word, Vec::new()),
                }
            }
            None => Err("missing value for command".to_owned()),
        }
    }

    fn number(&mut self) -> Result<Expr, String> {
        let rest = self.rest;
        let end = rest[1..].find(|c: char| !c.is_ascii_alphanumeric() && c != '.').map_or(rest.len(), |end| end + 1);
        let text = &rest[..end];
        self.rest = &rest[end..];
        if let Ok(n) = text.parse() {
            return Ok(Expr::Literal(Value::Int(n)));
        }
        text.parse().map(|n| Expr::Literal(Value::Float(n))).map_err(|_| format!("bad number syntax: {text:?}"))
    }
}

fn string_end(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut at = 1;
    while at < bytes.len() {
        match bytes[at] {
            b'"' => return Some(at),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    None
}

fn call(name: &str, arguments: Vec<Expr>) -> Result<Expr, String> {
    match name {
        "__line__" if arguments.is_empty() => return Ok(Expr::Line),
        "__timestamp__" if arguments.is_empty() => return Ok(Expr::Timestamp),
        _ => {}
    }
    let function = Function::find(name).ok_or_else(|| format!("function {name:?} not defined"))?;
    let arity = function.arity();
    if !arity.contains(&arguments.len()) {
        let want = if arity.start() == arity.end() {
            arity.start().to_string()
        } else {
            format!("at least {}", arity.start())
        };
        return Err(format!("wrong number of args for {name}: want {want} got {}", arguments.len()));
    }
    // Regular expressions that are literals fail at once instead of on every line.
    if function.takes_regex()
        && let Some(Expr::Literal(Value::Text(pattern))) = arguments.first()
    {
        crate::regex_dialect::compile_text(pattern)?;
    }
    Ok(Expr::Call(function, arguments))
}
