//! Breaking what is wider than a line: operands of `&&`, `||` and `??` stand below each other, arguments and members on lines
//! of their own, two blanks further in.

use super::{Flat, WIDTH};
use crate::ast::{BinaryOp, Id, Kind, Tree};

/// How deep lines are broken; beyond, they stay as long as they are.
const MAX_BROKEN: usize = 40;

pub(super) fn lay_out(flat: &Flat<'_>, tree: &Tree) -> String {
    let mut layout = Layout { flat, out: String::new() };
    let root = Id(tree.nodes.len() as u32 - 1);
    layout.node(root, 0);
    layout.out
}

struct Layout<'f, 't> {
    flat: &'f Flat<'t>,
    out: String,
}

impl Layout<'_, '_> {
    /// Room left in a line that is indented so far.
    fn fits(&self, id: Id, indent: usize) -> bool {
        self.flat.text(id).len() + indent * 2 <= WIDTH || indent >= MAX_BROKEN
    }

    fn line(&mut self, indent: usize) {
        self.out.push('\n');
        self.out.push_str(&"  ".repeat(indent));
    }

    fn node(&mut self, id: Id, indent: usize) {
        if self.fits(id, indent) {
            return self.out.push_str(self.flat.text(id));
        }
        let kind = self.flat.kind(id);
        match kind {
            Kind::Binary(op @ (BinaryOp::And | BinaryOp::Or | BinaryOp::Coalesce), ..)
                if self.flat.chains[id.at()].is_none() =>
            {
                self.operands(*op, id, indent);
            }
            Kind::Let { slot, value, body, .. } => {
                self.out.push_str(&format!("let {} = ", self.flat.local(*slot)));
                self.item(*value, indent);
                self.out.push(';');
                self.line(indent);
                self.node(*body, indent);
            }
            Kind::Sequence(items) => {
                let last = items.len().saturating_sub(1);
                for (at, item) in items.iter().enumerate() {
                    match self.flat.kind(*item) {
                        Kind::Let { .. } if at == last => self.node(*item, indent),
                        _ => self.item(*item, indent),
                    }
                    if at != last {
                        self.out.push(';');
                        self.line(indent);
                    }
                }
            }
            Kind::Conditional { condition, yes, no } if condition != yes => {
                self.wrapped(*condition, self.flat.precedence(*condition) == 0, indent);
                self.line(indent + 1);
                self.out.push_str("? ");
                self.wrapped(*yes, self.flat.precedence(*yes) == 0, indent + 1);
                self.line(indent + 1);
                self.out.push_str(": ");
                self.item(*no, indent + 1);
            }
            Kind::List(items) => self.list("[", items.iter().map(|id| (String::new(), *id)), "]", indent),
            Kind::Map(items) => {
                let flat = self.flat;
                let pairs = items.chunks_exact(2).map(|pair| (format!("{}: ", flat.map_key(pair[0])), pair[1]));
                self.list("{", pairs, "}", indent);
            }
            Kind::Function { name, args, .. } => {
                let open = format!("{name}(");
                self.list(&open, args.iter().map(|id| (String::new(), *id)), ")", indent);
            }
            Kind::Builtin { builtin, args } => {
                let open = format!("{}(", builtin.name());
                self.list(&open, args.iter().map(|id| (String::new(), *id)), ")", indent);
            }
            Kind::Call { callee, args, .. } if self.flat.text(*callee).len() + indent * 2 < WIDTH => {
                let open = format!("{}(", self.flat.text(*callee));
                self.list(&open, args.iter().map(|id| (String::new(), *id)), ")", indent);
            }
            Kind::Chain(inner) => self.node(*inner, indent),
            _ => self.out.push_str(self.flat.text(id)),
        }
    }

    fn wrapped(&mut self, id: Id, brackets: bool, indent: usize) {
        if !brackets || self.fits(id, indent) {
            let text = if brackets { format!("({})", self.flat.text(id)) } else { String::new() };
            return if brackets { self.out.push_str(&text) } else { self.node(id, indent) };
        }
        self.out.push('(');
        self.line(indent + 1);
        self.node(id, indent + 1);
        self.line(indent);
        self.out.push(')');
    }

    fn item(&mut self, id: Id, indent: usize) {
        self.wrapped(id, matches!(self.flat.kind(id), Kind::Let { .. } | Kind::Sequence(_)), indent);
    }

    /// `a && b && c`, one below the other.
    fn operands(&mut self, op: BinaryOp, id: Id, indent: usize) {
        let mut operands = Vec::new();
        let mut first = id;
        while let Kind::Binary(inner, left, right) = self.flat.kind(first)
            && *inner == op
            && self.flat.chains[first.at()].is_none()
        {
            operands.push(*right);
            first = *left;
        }
        // What the flat text has in brackets keeps them.
        let brackets = self.flat.left(op, first).len() != self.flat.text(first).len();
        self.wrapped(first, brackets, indent);
        for operand in operands.into_iter().rev() {
            self.line(indent);
            self.out.push_str(op.sign());
            self.out.push(' ');
            let brackets = self.flat.right(op, operand).len() != self.flat.text(operand).len();
            self.wrapped(operand, brackets, indent);
        }
    }

    fn list(&mut self, open: &str, items: impl Iterator<Item = (String, Id)>, close: &str, indent: usize) {
        self.out.push_str(open);
        let mut any = false;
        for (before, id) in items {
            if any {
                self.out.push(',');
            }
            any = true;
            self.line(indent + 1);
            self.out.push_str(&before);
            match self.flat.kind(id) {
                Kind::Predicate(body) if self.flat.argument(id).starts_with('{') => {
                    self.out.push('{');
                    self.line(indent + 2);
                    self.node(*body, indent + 2);
                    self.line(indent + 1);
                    self.out.push('}');
                }
                Kind::Predicate(body) => self.node(*body, indent + 1),
                _ => self.item(id, indent + 1),
            }
        }
        self.line(indent);
        self.out.push_str(close);
    }
}
