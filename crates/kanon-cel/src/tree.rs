//! The shape of a syntax tree as indented lines, for people who ask how an expression was read: a node a line, with what it is
//! and its canonical text.

use crate::{
    ast::{Expr, Kind},
    print::print,
};

/// How much of a node's text is shown.
const MAX_TEXT: usize = 60;

/// See the module.
pub(crate) fn tree(expr: &Expr) -> String {
    let mut out = String::new();
    write(expr, 0, &mut out);
    out
}

fn write(expr: &Expr, depth: usize, out: &mut String) {
    let head = match &expr.kind {
        Kind::Literal(_) => "literal".to_owned(),
        Kind::Name(_) => "name".to_owned(),
        Kind::Select(it) => format!("{} {}", if it.optional { ".?" } else { "." }, quoted(it.quoted, &it.field)),
        Kind::Has(it) => format!("has {}", quoted(it.quoted, &it.field)),
        Kind::Index(it) => if it.optional { "[?]" } else { "[]" }.to_owned(),
        Kind::Call(it) if it.target.is_some() => format!("method {}", it.function),
        Kind::Call(it) => format!("call {}", pointed(it.absolute, &it.function)),
        Kind::Unary(it, _) => it.function().to_owned(),
        Kind::Binary(it, _) => it.function().to_owned(),
        Kind::Logic(it, _) => it.function().to_owned(),
        Kind::Conditional(_) => "_?_:_".to_owned(),
        Kind::List(it) => format!("list{}", marks(it.iter().map(|it| it.optional))),
        Kind::Map(it) => format!("map{}", marks(it.iter().map(|it| it.optional))),
        Kind::Message(it) => {
            let names: Vec<String> = it.fields.iter().map(|it| quoted(it.quoted, &it.name)).collect();
            let marks = marks(it.fields.iter().map(|it| it.optional));
            format!("message{marks} {} {}", pointed(it.name.absolute, &it.name.text), names.join(" "))
        }
        Kind::Loop(it) => {
            let names: Vec<&str> = it.variables.iter().map(|it| it.name.as_str()).collect();
            let filtered = if it.filter.is_some() { "?" } else { "" };
            format!("{}{filtered} {}", it.form.name(), names.join(" "))
        }
        Kind::Bind(it) => format!("bind {}", it.variable.name),
        Kind::Block(_) => "block".to_owned(),
    };
    let text = print(expr);
    let mut chars = text.chars();
    let shown: String = chars.by_ref().take(MAX_TEXT).collect();
    let rest = if chars.next().is_some() { "…" } else { "" };
    *out += &format!("{}{head}: {shown}{rest}\n", "  ".repeat(depth));
    expr.children(&mut |it| write(it, depth + 1, out));
}

fn pointed(absolute: bool, name: &str) -> String {
    format!("{}{name}", if absolute { "." } else { "" })
}

fn quoted(quoted: bool, name: &str) -> String {
    if quoted { format!("`{name}`") } else { name.to_owned() }
}

/// Which elements are optional: `?` for those that are, `-` for others; nothing where none is.
fn marks(optional: impl Iterator<Item = bool>) -> String {
    let marks: String = optional.map(|it| if it { '?' } else { '-' }).collect();
    if marks.contains('?') { marks } else { String::new() }
}
