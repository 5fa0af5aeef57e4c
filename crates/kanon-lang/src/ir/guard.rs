//! What a program's truth implies: tests of shared paths without which it gives `false`, found in its text. A rule set asks
//! these first, for all its programs at once.

use super::{Code, Op, OpId, Scalar};

/// A test that must hold for the program to be true. Where the path can be read and the test does not hold, the program gives
/// `false`, not an error.
#[derive(Clone, Debug)]
pub struct Guard {
    /// The path, by its position among the program's shared paths.
    pub(crate) path: u16,
    /// The test.
    pub(crate) test: GuardTest,
}

/// What a guard asks of a value.
#[derive(Clone, Debug)]
pub enum GuardTest {
    /// It is this boolean.
    Bool(bool),
    /// It is one of these texts.
    OneOf(Vec<Box<str>>),
}

impl Code {
    /// The guards of a program whose result is a boolean. `absorbs`: an operand that is false decides even where another
    /// one fails.
    pub(crate) fn guards(&self, absorbs: bool) -> Vec<Guard> {
        let mut guards = Vec::new();
        match &self.ops[self.root.at()] {
            Op::And(logic) => {
                // Where errors are not absorbed, an operand behind one that may fail decides nothing.
                let reachable = if absorbs { logic.operands.len() } else { 1 };
                guards.extend(logic.operands.iter().take(reachable).filter_map(|id| self.guard(*id)));
            }
            _ => guards.extend(self.guard(self.root)),
        }
        guards
    }

    fn guard(&self, id: OpId) -> Option<Guard> {
        match &self.ops[id.at()] {
            Op::EqualConst { left, constant, negated, .. } => {
                let path = self.shared_path(*left)?;
                let test = match constant {
                    Scalar::Bool(bool) => GuardTest::Bool(bool ^ negated),
                    Scalar::Str(text) if !negated => GuardTest::OneOf(vec![text.as_str().into()]),
                    Scalar::Str(_) | Scalar::Int(_) | Scalar::Null => return None,
                };
                // `x != true` also holds for what is no boolean.
                if *negated { None } else { Some(Guard { path, test }) }
            }
            Op::InWords { needle, words } => {
                let words = words.iter().map(|it| it.as_str().into()).collect();
                Some(Guard { path: self.shared_path(*needle)?, test: GuardTest::OneOf(words) })
            }
            _ => None,
        }
    }

    fn shared_path(&self, id: OpId) -> Option<u16> {
        match &self.ops[id.at()] {
            Op::Path { shared, .. } => *shared,
            _ => None,
        }
    }
}
