//! Ways: what the finished code follows in one go, and which of them it goes more than once.

use std::collections::BTreeMap;

use super::{Bits, Code, Op, OpId, Passing, Start, Step, Way};

/// Makes the ways of all operations that have one.
pub(super) fn make(code: &mut Code) {
    let ways: Vec<Option<Way>> = (0..code.ops.len()).map(|at| code.way(at)).collect();
    let key = |way: &Way| (way.start, way.names.iter().map(|it| it.as_str().to_owned()).collect::<Vec<_>>());
    let mut counts: BTreeMap<_, (usize, u16)> = BTreeMap::new();
    for (op, way) in code.ops.iter().zip(&ways) {
        // Comparisons go the way of their operand, which is counted there.
        if let (Op::Path { .. } | Op::Has { .. }, Some(way)) = (op, way) {
            counts.entry(key(way)).or_default().0 += 1;
        }
    }
    let again = (1..=u16::MAX).zip(counts.values_mut().filter(|it| it.0 > 1));
    again.for_each(|(number, count)| count.1 = number);
    let passing: Vec<_> = code.ops.iter().map(|op| code.passing(op)).collect();
    for ((op, made), passing) in code.ops.iter_mut().zip(ways).zip(passing) {
        let Some(made) = made else { continue };
        let again = counts.get(&key(&made)).map_or(0, |it| it.1);
        let made = Box::new(Way { again, ..made });
        match op {
            Op::Path { way, .. } | Op::Has { way, .. } | Op::EqualConst { way, .. } => *way = Some(made),
            Op::Compare { way, .. } => *way = passing.map(|passing| (made, passing)),
            _ => {}
        }
    }
}

impl Code {
    fn way(&self, at: usize) -> Option<Way> {
        let none: &[Step] = &[];
        let (base, steps, last) = match &self.ops[at] {
            Op::Path { base, steps, .. } => (*base, &**steps, None),
            Op::Has { base, name, .. } => match &self.ops[base.at()] {
                Op::Path { base, steps, .. } => (*base, &**steps, Some(name.clone())),
                _ => (*base, none, Some(name.clone())),
            },
            Op::EqualConst { left, .. } => return self.operand(*left),
            op @ Op::Compare { left, .. } if self.passing(op).is_some() => return self.operand(*left),
            _ => return None,
        };
        let start = match &self.ops[base.at()] {
            Op::Variable(slot) => Start::Variable(*slot),
            Op::Local(slot) => Start::Local(*slot),
            _ => return None,
        };
        let name = |step: &Step| match step {
            Step::Member { name, .. } => Some(Some(name.clone())),
            // Behind a member that is there it changes nothing.
            Step::EndChain => Some(None),
            Step::Key { .. } | Step::Method { .. } | Step::OrNilList => None,
        };
        let mut names = steps.iter().map(name).collect::<Option<Vec<_>>>()?;
        names.push(last);
        Some(Way { start, names: names.into_iter().flatten().collect(), again: 0, nil: nil(steps) })
    }

    /// What passes a comparison with a whole number.
    fn passing(&self, op: &Op) -> Option<Passing> {
        let Op::Compare { op, right, .. } = op else { return None };
        match self.ops[right.at()] {
            Op::Int(int) => Some(Passing::new(*op, int)),
            _ => None,
        }
    }

    fn operand(&self, id: OpId) -> Option<Way> {
        if let Op::Path { .. } = &self.ops[id.at()] { self.way(id.at()) } else { None }
    }
}

/// See [`Way::nil`].
fn nil(steps: &[Step]) -> [Bits; 2] {
    let [mut in_object, mut of_null] = [Bits::default(); 2];
    let members = steps.iter().enumerate().filter(|it| matches!(it.1, Step::Member { .. }));
    for (followed, (at, _)) in members.enumerate() {
        // A member that an object does not have is nil; at a null, the step itself meets nil.
        if stays_nil(&steps[at + 1..]) {
            in_object.set(followed);
        }
        if stays_nil(&steps[at..]) {
            of_null.set(followed);
        }
    }
    [in_object, of_null]
}

/// Whether steps lead from nil to nil.
fn stays_nil(steps: &[Step]) -> bool {
    let mut rest = steps.iter();
    while let Some(step) = rest.next() {
        match step {
            Step::EndChain => {}
            Step::Member { optional: true, .. }
            | Step::Key { optional: true, .. }
            | Step::Method { optional: true, .. } => {
                rest.by_ref().find(|step| matches!(step, Step::EndChain));
            }
            Step::Member { .. } | Step::Key { .. } | Step::Method { .. } | Step::OrNilList => return false,
        }
    }
    true
}
