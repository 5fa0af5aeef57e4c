//! The parsed expression: a flat list of nodes in which children stand before their parents, so that every later pass
//! is a loop and nothing recurses over it, whatever its depth.

use kanon_lang::Span;

use crate::builtins::Builtin;

/// Position of a node in [`Tree::nodes`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Id(pub(crate) u32);

impl Id {
    pub(crate) fn at(self) -> usize {
        self.0 as usize
    }
}

/// A parsed expression. INVARIANT: at least one node; the last is the root.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    pub(crate) nodes: Vec<Node>,
    /// How many slots for `let` variables it needs.
    pub(crate) locals: u16,
}

#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) kind: Kind,
    /// The whole sub-expression.
    pub(crate) span: Span,
    /// Where messages about it point: the operator, the member's name.
    pub(crate) at: Span,
}

#[derive(Debug)]
pub(crate) enum Kind {
    Nil,
    Bool(bool),
    Int(i64),
    Float(f64),
    Str(Box<str>),
    Bytes(Box<[u8]>),
    /// A variable of the environment, by slot.
    Variable(usize),
    /// A name that the environment does not have: nil. Functions and built-ins read so too, but have a type.
    Unbound(Box<str>),
    /// A `let` variable: its slot and the node that is its value.
    Local {
        slot: u16,
        value: Id,
    },
    /// `$env`
    Environment,
    /// `#`, the element of the innermost predicate over `collection`.
    Element {
        collection: Id,
    },
    /// `#index`
    Index,
    /// `#acc`
    Accumulator,
    Unary(UnaryOp, Id),
    Binary(BinaryOp, Id, Id),
    Member {
        base: Id,
        key: Id,
        optional: bool,
    },
    /// The end of a `?.` chain: nil members inside end the whole of it.
    Chain(Id),
    Slice {
        base: Id,
        from: Option<Id>,
        to: Option<Id>,
    },
    /// A call of a value; `method` when it is written `a.b(…)`.
    Call {
        callee: Id,
        args: Vec<Id>,
        method: bool,
    },
    /// A call by name of what is neither built in nor a variable's member.
    Function {
        name: Box<str>,
        args: Vec<Id>,
    },
    Builtin {
        builtin: Builtin,
        args: Vec<Id>,
    },
    /// The predicate argument of a built-in.
    Predicate(Id),
    Conditional {
        condition: Id,
        yes: Id,
        no: Id,
    },
    Let {
        slot: u16,
        value: Id,
        body: Id,
    },
    Sequence(Vec<Id>),
    List(Vec<Id>),
    /// Keys and values in turn.
    Map(Vec<Id>),
}

impl Kind {
    /// Calls `visit` for every child. The collection of `#` and the value of a variable are no children.
    pub(crate) fn children(&self, mut visit: impl FnMut(Id)) {
        match self {
            Kind::Nil
            | Kind::Bool(_)
            | Kind::Int(_)
            | Kind::Float(_)
            | Kind::Str(_)
            | Kind::Bytes(_)
            | Kind::Variable(_)
            | Kind::Unbound(_)
            | Kind::Local { .. }
            | Kind::Environment
            | Kind::Element { .. }
            | Kind::Index
            | Kind::Accumulator => {}
            Kind::Unary(_, id) | Kind::Chain(id) | Kind::Predicate(id) => visit(*id),
            Kind::Binary(_, left, right) => [*left, *right].into_iter().for_each(visit),
            Kind::Member { base, key, .. } => [*base, *key].into_iter().for_each(visit),
            Kind::Slice { base, from, to } => [Some(*base), *from, *to].into_iter().flatten().for_each(visit),
            Kind::Call { callee, args, .. } => {
                visit(*callee);
                args.iter().copied().for_each(visit);
            }
            Kind::Conditional { condition, yes, no } => [*condition, *yes, *no].into_iter().for_each(visit),
            Kind::Let { value, body, .. } => [*value, *body].into_iter().for_each(visit),
            Kind::Function { args: items, .. }
            | Kind::Builtin { args: items, .. }
            | Kind::Sequence(items)
            | Kind::List(items)
            | Kind::Map(items) => items.iter().copied().for_each(visit),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum UnaryOp {
    Not,
    Minus,
    Plus,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BinaryOp {
    Or,
    And,
    Equal,
    NotEqual,
    Less,
    Greater,
    LessEqual,
    GreaterEqual,
    In,
    Matches,
    Contains,
    StartsWith,
    EndsWith,
    Range,
    Add,
    Subtract,
    Multiply,
    Divide,
    Modulo,
    Power,
    Coalesce,
}

impl BinaryOp {
    /// The operator written `sign`, with its precedence; all but `**` and `^` are left-associative.
    pub(crate) fn parse(sign: &str) -> Option<(BinaryOp, u16)> {
        Some(match sign {
            "or" | "||" => (BinaryOp::Or, 10),
            "and" | "&&" => (BinaryOp::And, 15),
            "==" => (BinaryOp::Equal, 20),
            "!=" => (BinaryOp::NotEqual, 20),
            "<" => (BinaryOp::Less, 20),
            ">" => (BinaryOp::Greater, 20),
            "<=" => (BinaryOp::LessEqual, 20),
            ">=" => (BinaryOp::GreaterEqual, 20),
            "in" => (BinaryOp::In, 20),
            "matches" => (BinaryOp::Matches, 20),
            "contains" => (BinaryOp::Contains, 20),
            "startsWith" => (BinaryOp::StartsWith, 20),
            "endsWith" => (BinaryOp::EndsWith, 20),
            ".." => (BinaryOp::Range, 25),
            "+" => (BinaryOp::Add, 30),
            "-" => (BinaryOp::Subtract, 30),
            "*" => (BinaryOp::Multiply, 60),
            "/" => (BinaryOp::Divide, 60),
            "%" => (BinaryOp::Modulo, 60),
            "**" | "^" => (BinaryOp::Power, 100),
            "??" => (BinaryOp::Coalesce, 500),
            _ => return None,
        })
    }

    pub(crate) fn is_comparison(self) -> bool {
        matches!(self, BinaryOp::Less | BinaryOp::Greater | BinaryOp::LessEqual | BinaryOp::GreaterEqual)
    }

    /// Whether `not` may stand before it.
    pub(crate) fn may_be_negated(self) -> bool {
        use BinaryOp::{Contains, EndsWith, In, Matches, StartsWith};
        matches!(self, In | Matches | Contains | StartsWith | EndsWith)
    }
}
