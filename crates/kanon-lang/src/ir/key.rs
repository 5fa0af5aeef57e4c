//! One spelling of an operation for all programs of an environment: where two programs have equal keys, both operations give
//! equal values, errors and costs on equal input. What a rule set shares rests on it, so it says `None` in doubt.

use std::fmt::Write as _;

use super::{Code, Loop, LoopKind, Op, OpId, Step};

/// Longer ones are not worth comparing.
const MAX: usize = 4096;

impl Code {
    /// The keys of the operands of a conjunction that is the whole program; of any other program its own.
    pub(crate) fn conjuncts(&self) -> Vec<Option<String>> {
        match &self.ops[self.root.at()] {
            Op::And(logic) => logic.operands.iter().map(|id| self.key(*id)).collect(),
            op if op.is_boolean() => vec![self.key(self.root)],
            // A whole program may be nil for false; an operand may not.
            _ => vec![None],
        }
    }

    /// One spelling of a part of each element that a loop runs over.
    pub(super) fn elements_key(&self, it: &Loop, part: OpId) -> Option<String> {
        let mut key = Key { code: self, text: String::new(), locals: Vec::new() };
        key.op(it.source)?;
        key.write(it.pairs);
        key.local(it.element);
        key.op(part)?;
        Some(key.text)
    }

    fn key(&self, id: OpId) -> Option<String> {
        let mut key = Key { code: self, text: String::new(), locals: Vec::new() };
        key.op(id)?;
        Some(key.text)
    }
}

struct Key<'c> {
    code: &'c Code,
    text: String,
    /// Locals by their first mention: programs number them differently.
    locals: Vec<u16>,
}

impl Key<'_> {
    fn write(&mut self, part: impl std::fmt::Debug) {
        // Writing to a string does not fail. Debug texts quote what they hold, so parts cannot run into each other.
        let _ = write!(self.text, "{part:?},");
    }

    fn local(&mut self, slot: u16) {
        let at = self.locals.iter().position(|it| *it == slot).unwrap_or_else(|| {
            self.locals.push(slot);
            self.locals.len() - 1
        });
        self.write(at);
    }

    fn all(&mut self, ids: &[OpId]) -> Option<()> {
        self.write(ids.len());
        ids.iter().try_for_each(|id| self.op(*id))
    }

    fn op(&mut self, id: OpId) -> Option<()> {
        if self.text.len() > MAX {
            return None;
        }
        match &self.code.ops[id.at()] {
            op @ (Op::Null
            | Op::Bool(_)
            | Op::Int(_)
            | Op::UInt(_)
            | Op::Float(_)
            | Op::Str(_)
            | Op::Bytes(_)
            | Op::Time(_)
            | Op::Duration(_)
            | Op::Type(_)
            | Op::Json(_)
            | Op::Variable(_)) => self.write(op),
            Op::Local(slot) => {
                self.write("local");
                self.local(*slot);
            }
            Op::Path { base, steps, .. } => {
                self.write("path");
                self.op(*base)?;
                self.write(steps.len());
                steps.iter().try_for_each(|step| self.step(step))?;
            }
            Op::Has { base, name, .. } => {
                self.write("has");
                self.op(*base)?;
                self.write(name);
            }
            Op::Not(operand) => {
                self.write("not");
                self.op(*operand)?;
            }
            Op::Negate(operand) => {
                self.write("negate");
                self.op(*operand)?;
            }
            Op::And(logic) => {
                self.write("and");
                self.all(&logic.operands)?;
            }
            Op::Or(logic) => {
                self.write("or");
                self.all(&logic.operands)?;
            }
            Op::Cond { test, yes, no } => {
                self.write("cond");
                self.all(&[*test, *yes, *no])?;
            }
            Op::Coalesce { left, right } => {
                self.write("coalesce");
                self.all(&[*left, *right])?;
            }
            Op::Equal { left, right, negated } => {
                self.write(("equal", negated));
                self.all(&[*left, *right])?;
            }
            Op::EqualConst { left, constant, negated, .. } => {
                self.write(("equals", constant, negated));
                self.op(*left)?;
            }
            Op::Compare { op, left, right, .. } => {
                self.write(op);
                self.all(&[*left, *right])?;
            }
            Op::Arithmetic { first, steps } => {
                self.write("arithmetic");
                self.op(*first)?;
                self.write(steps.len());
                for step in steps {
                    self.write(step.op);
                    self.op(step.right)?;
                }
            }
            Op::In { needle, haystack } => {
                self.write("in");
                self.all(&[*needle, *haystack])?;
            }
            Op::InWords { needle, words } => {
                self.write(("in words", words));
                self.op(*needle)?;
            }
            Op::Text { op, left, right } => {
                self.write(op);
                self.all(&[*left, *right])?;
            }
            Op::Matches { text, regex } => {
                self.write(("matches", regex.as_str()));
                self.op(*text)?;
            }
            Op::Loop(it) => {
                // What a function makes of the elements is known by the function only.
                if let LoopKind::Collect(_) | LoopKind::Reduce { .. } = it.kind {
                    return None;
                }
                self.write((&it.kind, it.pairs));
                self.op(it.source)?;
                self.local(it.element);
                self.write(it.index.is_some());
                if let Some(index) = it.index {
                    self.local(index);
                }
                for part in [it.body, it.extra] {
                    self.write(part.is_some());
                    part.map_or(Some(()), |part| self.op(part))?;
                }
            }
            Op::List(items) => {
                self.write("list");
                self.all(items)?;
            }
            Op::Map(parts) => {
                self.write("map");
                self.all(parts)?;
            }
            // Functions are told apart by nothing that lasts; what else is here is rare.
            Op::Call { .. } | Op::CallValue { .. } | Op::Let { .. } | Op::Sequence(_) | Op::Environment => return None,
        }
        Some(())
    }

    fn step(&mut self, step: &Step) -> Option<()> {
        match step {
            Step::Member { name, optional, .. } => self.write((name, optional)),
            Step::Key { key, optional, .. } => {
                self.write(("key", optional));
                self.op(*key)?;
            }
            Step::EndChain => self.write("end"),
            Step::OrNilList => self.write("list"),
            Step::Method { .. } => return None,
        }
        Some(())
    }
}
