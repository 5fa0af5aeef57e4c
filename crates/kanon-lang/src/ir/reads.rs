//! What a program reads, found in its code.

use super::{Code, Op, OpId, Step};
use crate::language::Reads;

impl Code {
    /// Variables and paths. A path from a loop's element is not followed: the list itself is read.
    pub fn reads(&self) -> Reads {
        let mut reads = Reads { clock: self.clock.is_some(), ..Reads::default() };
        reads.variables.extend(self.clock);
        // Variables that begin a longer path; alone they would say "all of it".
        let mut bases = vec![false; self.ops.len()];
        // What folding took out of reach counts, too: `object.x || true` is about `object.x` to whoever wrote it.
        for op in &self.ops {
            let (base, names) = match op {
                Op::Path { base, steps, .. } => (*base, names(steps)),
                Op::Has { base, name, .. } => (*base, vec![name.as_str().to_owned()]),
                _ => continue,
            };
            if let Some((slot, mut path)) = self.rooted(base, &mut bases) {
                path.extend(names);
                self.add(&mut reads, slot, path);
            }
        }
        for (at, op) in self.ops.iter().enumerate() {
            match op {
                Op::Variable(slot) if !bases[at] => self.add(&mut reads, *slot, Vec::new()),
                Op::Environment => {
                    for slot in 0..self.variables.len() {
                        // The clock is no part of the environment that programs see.
                        if Some(slot) != self.hidden {
                            self.add(&mut reads, u16::try_from(slot).unwrap_or(u16::MAX), Vec::new());
                        }
                    }
                }
                _ => {}
            }
        }
        reads.variables.sort_unstable();
        reads.variables.dedup();
        reads.paths.sort();
        reads.paths.dedup();
        reads
    }

    /// The variable and the names before `base`, where it is a variable or a path of names from one.
    fn rooted(&self, base: OpId, bases: &mut [bool]) -> Option<(u16, Vec<String>)> {
        match &self.ops[base.at()] {
            Op::Variable(slot) => {
                bases[base.at()] = true;
                Some((*slot, Vec::new()))
            }
            Op::Path { base, steps, .. } => {
                let Op::Variable(slot) = &self.ops[base.at()] else { return None };
                bases[base.at()] = true;
                Some((*slot, names(steps)))
            }
            _ => None,
        }
    }

    fn add(&self, reads: &mut Reads, slot: u16, names: Vec<String>) {
        let slot = usize::from(slot);
        reads.variables.push(slot);
        let mut path = vec![self.variables.get(slot).map(|name| name.to_string()).unwrap_or_default()];
        path.extend(names);
        reads.paths.push(path);
    }
}

/// The names up to the first step that is none.
fn names(steps: &[Step]) -> Vec<String> {
    let name = |step: &Step| match step {
        Step::Member { name, .. } => Some(Some(name.as_str().to_owned())),
        Step::EndChain | Step::OrNilList => Some(None),
        Step::Key { .. } | Step::Method { .. } => None,
    };
    steps.iter().map_while(name).flatten().collect()
}
