//! [`Tree`] to [`Code`]: one loop that flattens chains and folds what the original folds.

mod fold;

use kanon_lang::{Diagnostics, Environment, Span};

use crate::{
    ast::{BinaryOp, Id, Kind, Node, Tree, UnaryOp},
    builtins::Builtin,
    code::{AccessStep, Code, Op, OpId, SpineKind, SpineStep},
    parser::MAX_DEPTH,
    patterns,
};

/// Compiles a checked tree.
pub(crate) fn lower(
    tree: &Tree,
    source: &str,
    env: &Environment,
    functions: &[&'static str],
) -> Result<Code, Diagnostics> {
    let count = tree.nodes.len();
    let mut lowering = Lowering {
        tree,
        functions,
        uses: uses(tree),
        map: Vec::with_capacity(count),
        depth: Vec::with_capacity(count),
        code: Code {
            ops: Vec::with_capacity(count),
            spans: Vec::with_capacity(count),
            root: OpId(0),
            locals: usize::from(tree.locals),
            variables: env.variables.iter().map(|name| name.as_str().into()).collect(),
        },
    };
    for (at, node) in tree.nodes.iter().enumerate() {
        let op = lowering.node(at, node).map_err(|(message, at)| Diagnostics::one(source, message, at))?;
        lowering.map.push(op);
        if lowering.depth.last().is_some_and(|depth| *depth > MAX_DEPTH) {
            let message = format!("expression is nested deeper than {MAX_DEPTH} levels");
            return Err(Diagnostics::one(source, message, node.at));
        }
    }
    let mut code = lowering.code;
    code.root = lowering.map.last().copied().unwrap_or(OpId(0));
    Ok(code)
}

/// How many parents each node has: chained comparisons and `?:` share their operand.
fn uses(tree: &Tree) -> Vec<u8> {
    let mut uses = vec![0u8; tree.nodes.len()];
    for node in &tree.nodes {
        let mut pair = |a: Id, b: Id| {
            for id in [a, b] {
                uses[id.at()] = uses[id.at()].saturating_add(1);
            }
        };
        match &node.kind {
            Kind::Binary(_, left, right) => pair(*left, *right),
            Kind::Conditional { condition, yes, .. } => pair(*condition, *yes),
            _ => {}
        }
    }
    uses
}

type Place = (String, Span);

struct Lowering<'t> {
    tree: &'t Tree,
    functions: &'t [&'static str],
    uses: Vec<u8>,
    /// Node to operation.
    map: Vec<OpId>,
    /// Operation to how deep evaluating it recurses.
    depth: Vec<usize>,
    code: Code,
}

impl Lowering<'_> {
    fn op(&self, id: Id) -> OpId {
        self.map[id.at()]
    }

    fn ops(&self, ids: &[Id]) -> Box<[OpId]> {
        ids.iter().map(|id| self.op(*id)).collect()
    }

    fn get(&self, op: OpId) -> &Op {
        &self.code.ops[op.at()]
    }

    fn push(&mut self, op: Op, node: &Node, children: &[OpId]) -> OpId {
        let depth = children.iter().map(|child| self.depth[child.at()]).max().unwrap_or(0) + 1;
        self.push_at(op, node, depth)
    }

    fn push_at(&mut self, op: Op, node: &Node, depth: usize) -> OpId {
        self.code.ops.push(op);
        self.code.spans.push((node.span, node.at));
        self.depth.push(depth);
        OpId(self.code.ops.len() as u32 - 1)
    }

    fn node(&mut self, at: usize, node: &Node) -> Result<OpId, Place> {
        if let Some(folded) = self.fold(node).map_err(|message| (message, node.at))? {
            return Ok(folded);
        }
        Ok(match &node.kind {
            Kind::Nil => self.push(Op::Nil, node, &[]),
            Kind::Unbound(_) => self.push(Op::Nil, node, &[]),
            Kind::Bool(bool) => self.push(Op::Bool(*bool), node, &[]),
            Kind::Int(int) => self.push(Op::Int(*int), node, &[]),
            Kind::Float(float) => self.push(Op::Float(*float), node, &[]),
            Kind::Str(text) => self.push(Op::Str(text.clone()), node, &[]),
            Kind::Bytes(bytes) => self.push(Op::Bytes(bytes.clone()), node, &[]),
            Kind::Variable(slot) => self.push(Op::Variable(*slot), node, &[]),
            Kind::Local { slot, .. } => self.push(Op::Local(*slot), node, &[]),
            Kind::Environment => self.push(Op::Environment, node, &[]),
            Kind::Element { .. } => self.push(Op::Element, node, &[]),
            Kind::Index => self.push(Op::Index, node, &[]),
            Kind::Accumulator => self.push(Op::Accumulator, node, &[]),
            Kind::Unary(op, operand) => {
                let operand = self.op(*operand);
                let op = match op {
                    UnaryOp::Not => Op::Not(operand),
                    UnaryOp::Minus => Op::Minus(operand),
                    UnaryOp::Plus => Op::Plus(operand),
                };
                self.push(op, node, &[operand])
            }
            Kind::Binary(op, left, right) => self.binary(node, *op, *left, *right).map_err(|it| (it, node.at))?,
            Kind::Member { base, key, optional } => self.member(node, *base, *key, *optional),
            Kind::Chain(inner) => self.chain(*inner),
            Kind::Slice { base, from, to } => {
                let (base, from, to) = (self.op(*base), from.map(|id| self.op(id)), to.map(|id| self.op(id)));
                let children: Vec<OpId> = [Some(base), from, to].into_iter().flatten().collect();
                self.push(Op::Slice { base, from, to }, node, &children)
            }
            Kind::Call { callee, args, method } => self.call(node, *callee, args, *method),
            Kind::Function { name, args } => {
                let function = self.functions.iter().position(|it| **it == **name);
                let args = self.ops(args);
                let children = args.clone();
                if let [text, pattern] = *args
                    && **name == *crate::REGEX_MATCH
                {
                    let regex = match self.get(pattern) {
                        Op::Str(pattern) => patterns::compile(pattern).ok().map(Box::new),
                        _ => None,
                    };
                    return Ok(self.push(Op::RegexMatch { text, pattern, regex }, node, &children));
                }
                self.push(Op::Function { function, args }, node, &children)
            }
            Kind::Builtin { builtin, args } => {
                let args = self.ops(args);
                let deepest = args.iter().map(|arg| self.depth[arg.at()]).max().unwrap_or(0);
                // A predicate takes as much stack as three ordinary levels.
                let levels = if builtin.parameters().is_some() { 3 } else { 1 };
                self.push_at(Op::Builtin { builtin: *builtin, args }, node, deepest + levels)
            }
            Kind::Predicate(body) => self.op(*body),
            Kind::Conditional { condition, yes, no } => {
                let (condition, yes, no) = (self.op(*condition), self.op(*yes), self.op(*no));
                self.push(Op::Conditional { condition, yes, no }, node, &[condition, yes, no])
            }
            Kind::Let { slot, value, body } => {
                let (value, body) = (self.op(*value), self.op(*body));
                self.push(Op::Let { slot: *slot, value, body }, node, &[value, body])
            }
            Kind::Sequence(items) => {
                let items = self.ops(items);
                self.push(Op::Sequence(items.clone()), node, &items)
            }
            Kind::List(items) => {
                let items = self.ops(items);
                self.push(Op::List(items.clone()), node, &items)
            }
            Kind::Map(items) => {
                let items = self.ops(items);
                self.push(Op::Map(items.clone()), node, &items)
            }
        })
        .inspect(|_| debug_assert!(at == self.map.len()))
    }

    fn binary(&mut self, node: &Node, op: BinaryOp, left: Id, right: Id) -> Result<OpId, String> {
        let (left_op, right_op) = (self.op(left), self.op(right));
        let step = SpineStep { kind: self.spine_kind(op, right_op)?, right: right_op, span: node.span, at: node.at };
        let shared = self.uses[left.at()] > 1;
        let depth = self.depth[left_op.at()].max(self.depth[right_op.at()] + 1);
        if let Op::Spine { first, steps } = &mut self.code.ops[left_op.at()]
            && !shared
        {
            let (first, mut steps) = (*first, std::mem::take(steps));
            steps.push(step);
            self.code.ops[left_op.at()] = Op::Merged;
            return Ok(self.push_at(Op::Spine { first, steps }, node, depth));
        }
        Ok(self.push(Op::Spine { first: left_op, steps: vec![step] }, node, &[left_op, right_op]))
    }

    fn spine_kind(&self, op: BinaryOp, right: OpId) -> Result<SpineKind, String> {
        Ok(match (op, self.get(right)) {
            (BinaryOp::Matches, Op::Str(pattern)) => SpineKind::Pattern(Box::new(patterns::compile(pattern)?)),
            (BinaryOp::In, Op::List(items)) if !items.is_empty() => self.literals(items, op),
            _ => SpineKind::Operator(op),
        })
    }

    /// `in` a list of literals needs no list.
    fn literals(&self, items: &[OpId], op: BinaryOp) -> SpineKind {
        let word = |id: &OpId| match self.get(*id) {
            Op::Str(word) => Some(word.clone()),
            _ => None,
        };
        if let Some(mut words) = items.iter().map(word).collect::<Option<Vec<_>>>() {
            words.sort();
            return SpineKind::Words(words.into());
        }
        let literal =
            |id: &OpId| matches!(self.get(*id), Op::Nil | Op::Bool(_) | Op::Int(_) | Op::Float(_) | Op::Str(_));
        if items.iter().all(literal) { SpineKind::Literals(items.into()) } else { SpineKind::Operator(op) }
    }

    /// Takes the steps of `base` to add one, or begins with none.
    fn steps(&mut self, base: Id) -> (OpId, Vec<AccessStep>, usize) {
        let op = self.op(base);
        let shared = self.uses[base.at()] > 1;
        let depth = self.depth[op.at()];
        if let Op::Access { base, steps } = &mut self.code.ops[op.at()]
            && !shared
        {
            let (base, steps) = (*base, std::mem::take(steps));
            self.code.ops[op.at()] = Op::Merged;
            return (base, steps, depth);
        }
        (op, Vec::new(), depth + 1)
    }

    fn member(&mut self, node: &Node, base: Id, key: Id, optional: bool) -> OpId {
        // `$env.x` and `$env["x"]` are the variable.
        if let (Kind::Environment, Kind::Str(name)) =
            (&self.tree.nodes[base.at()].kind, &self.tree.nodes[key.at()].kind)
        {
            let slot = self.code.variables.iter().position(|it| it == name);
            return self.push(slot.map_or(Op::Nil, Op::Variable), node, &[]);
        }
        let key_op = self.op(key);
        let (base, mut steps, depth) = self.steps(base);
        let depth = depth.max(self.depth[key_op.at()] + 1);
        let (at, span) = (node.at, node.span);
        steps.push(match self.get(key_op) {
            Op::Str(name) => AccessStep::Name { name: name.clone(), optional, at, span },
            _ => AccessStep::Key { key: key_op, optional, at, span },
        });
        if steps.len() == 1 && matches!(self.get(base), Op::Builtin { builtin: Builtin::GroupBy, .. }) {
            steps.push(AccessStep::OrNilList);
        }
        self.push_at(Op::Access { base, steps }, node, depth)
    }

    fn chain(&mut self, inner: Id) -> OpId {
        let op = self.op(inner);
        if let Op::Access { steps, .. } = &mut self.code.ops[op.at()] {
            steps.push(AccessStep::EndChain);
        }
        op
    }

    fn call(&mut self, node: &Node, callee: Id, args: &[Id], method: bool) -> OpId {
        let args = self.ops(args);
        let op = self.op(callee);
        let deepest = args.iter().map(|arg| self.depth[arg.at()] + 1).max().unwrap_or(0);
        if method && let Op::Access { .. } = self.get(op) {
            let (base, mut steps, depth) = self.steps(callee);
            if let Some(AccessStep::Name { name, optional, at, .. }) = steps.pop() {
                steps.push(AccessStep::Method { name, optional, args, at, span: node.span });
            }
            return self.push_at(Op::Access { base, steps }, node, depth.max(deepest));
        }
        let depth = deepest.max(self.depth[op.at()] + 1);
        self.push_at(Op::Call { callee: op, args }, node, depth)
    }
}
