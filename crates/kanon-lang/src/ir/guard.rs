//! What a program's truth implies: tests of what it reads without which it gives `false`, found in its text. A rule set asks
//! these first, for all its programs at once.

use super::{Code, Loop, LoopKind, Op, OpId, Scalar, Step, TextTest};
use crate::dialect::Dialect;

/// A test that must hold for the program to be true. Where its subject can be read and the test does not hold, the program gives
/// `false`, not an error.
#[derive(Clone, Debug)]
pub struct Guard {
    pub(crate) subject: Subject,
    pub(crate) test: GuardTest,
}

/// What a guard is about.
#[derive(Clone, Debug)]
pub enum Subject {
    /// The value of a path, by its position among the program's shared paths.
    Path(u16),
    /// A part of the elements of a list, of which one at least must pass.
    Elements(Elements),
}

/// What a loop that asks for one element reads of each.
#[derive(Clone, Debug)]
pub struct Elements {
    /// The loop.
    pub(crate) each: OpId,
    /// The element or a path from it.
    pub(crate) part: OpId,
    /// One spelling of both for all programs of an environment.
    pub(crate) key: Box<str>,
}

/// What a guard asks of a value.
#[derive(Clone, Debug)]
pub enum GuardTest {
    /// It is this boolean.
    Bool(bool),
    /// It is one of these texts.
    OneOf(Vec<Box<str>>),
    /// It is a text that passes this test with that one.
    Text(TextTest, Box<str>),
    /// It is nil.
    Nil,
}

impl TextTest {
    /// Whether a text passes the test with a part of it.
    #[inline]
    pub(crate) fn holds(self, text: &str, part: &str) -> bool {
        match self {
            TextTest::StartsWith => text.starts_with(part),
            TextTest::EndsWith => text.ends_with(part),
            TextTest::Contains => text.contains(part),
        }
    }
}

impl Code {
    /// The guards of a program whose result is a boolean.
    pub(crate) fn guards<D: Dialect>(&self) -> Vec<Guard> {
        self.implied::<D>(self.root).filter_map(|id| self.guard::<D>(id)).collect()
    }

    /// Operands without which an operation gives `false`.
    fn implied<D: Dialect>(&self, id: OpId) -> impl Iterator<Item = OpId> {
        let operands = match &self.ops[id.at()] {
            // Where errors are not absorbed, an operand behind one that may fail decides nothing.
            Op::And(logic) if !D::ABSORBS => &logic.operands[..1],
            Op::And(logic) => &logic.operands,
            _ => &[],
        };
        operands.iter().copied().chain(operands.is_empty().then_some(id))
    }

    fn guard<D: Dialect>(&self, id: OpId) -> Option<Guard> {
        if let Some((operand, test)) = self.test::<D>(id) {
            return Some(Guard { subject: Subject::Path(self.shared_path(operand)?), test });
        }
        let (each, it) = self.some(id)?;
        self.implied::<D>(it.body?).find_map(|id| {
            let (part, test) = self.test::<D>(id)?;
            let is_of_element = self.is_of_element(it, part);
            let key = is_of_element.then(|| self.elements_key(it, part))??;
            Some(Guard { subject: Subject::Elements(Elements { each, part, key: key.into() }), test })
        })
    }

    /// The operand and what it is tested for, where an operation is such a test.
    fn test<D: Dialect>(&self, id: OpId) -> Option<(OpId, GuardTest)> {
        match &self.ops[id.at()] {
            // `x != true` also holds for what is no boolean.
            Op::EqualConst { left, constant, negated: false, .. } => {
                let test = match constant {
                    Scalar::Bool(bool) => GuardTest::Bool(*bool),
                    Scalar::Str(text) => GuardTest::OneOf(vec![text.as_str().into()]),
                    Scalar::Null if D::MISSING_IS_NIL => GuardTest::Nil,
                    Scalar::Null | Scalar::Int(_) => return None,
                };
                Some((*left, test))
            }
            Op::InWords { needle, words } => {
                Some((*needle, GuardTest::OneOf(words.iter().map(|it| it.as_str().into()).collect())))
            }
            Op::Text { op, left, right } if D::MISSING_IS_NIL => match &self.ops[right.at()] {
                Op::Str(part) => Some((*left, GuardTest::Text(*op, part.clone()))),
                _ => None,
            },
            _ => None,
        }
    }

    /// The loop of an operation that is true only if its body is for some element.
    fn some(&self, id: OpId) -> Option<(OpId, &Loop)> {
        match &self.ops[id.at()] {
            Op::Loop(it) if matches!(it.kind, LoopKind::Any | LoopKind::One) && self.is_cheap(it.source) => {
                Some((id, it))
            }
            Op::Not(operand) => match &self.ops[operand.at()] {
                Op::Loop(it) if matches!(it.kind, LoopKind::None) && self.is_cheap(it.source) => Some((*operand, it)),
                _ => None,
            },
            _ => None,
        }
    }

    /// Whether evaluating an operation a second time costs next to nothing: a path that a rule set reads once, or nothing in
    /// its place.
    fn is_cheap(&self, id: OpId) -> bool {
        match &self.ops[id.at()] {
            Op::Coalesce { left, right } => {
                let right = &self.ops[right.at()];
                let is_empty = matches!(right, Op::List(parts) | Op::Map(parts) if parts.is_empty());
                self.is_cheap(*left) && (is_empty || right.is_constant())
            }
            _ => self.shared_path(id).is_some(),
        }
    }

    fn is_of_element(&self, it: &Loop, part: OpId) -> bool {
        let is_element = |id: OpId| matches!(self.ops[id.at()], Op::Local(slot) if slot == it.element);
        match &self.ops[part.at()] {
            Op::Path { base, steps, .. } => {
                let is_plain = |step: &Step| match step {
                    Step::Member { .. } | Step::EndChain => true,
                    Step::Key { key, .. } => self.ops[key.at()].is_constant(),
                    Step::Method { .. } | Step::OrNilList => false,
                };
                is_element(*base) && steps.iter().all(is_plain)
            }
            _ => is_element(part),
        }
    }

    fn shared_path(&self, id: OpId) -> Option<u16> {
        match &self.ops[id.at()] {
            Op::Path { shared, .. } => *shared,
            _ => None,
        }
    }
}
