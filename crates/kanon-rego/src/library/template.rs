//! `strings.render_template`: the part of Go's templates that policies use: values by path, `if`, `range`, `with`, `else`,
//! variables, and trimming. Functions and nested templates are not offered. Output and nesting are bounded.

use regorus::Value;

use super::{State, operand, text, text::show, wrong};

/// Bytes that may come out.
const MAX_OUTPUT: usize = 1 << 20;

/// Blocks in blocks.
const MAX_NESTING: usize = 32;

enum Node {
    Text(String),
    Show(Path),
    /// `if` and `with`: what is asked, what follows, and otherwise.
    Choice {
        path: Path,
        narrows: bool,
        then: Vec<Node>,
        otherwise: Vec<Node>,
    },
    Range {
        names: Vec<String>,
        path: Path,
        each: Vec<Node>,
        otherwise: Vec<Node>,
    },
}

/// `.a.b` or `$x.a`.
struct Path {
    variable: Option<String>,
    fields: Vec<String>,
}

pub(super) fn render(_: &State, args: &[Value]) -> Result<Value, String> {
    let source = text(args, 0)?;
    let Value::Object(_) = operand(args, 1) else { return Err(wrong(1, "object", operand(args, 1))) };
    let mut pieces = pieces(source)?.into_iter();
    let (nodes, end) = block(&mut pieces, 0)?;
    if end.is_some() {
        return Err("unexpected {{end}}".to_owned());
    }
    let mut run = Run { out: String::new(), variables: vec![("$".to_owned(), operand(args, 1).clone())] };
    run.all(&nodes, operand(args, 1))?;
    Ok(Value::from(run.out))
}

enum Piece {
    Text(String),
    Action(String),
}

fn pieces(source: &str) -> Result<Vec<Piece>, String> {
    let mut out = Vec::new();
    let mut rest = source;
    let mut trim = false;
    while let Some((before, after)) = rest.split_once("{{") {
        let (action, after) = after.split_once("}}").ok_or("unclosed action")?;
        let before = if trim { before.trim_start() } else { before };
        let (action, left) = match action.strip_prefix('-').filter(|it| it.starts_with(char::is_whitespace)) {
            Some(action) => (action, true),
            None => (action, false),
        };
        let (action, right) = match action.strip_suffix('-').filter(|it| it.ends_with(char::is_whitespace)) {
            Some(action) => (action, true),
            None => (action, false),
        };
        out.push(Piece::Text(if left { before.trim_end() } else { before }.to_owned()));
        if !action.trim().starts_with("/*") {
            out.push(Piece::Action(action.trim().to_owned()));
        }
        (rest, trim) = (after, right);
    }
    out.push(Piece::Text(if trim { rest.trim_start() } else { rest }.to_owned()));
    Ok(out)
}

/// Nodes up to an `end` or `else`, which is given back.
fn block(pieces: &mut std::vec::IntoIter<Piece>, depth: usize) -> Result<(Vec<Node>, Option<String>), String> {
    if depth > MAX_NESTING {
        return Err("the template is nested too deeply".to_owned());
    }
    let mut nodes = Vec::new();
    while let Some(piece) = pieces.next() {
        let action = match piece {
            Piece::Text(text) => {
                nodes.push(Node::Text(text));
                continue;
            }
            Piece::Action(action) => action,
        };
        let (word, rest) = action.split_once(char::is_whitespace).unwrap_or((action.as_str(), ""));
        match word {
            "end" | "else" => return Ok((nodes, Some(action))),
            "if" | "with" | "range" => nodes.push(compound(word, rest.trim(), pieces, depth + 1)?),
            _ => nodes.push(Node::Show(path(&action)?)),
        }
    }
    Ok((nodes, None))
}

fn compound(word: &str, what: &str, pieces: &mut std::vec::IntoIter<Piece>, depth: usize) -> Result<Node, String> {
    let (then, end) = block(pieces, depth)?;
    let otherwise = match end.as_deref() {
        Some("end") => Vec::new(),
        Some("else") => {
            let (nodes, end) = block(pieces, depth)?;
            if end.as_deref() != Some("end") {
                return Err(format!("{{{{{word}}}}} is not closed"));
            }
            nodes
        }
        Some(other) if other.starts_with("else if ") => {
            vec![compound("if", other.trim_start_matches("else if ").trim(), pieces, depth + 1)?]
        }
        _ => return Err(format!("{{{{{word}}}}} is not closed")),
    };
    if word != "range" {
        return Ok(Node::Choice { path: path(what)?, narrows: word == "with", then, otherwise });
    }
    let (names, what) = match what.split_once(":=") {
        Some((names, what)) => (names.split(',').map(|it| it.trim().to_owned()).collect(), what.trim()),
        None => (Vec::new(), what),
    };
    if names.len() > 2 || names.iter().any(|name: &String| !name.starts_with('$')) {
        return Err("range declares one or two variables".to_owned());
    }
    Ok(Node::Range { names, path: path(what)?, each: then, otherwise })
}

fn path(text: &str) -> Result<Path, String> {
    let unknown = || format!("`{text}` is not offered in templates: only values by path are");
    let (variable, rest) = match text.strip_prefix('$') {
        Some(_) => {
            let end = text.find('.').unwrap_or(text.len());
            (Some(text[..end].to_owned()), &text[end..])
        }
        None => (None, text),
    };
    if variable.is_none() && !rest.starts_with('.') {
        return Err(unknown());
    }
    let fields: Vec<String> = rest.split('.').skip(1).filter(|it| !it.is_empty()).map(str::to_owned).collect();
    let name = |it: &String| it.chars().all(|c| c == '_' || c.is_alphanumeric());
    if !fields.iter().all(name)
        || !variable.iter().all(|it| it.trim_start_matches('$').chars().all(|c| c == '_' || c.is_alphanumeric()))
    {
        return Err(unknown());
    }
    Ok(Path { variable, fields })
}

struct Run {
    out: String,
    variables: Vec<(String, Value)>,
}

impl Run {
    fn value(&self, path: &Path, dot: &Value) -> Result<Value, String> {
        let mut value = match &path.variable {
            None => dot.clone(),
            Some(name) => {
                let found = self.variables.iter().rev().find(|it| it.0 == *name);
                found.map(|it| it.1.clone()).ok_or_else(|| format!("undefined variable `{name}`"))?
            }
        };
        for field in &path.fields {
            value = match &value {
                Value::Object(members) => {
                    members.get(&Value::from(field.as_str())).cloned().unwrap_or(Value::Undefined)
                }
                _ => Value::Undefined,
            };
        }
        Ok(value)
    }

    fn all(&mut self, nodes: &[Node], dot: &Value) -> Result<(), String> {
        nodes.iter().try_for_each(|node| self.one(node, dot))
    }

    fn one(&mut self, node: &Node, dot: &Value) -> Result<(), String> {
        if self.out.len() > MAX_OUTPUT {
            return Err(format!("the text is longer than {MAX_OUTPUT} bytes"));
        }
        match node {
            Node::Text(text) => self.out.push_str(text),
            Node::Show(path) => match self.value(path, dot)? {
                Value::Undefined => self.out.push_str("<undefined>"),
                value => shown(&value, &mut self.out),
            },
            Node::Choice { path, narrows, then, otherwise } => {
                let value = self.value(path, dot)?;
                if truthy(&value) {
                    self.all(then, if *narrows { &value } else { dot })?;
                } else {
                    self.all(otherwise, dot)?;
                }
            }
            Node::Range { names, path, each, otherwise } => {
                let pairs: Vec<(Value, Value)> = match self.value(path, dot)? {
                    Value::Array(items) => {
                        items.iter().enumerate().map(|(at, it)| (Value::from(at), it.clone())).collect()
                    }
                    Value::Set(items) => {
                        items.iter().enumerate().map(|(at, it)| (Value::from(at), it.clone())).collect()
                    }
                    Value::Object(members) => members.iter_sorted().map(|(k, v)| (k.clone(), v.clone())).collect(),
                    Value::Undefined | Value::Null => Vec::new(),
                    other => return Err(format!("range cannot go through {other}")),
                };
                if pairs.is_empty() {
                    return self.all(otherwise, dot);
                }
                for (key, value) in pairs {
                    let before = self.variables.len();
                    let values = if names.len() == 2 { vec![key, value.clone()] } else { vec![value.clone()] };
                    self.variables.extend(names.iter().cloned().zip(values));
                    self.all(each, &value)?;
                    self.variables.truncate(before);
                }
            }
        }
        Ok(())
    }
}

/// As Go shows it.
fn shown(value: &Value, out: &mut String) {
    match value {
        Value::Array(items) => {
            out.push('[');
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    out.push(' ');
                }
                shown(item, out);
            }
            out.push(']');
        }
        Value::Object(members) => {
            out.push_str("map[");
            for (at, (key, item)) in members.iter_sorted().enumerate() {
                if at > 0 {
                    out.push(' ');
                }
                shown(key, out);
                out.push(':');
                shown(item, out);
            }
            out.push(']');
        }
        Value::Null => out.push_str("<nil>"),
        other => show(other, out, true),
    }
}

/// Neither empty nor zero.
fn truthy(value: &Value) -> bool {
    match value {
        Value::Null | Value::Undefined | Value::Bool(false) => false,
        Value::Bool(true) => true,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Set(items) => !items.is_empty(),
        Value::Object(members) => !members.is_empty(),
    }
}
