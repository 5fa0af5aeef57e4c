//! The compiled form: what the evaluator runs. Chains of operators and of members are flat, so that evaluation recurses
//! only where the text nests.

use kanon_lang::Span;
use regex::Regex;

use crate::{ast::BinaryOp, builtins::Builtin};

/// Position of an operation in [`Code::ops`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OpId(pub(crate) u32);

impl OpId {
    pub(crate) fn at(self) -> usize {
        self.0 as usize
    }
}

/// A compiled expression.
#[derive(Debug)]
pub(crate) struct Code {
    pub(crate) ops: Vec<Op>,
    /// For each operation, its whole sub-expression and where errors point.
    pub(crate) spans: Vec<(Span, Span)>,
    pub(crate) root: OpId,
    /// How many `let` variables.
    pub(crate) locals: usize,
    /// Names of the environment by slot, for `$env`.
    pub(crate) variables: Box<[Box<str>]>,
}

#[derive(Debug)]
pub(crate) enum Op {
    Nil,
    Bool(bool),
    Int(i64),
    Float(f64),
    Str(Box<str>),
    Bytes(Box<[u8]>),
    Variable(usize),
    Local(u16),
    Environment,
    Element,
    Index,
    Accumulator,
    Not(OpId),
    Minus(OpId),
    Plus(OpId),
    /// `first op right op right …`, from left to right.
    Spine {
        first: OpId,
        steps: Vec<SpineStep>,
    },
    /// `base.name[key].method(…)`, from left to right.
    Access {
        base: OpId,
        steps: Vec<AccessStep>,
    },
    Slice {
        base: OpId,
        from: Option<OpId>,
        to: Option<OpId>,
    },
    /// A call of what `callee` gives.
    Call {
        callee: OpId,
        args: Box<[OpId]>,
    },
    /// A call of a registered function; `None` when there is no such function.
    Function {
        function: Option<usize>,
        args: Box<[OpId]>,
    },
    /// `regexMatch(text, pattern)`, compiled where the pattern is a literal that compiles.
    RegexMatch {
        text: OpId,
        pattern: OpId,
        regex: Option<Box<Regex>>,
    },
    Builtin {
        builtin: Builtin,
        args: Box<[OpId]>,
    },
    Conditional {
        condition: OpId,
        yes: OpId,
        no: OpId,
    },
    Let {
        slot: u16,
        value: OpId,
        body: OpId,
    },
    Sequence(Box<[OpId]>),
    List(Box<[OpId]>),
    /// Keys and values in turn.
    Map(Box<[OpId]>),
    /// Taken up by another operation.
    Merged,
}

/// One operator of a [`Op::Spine`].
#[derive(Debug)]
pub(crate) struct SpineStep {
    pub(crate) kind: SpineKind,
    pub(crate) right: OpId,
    /// Everything from the spine's start to this operand.
    pub(crate) span: Span,
    /// The operator.
    pub(crate) at: Span,
}

#[derive(Debug)]
pub(crate) enum SpineKind {
    Operator(BinaryOp),
    /// `matches` with a literal pattern.
    Pattern(Box<Regex>),
    /// `in` a list of string literals, sorted.
    Words(Box<[Box<str>]>),
    /// `in` any other list of literals.
    Literals(Box<[OpId]>),
}

/// One step of an [`Op::Access`].
#[derive(Debug)]
pub(crate) enum AccessStep {
    Name {
        name: Box<str>,
        optional: bool,
        at: Span,
        span: Span,
    },
    Key {
        key: OpId,
        optional: bool,
        at: Span,
        span: Span,
    },
    /// `.name(…)`
    Method {
        name: Box<str>,
        optional: bool,
        args: Box<[OpId]>,
        at: Span,
        span: Span,
    },
    /// Where a nil of an optional step before leads: the value is nil then.
    EndChain,
    /// What `groupBy` has no group for is a nil list.
    OrNilList,
}
