//! The whole program as one of a rule set: conjuncts that other programs have, too, are evaluated once for an object.

use super::Machine;
use crate::{
    context::Stop,
    dialect::Dialect,
    ir::{Op, OpId},
    rules::Conjunct,
    value::Value,
};

impl<'a, D: Dialect, const TRACE: bool> Machine<'_, 'a, D, TRACE> {
    /// The truth of the whole.
    #[inline(never)]
    pub(super) fn run_shared(&mut self) -> Result<bool, Stop> {
        let code = self.code;
        match &code.ops[code.root.at()] {
            Op::And(logic) => {
                self.decide(logic, false, None, |machine, it| machine.conjunct(it.operand, it.at as usize))
            }
            _ => self.conjunct(code.root, 0),
        }
    }

    /// The truth of an operand of the conjunction that is the program, or of all of it. What sharing saves is spent all the same:
    /// a program costs what it costs alone.
    fn conjunct(&mut self, id: OpId, at: usize) -> Result<bool, Stop> {
        let number = self.shared.conjuncts.get(at).copied().unwrap_or(Conjunct::NONE);
        // Where the budget does not last, the operand itself says where.
        if let Some(known) = self.memo.as_ref().and_then(|memo| memo.conjunct(number))
            && known.steps <= self.cx.steps_left()
            && known.memory <= self.cx.memory_left()
        {
            self.cx.spend(known.steps)?;
            self.cx.grow(known.memory)?;
            return Ok(known.truth);
        }
        let (steps, memory) = (self.cx.steps_left(), self.cx.memory_left());
        let truth = self.truth(id)?;
        let known = Conjunct { truth, steps: steps - self.cx.steps_left(), memory: memory - self.cx.memory_left() };
        if let Some(memo) = &mut self.memo {
            memo.set_conjunct(number, known);
        }
        Ok(truth)
    }

    #[inline]
    pub(super) fn truth(&mut self, id: OpId) -> Result<bool, Stop> {
        if id != self.code.root || self.code.ops[id.at()].is_boolean() {
            return self.test(id);
        }
        match self.eval(id)? {
            Value::Bool(bool) => Ok(bool),
            other => {
                let result = D::boolean(&mut self.cx, other);
                self.placed(id, result)
            }
        }
    }
}
