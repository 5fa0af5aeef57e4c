//! The compiled form that all languages share: a flat list of operations, children before parents, made once by a front
//! end with a [`Builder`] and run by the machine on any number of threads.
//!
//! An operation says *what* is computed. Where languages differ in what an operation means for odd operands (a missing
//! member, `1 == 1.0`, an error beside `false`), the machine asks the language's [`Dialect`](crate::Dialect). Everything
//! that is only a function is a [`Op::Call`]; an operation of its own earns its place by being hot or by controlling what is
//! evaluated.
//!
//! This is the public interface between the front ends and the machine, and no one else's: nothing outside the languages
//! names an operation.

mod build;
mod chance;
mod constant;
mod cost;
mod guard;
mod key;
mod reads;
mod way;

use jiff::{SignedDuration, Timestamp};
use kanon_core::{Name, Object};
use regex::Regex;

pub use build::{Builder, TooDeep};
pub use cost::Estimate;
pub use guard::{Elements, Guard, GuardTest, Subject};

use crate::{diagnostic::Span, function::Native, types::Type};

/// Position of an operation in its code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct OpId(pub(crate) u32);

impl OpId {
    #[inline]
    pub(crate) fn at(self) -> usize {
        self.0 as usize
    }
}

/// Where an operation stands in the source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// The whole sub-expression.
    pub span: Span,
    /// Where errors about it point: the operator, the member's name.
    pub at: Span,
}

impl Place {
    /// A place whose errors point at all of it.
    pub fn whole(span: Span) -> Place {
        Place { span, at: span }
    }
}

/// A compiled expression.
#[derive(Debug)]
pub struct Code {
    pub(crate) ops: Vec<Op>,
    pub(crate) places: Vec<Place>,
    pub(crate) root: OpId,
    /// How many local variables.
    pub(crate) locals: usize,
    /// Names of the environment by slot.
    pub(crate) variables: Box<[Box<str>]>,
    /// The slot of the clock, where the program reads it.
    pub(crate) clock: Option<usize>,
    /// The slot of the clock in the environment, which programs do not see as a variable.
    pub(crate) hidden: Option<usize>,
    /// The paths from variables through constant names, each once: what a rule set reads once for all its programs.
    pub(crate) paths: Vec<StaticPath>,
    /// Steps that one evaluation without any turn of a loop takes.
    pub(crate) base_cost: u32,
}

/// A path from a variable through constant names.
#[derive(Clone, Debug)]
pub(crate) struct StaticPath {
    /// One spelling for all programs: the variable's slot and the steps.
    pub(crate) key: Box<str>,
    /// An operation that reads it.
    pub(crate) op: OpId,
}

/// One operation.
#[derive(Debug)]
pub enum Op {
    /// `nil`, `null`
    Null,
    /// A boolean.
    Bool(bool),
    /// An integer.
    Int(i64),
    /// An unsigned integer.
    UInt(u64),
    /// A double.
    Float(f64),
    /// Text.
    Str(Box<str>),
    /// Bytes.
    Bytes(Box<[u8]>),
    /// A constant point in time.
    Time(Timestamp),
    /// A constant length of time.
    Duration(SignedDuration),
    /// A type as a value.
    Type(Box<str>),
    /// A constant list or map of JSON values.
    Json(Object),
    /// A variable of the environment, by slot.
    Variable(u16),
    /// A local variable, by slot.
    Local(u16),
    /// All variables, as a map.
    Environment,
    /// `base.name[key]?.name`, from left to right.
    Path {
        /// Where it begins.
        base: OpId,
        /// What is followed.
        steps: Box<[Step]>,
        /// Its position in the shared paths of the code, where it is one of those.
        shared: Option<u16>,
        /// The same in short, where it is a plain way: made by the builder at the end.
        way: Option<Box<Way>>,
    },
    /// Whether `base` has the member `name`.
    Has {
        /// The map or object.
        base: OpId,
        /// The member's name.
        name: Name,
        /// The way to the member, where it is a plain one: made by the builder at the end.
        way: Option<Box<Way>>,
    },
    /// `!a`
    Not(OpId),
    /// `-a`
    Negate(OpId),
    /// `a && b && …`
    And(Logic),
    /// `a || b || …`
    Or(Logic),
    /// `test ? yes : no`
    Cond {
        /// A boolean.
        test: OpId,
        /// What it gives when true.
        yes: OpId,
        /// What it gives when false.
        no: OpId,
    },
    /// `left ?? right`
    Coalesce {
        /// What it gives unless nil.
        left: OpId,
        /// What it gives instead.
        right: OpId,
    },
    /// `left == right`, `left != right`
    Equal {
        /// One side.
        left: OpId,
        /// The other.
        right: OpId,
        /// `!=`
        negated: bool,
    },
    /// `left == constant`, `left != constant`
    EqualConst {
        /// The side that is computed.
        left: OpId,
        /// The side that is known.
        constant: Scalar,
        /// `!=`
        negated: bool,
        /// The way to the side that is computed, where it is a plain one: made by the builder at the end.
        way: Option<Box<Way>>,
    },
    /// `left < right` and its like.
    Compare {
        /// Which.
        op: Comparison,
        /// One side.
        left: OpId,
        /// The other.
        right: OpId,
        /// The way to the left side and what passes of it, where it is a plain way and the right side an integer: made by the
        /// builder at the end.
        way: Option<(Box<Way>, Passing)>,
    },
    /// `first + a - b …`, from left to right.
    Arithmetic {
        /// The first operand.
        first: OpId,
        /// The others with their operators.
        steps: Box<[ArithmeticStep]>,
    },
    /// `needle in haystack`
    In {
        /// What is looked for.
        needle: OpId,
        /// Where.
        haystack: OpId,
    },
    /// `needle in ["a", "b"]`
    InWords {
        /// What is looked for.
        needle: OpId,
        /// The constants.
        words: Box<[Name]>,
    },
    /// `left startsWith right` and its like.
    Text {
        /// Which test.
        op: TextTest,
        /// The text.
        left: OpId,
        /// What it is tested for.
        right: OpId,
    },
    /// A test of a text with a constant pattern.
    Matches {
        /// The text.
        text: OpId,
        /// The pattern.
        regex: Box<Regex>,
    },
    /// A call of a function.
    Call {
        /// The bodies to choose from; the first whose parameters fit is called.
        overloads: Box<[Overload]>,
        /// The arguments.
        args: Box<[OpId]>,
    },
    /// A call of what `callee` gives.
    CallValue {
        /// A function as a value.
        callee: OpId,
        /// The arguments.
        args: Box<[OpId]>,
    },
    /// `let local = value; body`. Where errors are absorbed, one of the value is an error of whoever reads the local.
    Let {
        /// The local variable's slot.
        slot: u16,
        /// Its value.
        value: OpId,
        /// What may read it.
        body: OpId,
    },
    /// Evaluated in order; the last one's value counts.
    Sequence(Box<[OpId]>),
    /// A list.
    List(Box<[OpId]>),
    /// Keys and values in turn.
    Map(Box<[OpId]>),
    /// Anything that runs a body for each element.
    Loop(Box<Loop>),
}

/// The operands of `&&` or `||`.
#[derive(Debug)]
pub struct Logic {
    /// In source order.
    pub operands: Vec<OpId>,
    /// The order in which they are evaluated: first what likely decides at little cost, where nobody can tell the difference.
    /// Made by the builder at the end.
    pub(crate) order: Box<[Turn]>,
}

/// An operand and where it stands in the source.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Turn {
    pub(crate) operand: OpId,
    pub(crate) at: u32,
}

impl Logic {
    /// Operands in source order.
    pub fn new(operands: Vec<OpId>) -> Logic {
        Logic { operands, order: Box::default() }
    }
}

/// A path from a variable or local through names alone: what the machine follows in one go.
#[derive(Clone, Debug)]
pub struct Way {
    pub(crate) start: Start,
    pub(crate) names: Box<[Name]>,
    /// Its number among the ways that the program goes more than once (`has(c.x) && c.x > 1`), from 1 on; 0 for others.
    pub(crate) again: u16,
    /// By the number of names that could be followed: whether the whole is nil where the next one is missing in an object
    /// (in languages where that is nil), and where it is asked of a null.
    pub(crate) nil: [Bits; 2],
}

/// A bit for each of the first numbers; those beyond have none.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Bits(u64);

impl Bits {
    fn set(&mut self, at: usize) {
        self.0 |= 1u64.checked_shl(at as u32).unwrap_or_default();
    }

    pub(crate) fn has(self, at: usize) -> bool {
        self.0.checked_shr(at as u32).unwrap_or_default() & 1 != 0
    }
}

/// Where a way begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Start {
    Variable(u16),
    Local(u16),
}

/// One step of a [`Op::Path`].
#[derive(Debug)]
pub enum Step {
    /// `.name`
    Member {
        /// The member's name.
        name: Name,
        /// Written `?.`: nothing is read of nil.
        optional: bool,
        /// The path up to here; errors point at the name.
        place: Place,
    },
    /// `[key]`
    Key {
        /// The key.
        key: OpId,
        /// Written `?.[`.
        optional: bool,
        /// The path up to here.
        place: Place,
    },
    /// `.name(…)`, a call of a member that is a function.
    Method {
        /// The member's name.
        name: Name,
        /// The arguments.
        args: Box<[OpId]>,
        /// Written `?.`.
        optional: bool,
        /// The path up to here.
        place: Place,
    },
    /// Where nil of an optional step leads; the value is plain nil then.
    EndChain,
    /// A nil value is a nil list from here on.
    OrNilList,
}

impl Step {
    /// The path up to here, where the step stands in the text.
    pub(crate) fn place(&self) -> Option<&Place> {
        match self {
            Step::Member { place, .. } | Step::Key { place, .. } | Step::Method { place, .. } => Some(place),
            Step::EndChain | Step::OrNilList => None,
        }
    }
}

/// One operator of an [`Op::Arithmetic`].
#[derive(Debug)]
pub struct ArithmeticStep {
    /// Which.
    pub op: Arithmetic,
    /// Its right operand.
    pub right: OpId,
    /// From the first operand to this one; errors point at the operator.
    pub place: Place,
}

/// An operator on numbers, text, times, lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arithmetic {
    /// `+`
    Add,
    /// `-`
    Subtract,
    /// `*`
    Multiply,
    /// `/`
    Divide,
    /// `%`
    Modulo,
    /// `**`
    Power,
}

/// An order that is tested.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// `<`
    Less,
    /// `<=`
    LessEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterEqual,
}

impl Comparison {
    /// Whether `order` (left to right) passes; incomparable ones never do.
    #[inline]
    pub fn holds(self, order: Option<std::cmp::Ordering>) -> bool {
        order.is_some_and(|order| match self {
            Comparison::Less => order.is_lt(),
            Comparison::LessEqual => order.is_le(),
            Comparison::Greater => order.is_gt(),
            Comparison::GreaterEqual => order.is_ge(),
        })
    }
}

/// The whole numbers that pass a comparison with a constant: asked without a jump, which would be guessed wrong where
/// comparisons of several kinds take turns.
#[derive(Clone, Copy, Debug)]
pub struct Passing {
    least: i64,
    most: i64,
}

impl Passing {
    fn new(op: Comparison, constant: i64) -> Passing {
        const NONE: Passing = Passing { least: 1, most: 0 };
        let up_to = |most| Passing { least: i64::MIN, most };
        let from = |least| Passing { least, most: i64::MAX };
        match op {
            Comparison::Less => constant.checked_sub(1).map_or(NONE, up_to),
            Comparison::LessEqual => up_to(constant),
            Comparison::Greater => constant.checked_add(1).map_or(NONE, from),
            Comparison::GreaterEqual => from(constant),
        }
    }

    /// Whether a number is one of them.
    #[inline]
    pub(crate) fn has(self, int: i64) -> bool {
        (self.least <= int) & (int <= self.most)
    }
}

/// A test of one text with another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TextTest {
    /// Begins with it.
    StartsWith,
    /// Ends with it.
    EndsWith,
    /// Has it anywhere.
    Contains,
}

/// A constant that values are compared with.
#[derive(Clone, Debug)]
pub enum Scalar {
    /// Nil.
    Null,
    /// A boolean.
    Bool(bool),
    /// An integer.
    Int(i64),
    /// Text.
    Str(Name),
}

/// One body of a function, and which arguments it takes.
#[derive(Clone)]
pub struct Overload {
    /// Types of the arguments; empty where a check at compile time has settled it or the body looks itself.
    pub parameters: Box<[Type]>,
    /// The body.
    pub body: Native,
}

impl std::fmt::Debug for Overload {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "Overload({:?})", self.parameters)
    }
}

/// A body that runs for each element of a list or map.
#[derive(Debug)]
pub struct Loop {
    /// What comes of it.
    pub kind: LoopKind,
    /// The list or map.
    pub source: OpId,
    /// The local that holds the element: of a map the key, or with `pairs` the value.
    pub element: u16,
    /// The local that holds the position: of a map with `pairs` the key.
    pub index: Option<u16>,
    /// Maps give key and value (two-variable forms), not keys alone.
    pub pairs: bool,
    /// What runs; where there is none, the element itself.
    pub body: Option<OpId>,
    /// With [`LoopKind::Map`], and with [`LoopKind::Collect`] over `pairs`: a condition for an element to take part. With
    /// [`LoopKind::Reduce`] the first value; with other collections a value for the function.
    pub extra: Option<OpId>,
    /// Steps that one turn takes, loops inside not counted.
    pub(crate) turn_cost: u32,
}

/// What a loop makes.
#[derive(Clone, Debug)]
pub enum LoopKind {
    /// Whether the body holds for every element.
    All,
    /// Whether it holds for any.
    Any,
    /// Whether it holds for none.
    None,
    /// Whether it holds for exactly one.
    One,
    /// For how many it holds.
    Count,
    /// The first element for which it holds, or nil.
    Find,
    /// Its position.
    FindIndex,
    /// The last element for which it holds, or nil.
    FindLast,
    /// Its position.
    FindLastIndex,
    /// The elements for which it holds. In languages whose maps can be filtered: of a map the keys.
    Filter,
    /// What it gives for each; with `extra` only for those for which that holds.
    Map,
    /// The last value of the accumulator, which stands in the local given; `extra` is the first.
    Reduce {
        /// The accumulator's local.
        accumulator: u16,
    },
    /// A function of the elements, of what the body gave for each, and of `extra`: `[elements, results, extra, positions]`.
    Collect(Collect),
}

/// The function of a [`LoopKind::Collect`].
#[derive(Clone, Copy)]
pub struct Collect(pub Native);

impl std::fmt::Debug for Collect {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Collect")
    }
}
