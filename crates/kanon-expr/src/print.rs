//! The canonical text of a tree: reading it gives the same tree. Brackets stand where they are needed, `.name` rather than
//! `["name"]`, `&&` rather than `and`; what is longer than a line is broken at its operators and commas.
//!
//! Texts are made from the leaves up, in one loop, so that no tree is too deep to print; only breaking lines follows the
//! nesting, to a bound.

mod layout;

use std::fmt::Write as _;

use crate::{
    ast::{BinaryOp, Id, Kind, Tree, UnaryOp},
    lexer::{OPERATOR_WORDS, is_word_char, is_word_start},
};

/// What is wider is broken into lines.
const WIDTH: usize = 100;

/// The canonical text.
pub(crate) fn print(tree: &Tree) -> String {
    let flat = Flat::of(tree);
    layout::lay_out(&flat, tree)
}

/// How tightly what never needs brackets binds.
const PRIMARY: u16 = 1000;
const COMPARISON: u16 = 20;
const NOT: u16 = 50;
const SIGN: u16 = 90;

/// One line for every node, without brackets of its own.
struct Flat<'t> {
    tree: &'t Tree,
    texts: Vec<String>,
    /// The last operand of a chain of comparisons, `1 < x <= 3`.
    chains: Vec<Option<Id>>,
}

impl<'t> Flat<'t> {
    fn of(tree: &'t Tree) -> Flat<'t> {
        let mut flat = Flat { tree, texts: Vec::with_capacity(tree.nodes.len()), chains: Vec::new() };
        for node in &tree.nodes {
            let chain = flat.chain(&node.kind);
            flat.chains.push(chain);
            let text = flat.node(&node.kind, chain.is_some());
            flat.texts.push(text);
        }
        flat
    }

    fn kind(&self, id: Id) -> &'t Kind {
        &self.tree.get(id).kind
    }

    fn text(&self, id: Id) -> &str {
        &self.texts[id.at()]
    }

    /// The last operand of comparisons that share their operands.
    fn chain(&self, kind: &Kind) -> Option<Id> {
        let pair = |id: Id| match self.kind(id) {
            Kind::Binary(op, left, right) if op.is_comparison() => Some((*left, *right)),
            _ => None,
        };
        let Kind::Binary(BinaryOp::And, left, right) = kind else { return None };
        let last = self.chains[left.at()].or_else(|| pair(*left).map(|it| it.1))?;
        pair(*right).filter(|it| it.0 == last).map(|it| it.1)
    }

    /// How tightly a node binds.
    fn precedence(&self, id: Id) -> u16 {
        match self.kind(id) {
            _ if self.chains[id.at()].is_some() => COMPARISON,
            Kind::Binary(op, ..) => op.precedence(),
            Kind::Unary(UnaryOp::Not, operand) if self.negated(*operand).is_some() => COMPARISON,
            Kind::Unary(UnaryOp::Not, _) => NOT,
            Kind::Unary(..) => SIGN,
            Kind::Conditional { .. } | Kind::Let { .. } | Kind::Sequence(_) => 0,
            Kind::Chain(inner) => self.precedence(*inner),
            _ => PRIMARY,
        }
    }

    /// The parts of `a in b` behind a `not`, which is written `a not in b`.
    fn negated(&self, id: Id) -> Option<(BinaryOp, Id, Id)> {
        match self.kind(id) {
            Kind::Binary(op, left, right) if op.may_be_negated() => Some((*op, *left, *right)),
            _ => None,
        }
    }

    fn bracketed(&self, id: Id, needed: bool) -> String {
        if needed { format!("({})", self.text(id)) } else { self.text(id).to_owned() }
    }

    fn left(&self, op: BinaryOp, id: Id) -> String {
        let (own, of) = (op.precedence(), self.precedence(id));
        let needed = of < own
            || (of == own && op == BinaryOp::Power)
            || (of == COMPARISON && op.is_comparison() && self.compares(id))
            || self.swallows(id, own)
            || (op != BinaryOp::Coalesce && self.is_choice(id));
        self.bracketed(id, needed)
    }

    fn right(&self, op: BinaryOp, id: Id) -> String {
        let (own, of) = (op.precedence(), self.precedence(id));
        let needed = of < own
            || (of == own && op != BinaryOp::Power)
            || self.swallows(id, own)
            || self.is_choice(id)
            // `1...x` would be read otherwise.
            || (op == BinaryOp::Range && self.text(id).starts_with('.'));
        self.bracketed(id, needed)
    }

    fn compares(&self, id: Id) -> bool {
        self.chains[id.at()].is_some() || matches!(self.kind(id), Kind::Binary(op, ..) if op.is_comparison())
    }

    /// Whether a sign in front would take what follows to itself.
    fn swallows(&self, id: Id, precedence: u16) -> bool {
        match self.kind(id) {
            Kind::Unary(UnaryOp::Not, operand) => self.negated(*operand).is_none() && precedence >= NOT,
            Kind::Unary(..) => precedence >= SIGN,
            _ => false,
        }
    }

    fn is_choice(&self, id: Id) -> bool {
        matches!(self.kind(id), Kind::Binary(BinaryOp::Coalesce, ..))
    }

    /// An expression where any may stand, but for declarations and sequences.
    fn item(&self, id: Id) -> String {
        self.bracketed(id, matches!(self.kind(id), Kind::Let { .. } | Kind::Sequence(_)))
    }

    fn items(&self, ids: &[Id]) -> String {
        ids.iter().map(|id| self.item(*id)).collect::<Vec<_>>().join(", ")
    }

    /// An expression before which a `:` must not be mistaken.
    fn bound(&self, id: Option<Id>) -> String {
        id.map_or(String::new(), |id| self.bracketed(id, self.precedence(id) == 0))
    }

    fn base(&self, id: Id) -> String {
        let number = matches!(self.kind(id), Kind::Int(_) | Kind::Float(_));
        self.bracketed(id, number || self.precedence(id) < PRIMARY)
    }

    fn node(&self, kind: &Kind, chain: bool) -> String {
        match kind {
            Kind::Nil => "nil".to_owned(),
            Kind::Bool(bool) => bool.to_string(),
            Kind::Int(int) => int.to_string(),
            Kind::Float(float) => format!("{float:?}"),
            Kind::Str(text) => quoted(text),
            Kind::Bytes(bytes) => quoted_bytes(bytes),
            // Nothing is declared where texts are laid out: every variable is a name.
            Kind::Variable(_) => String::new(),
            Kind::Unbound(name) => name.to_string(),
            Kind::Local { slot, .. } => self.local(*slot).to_owned(),
            Kind::Environment => "$env".to_owned(),
            Kind::Element { .. } => "#".to_owned(),
            Kind::Index(_) => "#index".to_owned(),
            Kind::Accumulator(_) => "#acc".to_owned(),
            Kind::Unary(op, operand) => self.unary(*op, *operand),
            Kind::Binary(_, left, right) if chain => {
                let Kind::Binary(op, _, last) = self.kind(*right) else { return String::new() };
                format!("{} {} {}", self.text(*left), op.sign(), self.right(*op, *last))
            }
            Kind::Binary(BinaryOp::Range, left, right) => {
                format!("{}..{}", self.left(BinaryOp::Range, *left), self.right(BinaryOp::Range, *right))
            }
            Kind::Binary(op, left, right) => {
                format!("{} {} {}", self.left(*op, *left), op.sign(), self.right(*op, *right))
            }
            Kind::Member { base, key, optional } => self.member(*base, *key, *optional),
            Kind::Chain(inner) | Kind::Predicate(inner) => self.text(*inner).to_owned(),
            Kind::Slice { base, from, to } => {
                format!("{}[{}:{}]", self.base(*base), self.bound(*from), self.bound(*to))
            }
            Kind::Call { callee, args, .. } => format!("{}({})", self.text(*callee), self.items(args)),
            Kind::Function { name, args, .. } => format!("{name}({})", self.items(args)),
            Kind::Builtin { builtin, args } => {
                let args: Vec<String> = args.iter().map(|id| self.argument(*id)).collect();
                format!("{}({})", builtin.name(), args.join(", "))
            }
            Kind::Conditional { condition, yes, no } => {
                let test = self.bracketed(*condition, self.precedence(*condition) == 0);
                if condition == yes {
                    format!("{test} ?: {}", self.item(*no))
                } else {
                    format!("{test} ? {} : {}", self.bound(Some(*yes)), self.item(*no))
                }
            }
            Kind::Let { slot, value, body, .. } => {
                format!("let {} = {}; {}", self.local(*slot), self.item(*value), self.text(*body))
            }
            Kind::Sequence(items) => {
                let last = items.len().saturating_sub(1);
                // A declaration that is not the last would take the rest into its scope.
                let item = |(at, id): (usize, &Id)| match self.kind(*id) {
                    Kind::Let { .. } if at == last => self.text(*id).to_owned(),
                    _ => self.item(*id),
                };
                items.iter().enumerate().map(item).collect::<Vec<_>>().join("; ")
            }
            Kind::List(items) => format!("[{}]", self.items(items)),
            Kind::Map(items) => {
                let pair = |pair: &[Id]| format!("{}: {}", self.map_key(pair[0]), self.item(pair[1]));
                format!("{{{}}}", items.chunks_exact(2).map(pair).collect::<Vec<_>>().join(", "))
            }
            // Rewriting comes after reading; what it makes is not printed.
            Kind::Among { .. } | Kind::Select { .. } | Kind::AtLeast { .. } | Kind::SumOf(_) => String::new(),
        }
    }

    fn local(&self, slot: u16) -> &'t str {
        self.tree.locals.get(usize::from(slot)).map_or("", |name| name)
    }

    fn unary(&self, op: UnaryOp, operand: Id) -> String {
        if let (UnaryOp::Not, Some((inner, left, right))) = (op, self.negated(operand)) {
            return format!("{} not {} {}", self.left(inner, left), inner.sign(), self.right(inner, right));
        }
        let same = matches!(self.kind(operand), Kind::Unary(inner, of) if *inner == op && self.negated(*of).is_none());
        let operand = self.bracketed(operand, !same && self.precedence(operand) < PRIMARY);
        let sign = match op {
            UnaryOp::Not => "!",
            UnaryOp::Minus => "-",
            UnaryOp::Plus => "+",
        };
        format!("{sign}{operand}")
    }

    fn member(&self, base: Id, key: Id, optional: bool) -> String {
        let mark = if optional { "?." } else { "" };
        let name = match self.kind(key) {
            // After the end of a chain, a name in brackets is not a part of it.
            Kind::Str(name) if is_name(name) && !matches!(self.kind(base), Kind::Chain(_)) => name,
            _ => return format!("{}{mark}[{}]", self.base(base), self.item(key)),
        };
        match self.kind(base) {
            Kind::Element { .. } if !optional => format!(".{name}"),
            _ => format!("{}{}{name}", self.base(base), if optional { "?." } else { "." }),
        }
    }

    /// An argument of a built-in; predicates have braces where they need them.
    fn argument(&self, id: Id) -> String {
        let Kind::Predicate(body) = self.kind(id) else { return self.item(id) };
        let braces =
            matches!(self.kind(*body), Kind::Let { .. } | Kind::Sequence(_)) || self.text(*body).starts_with('{');
        if braces { format!("{{{}}}", self.text(*body)) } else { self.text(*body).to_owned() }
    }

    fn map_key(&self, id: Id) -> String {
        match self.kind(id) {
            Kind::Str(name) if is_name(name) && !OPERATOR_WORDS.contains(&&**name) => name.to_string(),
            Kind::Str(name) => quoted(name),
            _ => format!("({})", self.text(id)),
        }
    }
}

/// Whether a text can stand behind a point.
fn is_name(text: &str) -> bool {
    text.starts_with(is_word_start) && text.chars().all(is_word_char)
}

fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

fn quoted_bytes(bytes: &[u8]) -> String {
    let mut out = String::from("b\"");
    for byte in bytes {
        match byte {
            b'"' | b'\\' => out.extend(['\\', char::from(*byte)]),
            b' '..=b'~' => out.push(char::from(*byte)),
            byte => {
                let _ = write!(out, "\\x{byte:02x}");
            }
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests;
