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
    /// Names of the `let` variables, by slot.
    pub(crate) locals: Vec<Box<str>>,
}

impl Tree {
    pub(crate) fn get(&self, id: Id) -> &Node {
        &self.nodes[id.at()]
    }

    /// Which nodes the root needs: rewriting leaves others behind.
    pub(crate) fn live(&self) -> Vec<bool> {
        let mut live = vec![false; self.nodes.len()];
        if let Some(root) = live.last_mut() {
            *root = true;
        }
        // Parents stand after their children.
        for at in (0..self.nodes.len()).rev() {
            if live[at] {
                self.nodes[at].kind.children(|child| live[child.at()] = true);
            }
        }
        live
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) kind: Kind,
    /// The whole sub-expression.
    pub(crate) span: Span,
    /// Where messages about it point: the operator, the member's name.
    pub(crate) at: Span,
}

#[derive(Clone, Debug)]
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
    /// `#index` in the predicate of this built-in.
    Index(Builtin),
    /// `#acc` in the predicate of this built-in.
    Accumulator(Builtin),
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
    /// A call by name of what is neither built in nor a variable's member; `method` when the environment has a function to be
    /// called as `a.name(…)`, whose first argument is `a`.
    Function {
        name: Box<str>,
        args: Vec<Id>,
        method: bool,
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
        /// What had the name before: `builtin`, `function`, `variable`.
        taken: Option<&'static str>,
    },
    Sequence(Vec<Id>),
    List(Vec<Id>),
    /// Keys and values in turn.
    Map(Vec<Id>),
    // What follows is made by `rewrite` only.
    /// `in` a list of string literals.
    Among {
        needle: Id,
        words: Box<[Box<str>]>,
    },
    /// `filter`, `find` or `findLast`, with what is made of a hit.
    Select {
        builtin: Builtin,
        collection: Id,
        test: Id,
        map: Option<Id>,
        /// No hit is an error.
        strict: bool,
    },
    /// Whether the test holds for so many elements.
    AtLeast {
        collection: Id,
        test: Id,
        limit: i64,
    },
    /// The sum of these, from the right.
    SumOf(Vec<Id>),
}

impl Kind {
    /// The same with every id, children and references, put through `map`.
    pub(crate) fn mapped(&self, map: impl Fn(Id) -> Id) -> Kind {
        let all = |ids: &[Id]| ids.iter().map(|id| map(*id)).collect::<Vec<_>>();
        match self {
            Kind::Nil
            | Kind::Bool(_)
            | Kind::Int(_)
            | Kind::Float(_)
            | Kind::Str(_)
            | Kind::Bytes(_)
            | Kind::Variable(_)
            | Kind::Unbound(_)
            | Kind::Environment
            | Kind::Index(_)
            | Kind::Accumulator(_) => self.clone(),
            Kind::Local { slot, value } => Kind::Local { slot: *slot, value: map(*value) },
            Kind::Element { collection } => Kind::Element { collection: map(*collection) },
            Kind::Unary(op, id) => Kind::Unary(*op, map(*id)),
            Kind::Binary(op, left, right) => Kind::Binary(*op, map(*left), map(*right)),
            Kind::Member { base, key, optional } => {
                Kind::Member { base: map(*base), key: map(*key), optional: *optional }
            }
            Kind::Chain(id) => Kind::Chain(map(*id)),
            Kind::Slice { base, from, to } => Kind::Slice { base: map(*base), from: from.map(&map), to: to.map(&map) },
            Kind::Call { callee, args, method } => {
                Kind::Call { callee: map(*callee), args: all(args), method: *method }
            }
            Kind::Function { name, args, method } => {
                Kind::Function { name: name.clone(), args: all(args), method: *method }
            }
            Kind::Builtin { builtin, args } => Kind::Builtin { builtin: *builtin, args: all(args) },
            Kind::Predicate(id) => Kind::Predicate(map(*id)),
            Kind::Conditional { condition, yes, no } => {
                Kind::Conditional { condition: map(*condition), yes: map(*yes), no: map(*no) }
            }
            Kind::Let { slot, value, body, taken } => {
                Kind::Let { slot: *slot, value: map(*value), body: map(*body), taken: *taken }
            }
            Kind::Sequence(ids) => Kind::Sequence(all(ids)),
            Kind::List(ids) => Kind::List(all(ids)),
            Kind::Map(ids) => Kind::Map(all(ids)),
            Kind::Among { needle, words } => Kind::Among { needle: map(*needle), words: words.clone() },
            Kind::Select { builtin, collection, test, map: with, strict } => Kind::Select {
                builtin: *builtin,
                collection: map(*collection),
                test: map(*test),
                map: with.map(&map),
                strict: *strict,
            },
            Kind::AtLeast { collection, test, limit } => {
                Kind::AtLeast { collection: map(*collection), test: map(*test), limit: *limit }
            }
            Kind::SumOf(ids) => Kind::SumOf(all(ids)),
        }
    }

    /// Whether it is a number, text or boolean as written.
    pub(crate) fn is_scalar(&self) -> bool {
        matches!(self, Kind::Bool(_) | Kind::Int(_) | Kind::Float(_) | Kind::Str(_))
    }

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
            | Kind::Index(_)
            | Kind::Accumulator(_) => {}
            Kind::Unary(_, id) | Kind::Chain(id) | Kind::Predicate(id) => visit(*id),
            Kind::Among { needle, .. } => visit(*needle),
            Kind::Select { collection, test, map, .. } => {
                [Some(*collection), Some(*test), *map].into_iter().flatten().for_each(visit);
            }
            Kind::AtLeast { collection, test, .. } => [*collection, *test].into_iter().for_each(visit),
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
            | Kind::Map(items)
            | Kind::SumOf(items) => items.iter().copied().for_each(visit),
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
        let op = match sign {
            "or" | "||" => BinaryOp::Or,
            "and" | "&&" => BinaryOp::And,
            "^" => BinaryOp::Power,
            _ => *BinaryOp::ALL.iter().find(|op| op.sign() == sign)?,
        };
        Some((op, op.precedence()))
    }

    const ALL: &[BinaryOp] = {
        use BinaryOp::{
            Add, Coalesce, Contains, Divide, EndsWith, Equal, Greater, GreaterEqual, In, Less, LessEqual, Matches,
            Modulo, Multiply, NotEqual, Power, Range, StartsWith, Subtract,
        };
        &[
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
        ]
    };

    /// How tightly it binds.
    pub(crate) fn precedence(self) -> u16 {
        match self {
            BinaryOp::Or => 10,
            BinaryOp::And => 15,
            BinaryOp::Equal | BinaryOp::NotEqual => 20,
            BinaryOp::Less | BinaryOp::Greater | BinaryOp::LessEqual | BinaryOp::GreaterEqual => 20,
            BinaryOp::In | BinaryOp::Matches => 20,
            BinaryOp::Contains | BinaryOp::StartsWith | BinaryOp::EndsWith => 20,
            BinaryOp::Range => 25,
            BinaryOp::Add | BinaryOp::Subtract => 30,
            BinaryOp::Multiply | BinaryOp::Divide | BinaryOp::Modulo => 60,
            BinaryOp::Power => 100,
            BinaryOp::Coalesce => 500,
        }
    }

    /// How it is written.
    pub(crate) fn sign(self) -> &'static str {
        match self {
            BinaryOp::Or => "||",
            BinaryOp::And => "&&",
            BinaryOp::Equal => "==",
            BinaryOp::NotEqual => "!=",
            BinaryOp::Less => "<",
            BinaryOp::Greater => ">",
            BinaryOp::LessEqual => "<=",
            BinaryOp::GreaterEqual => ">=",
            BinaryOp::In => "in",
            BinaryOp::Matches => "matches",
            BinaryOp::Contains => "contains",
            BinaryOp::StartsWith => "startsWith",
            BinaryOp::EndsWith => "endsWith",
            BinaryOp::Range => "..",
            BinaryOp::Add => "+",
            BinaryOp::Subtract => "-",
            BinaryOp::Multiply => "*",
            BinaryOp::Divide => "/",
            BinaryOp::Modulo => "%",
            BinaryOp::Power => "**",
            BinaryOp::Coalesce => "??",
        }
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
