//! Making code: a front end pushes operations, children first; what is common to all languages is decided here (which
//! comparison is one with a constant, what is flattened, in which order cheap operands go first, which paths are shared).

use std::collections::BTreeMap;

use kanon_core::Name;

use super::{
    ArithmeticStep, Code, Comparison, Logic, Loop, Op, OpId, Place, Scalar, StaticPath, Step, Turn, chance,
    constant::constant_op,
    cost::{own_cost, turn_cost},
};
use crate::{
    allowance::Limits,
    dialect::Dialect,
    language::{Arena, Environment},
    machine::Machine,
};

/// How deep operations may stand in each other: what a thread's stack carries in a debug build.
const MAX_DEPTH: u16 = 256;

/// The text nests deeper than evaluation could follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expression is nested deeper than {MAX_DEPTH} levels")]
pub struct TooDeep {
    /// The first operation that is too deep.
    pub place: Place,
}

/// Makes [`Code`] for the dialect `D`.
pub struct Builder<D> {
    code: Code,
    /// One an operation: how deep evaluating it recurses.
    depths: Vec<u16>,
    /// One an operation: steps of one evaluation without turns of loops.
    costs: Vec<u32>,
    /// One an operation: the same with loops at ten turns each, for putting cheap operands first.
    weights: Vec<u32>,
    /// One an operation: whether it can never fail.
    total: Vec<bool>,
    paths: BTreeMap<String, u16>,
    too_deep: Option<TooDeep>,
    dialect: std::marker::PhantomData<D>,
}

impl<D: Dialect> Builder<D> {
    /// An empty program over an environment.
    pub fn new(env: &Environment) -> Builder<D> {
        Builder {
            code: Code {
                ops: Vec::new(),
                places: Vec::new(),
                root: OpId(0),
                locals: 0,
                variables: env.variables.iter().map(|name| name.as_str().into()).collect(),
                clock: None,
                hidden: env.slot(Environment::NOW),
                paths: Vec::new(),
                base_cost: 0,
            },
            depths: Vec::new(),
            costs: Vec::new(),
            weights: Vec::new(),
            total: Vec::new(),
            paths: BTreeMap::new(),
            too_deep: None,
            dialect: std::marker::PhantomData,
        }
    }

    /// A fresh local variable.
    pub fn local(&mut self) -> u16 {
        // Bounded by the length of the text.
        self.code.locals += 1;
        u16::try_from(self.code.locals - 1).unwrap_or(u16::MAX)
    }

    /// Says that the program reads the clock, which stands in this slot.
    pub fn reads_clock(&mut self, slot: Option<usize>) {
        self.code.clock = slot;
    }

    /// An operation that was pushed.
    pub fn op(&self, id: OpId) -> &Op {
        &self.code.ops[id.at()]
    }

    /// Where an operation stands.
    pub fn place(&self, id: OpId) -> Place {
        self.code.places[id.at()]
    }

    /// Appends an operation as it is.
    pub fn push(&mut self, op: Op, place: Place) -> OpId {
        let (mut depth, mut cost, mut total) = (0, own_cost(&op), is_total(&op));
        let mut weight = cost;
        op.children(|child| {
            depth = depth.max(self.depths[child.at()]);
            cost = cost.saturating_add(self.costs[child.at()]);
            weight = weight.saturating_add(self.weights[child.at()]);
            total &= self.total[child.at()];
        });
        if let Op::Loop(it) = &op {
            weight = weight.saturating_mul(10);
            // A turn takes the body's steps each time, and the stack of the loop besides the body's.
            cost = own_cost(&op).saturating_add(self.costs[it.source.at()]);
            depth += 2;
        }
        if depth >= MAX_DEPTH {
            self.too_deep.get_or_insert(TooDeep { place });
        }
        self.code.ops.push(op);
        self.code.places.push(place);
        self.depths.push(depth + 1);
        self.costs.push(cost);
        self.weights.push(weight);
        self.total.push(total);
        OpId(self.code.ops.len() as u32 - 1)
    }

    /// A path of steps from `base`; a path from a variable through names alone is shared.
    pub fn path(&mut self, base: OpId, steps: Vec<Step>, place: Place) -> OpId {
        let key = self.path_key(base, &steps);
        let next = u16::try_from(self.code.paths.len()).ok();
        let shared = key.as_ref().and_then(|key| self.paths.get(key).copied().or(next));
        let id = self.push(Op::Path { base, steps: steps.into(), shared, way: None }, place);
        if let Some(key) = key
            && shared.is_some()
            && shared == next
        {
            self.code.paths.push(StaticPath { key: key.as_str().into(), op: id });
            self.paths.insert(key, shared.unwrap_or_default());
        }
        id
    }

    /// Takes a path apart to go on with it. The operation must not be used elsewhere.
    pub fn take_path(&mut self, id: OpId) -> Option<(OpId, Vec<Step>)> {
        let Op::Path { base, steps, .. } = &mut self.code.ops[id.at()] else { return None };
        let taken = (*base, std::mem::take(steps).into_vec());
        self.code.ops[id.at()] = Op::Null;
        Some(taken)
    }

    /// Takes a chain of arithmetic apart to go on with it. The operation must not be used elsewhere.
    pub fn take_arithmetic(&mut self, id: OpId) -> Option<(OpId, Vec<ArithmeticStep>)> {
        let Op::Arithmetic { first, steps } = &mut self.code.ops[id.at()] else { return None };
        let taken = (*first, std::mem::take(steps).into_vec());
        self.code.ops[id.at()] = Op::Null;
        Some(taken)
    }

    /// One spelling of a path that is shared.
    fn path_key(&self, base: OpId, steps: &[Step]) -> Option<String> {
        let Op::Variable(variable) = *self.op(base) else { return None };
        let mut key = format!("{variable}");
        for step in steps {
            match step {
                Step::Member { name, optional, .. } => {
                    // With its length, so that no name can look like a step.
                    key.push_str(if *optional { "?." } else { "." });
                    key.push_str(&format!("{}:", name.as_str().len()));
                    key.push_str(name.as_str());
                }
                Step::EndChain => key.push(';'),
                Step::Key { .. } | Step::Method { .. } | Step::OrNilList => return None,
            }
        }
        Some(key)
    }

    /// `a && b`; chains of it become one operation. Operands that are chains must not be used elsewhere.
    pub fn and(&mut self, left: OpId, right: OpId, place: Place) -> OpId {
        let operands = self.operands(left, right, |op| match op {
            Op::And(logic) => Some(&mut logic.operands),
            _ => None,
        });
        self.push(Op::And(Logic { operands, order: Box::default() }), place)
    }

    /// `a || b`; chains of it become one operation. Operands that are chains must not be used elsewhere.
    pub fn or(&mut self, left: OpId, right: OpId, place: Place) -> OpId {
        let operands = self.operands(left, right, |op| match op {
            Op::Or(logic) => Some(&mut logic.operands),
            _ => None,
        });
        self.push(Op::Or(Logic { operands, order: Box::default() }), place)
    }

    fn operands(&mut self, left: OpId, right: OpId, chain: fn(&mut Op) -> Option<&mut Vec<OpId>>) -> Vec<OpId> {
        let mut take = |id: OpId| chain(&mut self.code.ops[id.at()]).map_or_else(|| vec![id], std::mem::take);
        let mut operands = take(left);
        operands.append(&mut take(right));
        operands
    }

    /// The order of evaluation of every chain: first what likely decides at little cost, where nobody can tell the difference.
    fn order(&mut self) {
        // What is no boolean fails where it is tested.
        let boolean: Vec<bool> = self.code.ops.iter().map(Op::is_boolean).collect();
        let orders: Vec<Option<Box<[Turn]>>> = self.code.ops.iter().map(|op| self.turns(op, &boolean)).collect();
        for (op, order) in self.code.ops.iter_mut().zip(orders) {
            if let (Op::And(logic) | Op::Or(logic), Some(order)) = (op, order) {
                logic.order = order;
            }
        }
    }

    fn turns(&self, op: &Op, boolean: &[bool]) -> Option<Box<[Turn]>> {
        let (logic, decisive) = match op {
            Op::And(logic) => (logic, false),
            Op::Or(logic) => (logic, true),
            _ => return None,
        };
        let mut turns: Vec<Turn> = (0..).zip(&logic.operands).map(|(at, id)| Turn { operand: *id, at }).collect();
        let price = |it: &Turn| {
            let chance = chance::of(&self.code.ops, it.operand, decisive);
            u64::from(self.weights[it.operand.at()]) * chance::CERTAIN / chance
        };
        if D::ABSORBS {
            turns.sort_by_key(price);
        } else {
            // Only among neighbours that cannot fail nobody can tell.
            let total = |it: &Turn| self.total[it.operand.at()] && boolean[it.operand.at()];
            turns.chunk_by_mut(|a, b| total(a) && total(b)).for_each(|run| run.sort_by_key(price));
        }
        Some(turns.into())
    }

    /// `left < right` and its like.
    pub fn compare(&mut self, op: Comparison, left: OpId, right: OpId, place: Place) -> OpId {
        self.push(Op::Compare { op, left, right, way: None }, place)
    }

    /// `left == right` or `!=`; a constant on either side is compared without being made a value.
    pub fn equal(&mut self, left: OpId, right: OpId, negated: bool, place: Place) -> OpId {
        if let Some(constant) = self.scalar(right) {
            return self.push(Op::EqualConst { left, constant, negated, way: None }, place);
        }
        if let Some(constant) = self.scalar(left) {
            return self.push(Op::EqualConst { left: right, constant, negated, way: None }, place);
        }
        self.push(Op::Equal { left, right, negated }, place)
    }

    /// `needle in haystack`; a constant list of texts is looked through without being made one.
    pub fn contains(&mut self, needle: OpId, haystack: OpId, place: Place) -> OpId {
        let words = match self.op(haystack) {
            Op::List(items) if !items.is_empty() => {
                let word = |id: &OpId| match self.op(*id) {
                    Op::Str(word) => Some(Name::new(word)),
                    _ => None,
                };
                items.iter().map(word).collect::<Option<Vec<Name>>>()
            }
            Op::Json(list) => {
                let root = list.root();
                let words = root.elements().map(|it| it.as_plain_str().map(Name::new)).collect::<Option<Vec<Name>>>();
                words.filter(|it| !it.is_empty())
            }
            _ => None,
        };
        match words {
            Some(words) => self.push(Op::InWords { needle, words: words.into() }, place),
            None => self.push(Op::In { needle, haystack }, place),
        }
    }

    /// A loop.
    pub fn each(&mut self, mut it: Loop, place: Place) -> OpId {
        let cost = |id: Option<OpId>| id.map_or(0, |id| self.costs[id.at()]);
        it.turn_cost = turn_cost(cost(it.body).saturating_add(cost(it.extra)));
        self.push(Op::Loop(Box::new(it)), place)
    }

    fn scalar(&self, id: OpId) -> Option<Scalar> {
        match self.op(id) {
            Op::Null => Some(Scalar::Null),
            Op::Bool(bool) => Some(Scalar::Bool(*bool)),
            Op::Int(int) => Some(Scalar::Int(*int)),
            Op::Str(text) => Some(Scalar::Str(Name::new(text))),
            _ => None,
        }
    }

    /// Whether an operation is a constant.
    pub fn is_constant(&self, id: OpId) -> bool {
        self.op(id).is_constant()
    }

    /// Replaces an operation whose operands are constants by its value, where it has one. What fails is left as it is, to
    /// fail where it is evaluated.
    #[must_use]
    pub fn fold(&mut self, id: OpId) -> OpId {
        let mut constant = !self.is_constant(id);
        self.op(id).children(|child| constant &= self.is_constant(child));
        if !constant || matches!(self.op(id), Op::Variable(_) | Op::Local(_) | Op::Environment | Op::Loop(_)) {
            return id;
        }
        let (arena, limits) = (Arena::new(), Limits { steps: 1_000, memory: 1_000, time: None });
        let mut machine = Machine::<D, false>::new(&self.code, &[], &limits, &arena, None);
        let folded = match machine.eval(id) {
            Ok(value) => constant_op(value, &arena),
            Err(_) => None,
        };
        let place = self.place(id);
        match folded {
            Some(op) => self.push(op, place),
            None => id,
        }
    }

    /// The finished program.
    ///
    /// # Errors
    /// When the text nests too deep.
    pub fn finish(mut self, root: OpId) -> Result<Code, TooDeep> {
        if let Some(error) = self.too_deep {
            return Err(error);
        }
        self.order();
        super::way::make(&mut self.code);
        // A path that was taken apart and is read elsewhere too has its reader there.
        for (at, op) in self.code.ops.iter().enumerate() {
            if let Op::Path { shared: Some(shared), .. } = op
                && let Some(path) = self.code.paths.get_mut(usize::from(*shared))
            {
                path.op = OpId(at as u32);
            }
        }
        self.code.root = root;
        self.code.base_cost = self.costs[root.at()];
        Ok(self.code)
    }
}

/// Whether an operation cannot fail where its operands cannot.
fn is_total(op: &Op) -> bool {
    op.is_constant() || matches!(op, Op::Variable(_) | Op::EqualConst { .. } | Op::Coalesce { .. })
}
