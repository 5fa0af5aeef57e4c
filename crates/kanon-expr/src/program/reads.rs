//! What a program reads, found in its code.

use kanon_lang::Reads;

use crate::{
    builtins::Builtin,
    code::{AccessStep, Code, Op},
};

/// Variables and paths of `code`; `clock` is the slot that `now()` reads.
pub(super) fn reads(code: &Code, clock: Option<usize>) -> Reads {
    let mut reads = Reads::default();
    // Variables that begin a longer path; alone they would say "all of it".
    let mut bases = vec![false; code.ops.len()];
    for op in &code.ops {
        if let Op::Access { base, steps } = op
            && let Op::Variable(slot) = &code.ops[base.at()]
        {
            bases[base.at()] = true;
            let names = steps.iter().map_while(|step| match step {
                AccessStep::Name { name, .. } => Some(Some(name.to_string())),
                AccessStep::EndChain | AccessStep::OrNilList => Some(None),
                AccessStep::Key { .. } | AccessStep::Method { .. } => None,
            });
            add(&mut reads, code, *slot, names.flatten().collect());
        }
    }
    for (op, base) in code.ops.iter().zip(bases) {
        match op {
            Op::Variable(slot) if !base => add(&mut reads, code, *slot, Vec::new()),
            Op::Environment => {
                for slot in (0..code.variables.len()).filter(|slot| Some(*slot) != clock) {
                    add(&mut reads, code, slot, Vec::new());
                }
            }
            Op::Builtin { builtin: Builtin::Now, .. } => {
                reads.clock = true;
                reads.variables.extend(clock);
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

fn add(reads: &mut Reads, code: &Code, slot: usize, names: Vec<String>) {
    reads.variables.push(slot);
    let mut path = vec![code.variables.get(slot).map(|name| name.to_string()).unwrap_or_default()];
    path.extend(names);
    reads.paths.push(path);
}
