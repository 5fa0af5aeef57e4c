//! The tree as indented lines, for people who ask how a text was read.

use crate::ast::{Id, Kind, Tree, UnaryOp};

/// How much of a node's text is shown.
const TEXT_MAX: usize = 60;

/// Deeper nodes are not moved further to the right.
const INDENT_MAX: usize = 60;

/// One line a node, parents before children: what it is, and its text.
pub(crate) fn outline(tree: &Tree, source: &str) -> String {
    let mut out = String::new();
    let mut open = vec![(Id(tree.nodes.len() as u32 - 1), 0)];
    while let Some((id, depth)) = open.pop() {
        let node = tree.get(id);
        let text = source.get(node.span.start as usize..node.span.end as usize).unwrap_or_default();
        out.push_str(&"  ".repeat(depth.min(INDENT_MAX)));
        out.push_str(&name(tree, &node.kind));
        let text = shortened(text);
        if !text.is_empty() {
            out.push_str("  ");
            out.push_str(&text);
        }
        out.push('\n');
        let mut children = Vec::new();
        node.kind.children(|child| children.push((child, depth + 1)));
        open.extend(children.into_iter().rev());
    }
    out
}

fn shortened(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(TEXT_MAX) {
        Some((at, _)) => format!("{}…", &line[..at]),
        None => line,
    }
}

fn name(tree: &Tree, kind: &Kind) -> String {
    match kind {
        Kind::Nil => "nil".to_owned(),
        Kind::Bool(_) => "boolean".to_owned(),
        Kind::Int(_) => "integer".to_owned(),
        Kind::Float(_) => "number".to_owned(),
        Kind::Str(_) => "string".to_owned(),
        Kind::Bytes(_) => "bytes".to_owned(),
        Kind::Variable(_) | Kind::Unbound(_) => "name".to_owned(),
        Kind::Local { .. } => "local".to_owned(),
        Kind::Environment => "environment".to_owned(),
        Kind::Element { .. } => "element".to_owned(),
        Kind::Index(_) => "index".to_owned(),
        Kind::Accumulator(_) => "accumulator".to_owned(),
        Kind::Unary(UnaryOp::Not, _) => "not".to_owned(),
        Kind::Unary(..) => "sign".to_owned(),
        Kind::Binary(op, ..) => format!("operator {}", op.sign()),
        Kind::Member { optional: true, .. } => "optional member".to_owned(),
        Kind::Member { .. } => "member".to_owned(),
        Kind::Chain(_) => "chain".to_owned(),
        Kind::Slice { .. } => "slice".to_owned(),
        Kind::Call { .. } => "call".to_owned(),
        Kind::Function { name, .. } => format!("function {name}"),
        Kind::Builtin { builtin, .. } => format!("built-in {}", builtin.name()),
        Kind::Predicate(_) => "predicate".to_owned(),
        Kind::Conditional { .. } => "conditional".to_owned(),
        Kind::Let { slot, .. } => {
            format!("let {}", tree.locals.get(usize::from(*slot)).map_or("", |name| name))
        }
        Kind::Sequence(_) => "sequence".to_owned(),
        Kind::List(_) => "list".to_owned(),
        Kind::Map(_) => "map".to_owned(),
        Kind::Among { .. } => "operator in".to_owned(),
        Kind::Select { builtin, .. } => format!("built-in {}", builtin.name()),
        Kind::AtLeast { .. } => "built-in count".to_owned(),
        Kind::SumOf(_) => "built-in sum".to_owned(),
    }
}
