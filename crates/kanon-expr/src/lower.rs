//! The rewritten tree to the operations of the shared machine: one loop over the nodes, children first. What grows to the left
//! (`a + b - c`, `a.b.c`, `a ?? b ?? c`) is gathered while it grows and becomes one operation, so that evaluation is no deeper
//! than the text nests.

mod loops;
mod survey;

use std::collections::BTreeMap;

use kanon_core::Name;
use kanon_lang::{
    Environment, Native,
    ir::{Arithmetic, ArithmeticStep, Builder, Code, Comparison, Op, OpId, Overload, Place, Step, TextTest, TooDeep},
};

use self::survey::Survey;
use crate::{
    ast::{BinaryOp, Id, Kind, Node, Tree, UnaryOp},
    builtins::Builtin,
    dialect::Meaning,
    functions, natives, patterns,
};

/// Compiles a rewritten tree.
///
/// # Errors
/// When it nests deeper than evaluation follows.
pub(crate) fn lower(tree: &Tree, env: &Environment) -> Result<Code, TooDeep> {
    let mut lowering = Lowering {
        tree,
        env,
        survey: Survey::of(tree),
        builder: Builder::new(env),
        made: Vec::with_capacity(tree.nodes.len()),
        locals: Vec::new(),
        loops: BTreeMap::new(),
    };
    lowering.locals = tree.locals.iter().map(|_| lowering.builder.local()).collect();
    for (at, node) in tree.nodes.iter().enumerate() {
        let made = if lowering.survey.live[at] { lowering.node(at, node) } else { Made::Nothing };
        lowering.made.push(made);
    }
    let root = lowering.op(Id(tree.nodes.len() as u32 - 1));
    lowering.builder.finish(root)
}

/// What has become of a node so far.
enum Made {
    /// Nothing: it is not needed, or has been taken up by its parent.
    Nothing,
    Op(OpId),
    /// A path that may go on.
    Path(Path),
    /// A sum or product that may go on.
    Sum(OpId, Vec<ArithmeticStep>),
    /// Operands of `??`, which may be followed by more.
    Choice(Vec<OpId>),
}

struct Path {
    base: OpId,
    steps: Vec<Step>,
    /// Arguments of calls on the way, with the local that keeps each: they are evaluated before the path, as the original
    /// does it.
    arguments: Vec<(u16, OpId)>,
}

/// The locals of one predicate.
#[derive(Clone, Copy)]
struct Slots {
    element: u16,
    index: Option<u16>,
    accumulator: Option<u16>,
}

struct Lowering<'t> {
    tree: &'t Tree,
    env: &'t Environment,
    survey: Survey,
    builder: Builder<Meaning>,
    /// One a node.
    made: Vec<Made>,
    /// The locals of `let` variables.
    locals: Vec<u16>,
    /// The locals of predicates, by the node whose predicate it is.
    loops: BTreeMap<usize, Slots>,
}

fn place(node: &Node) -> Place {
    Place { span: node.span, at: node.at }
}

impl Lowering<'_> {
    /// The finished operation of a node.
    fn op(&mut self, id: Id) -> OpId {
        let place = place(self.tree.get(id));
        let op = match std::mem::replace(&mut self.made[id.at()], Made::Nothing) {
            Made::Op(op) => op,
            Made::Nothing => self.builder.push(Op::Null, place),
            Made::Path(Path { base, steps, arguments }) => {
                let mut op = self.builder.path(base, steps, place);
                for (slot, value) in arguments.into_iter().rev() {
                    op = self.builder.push(Op::Let { slot, value, body: op }, place);
                }
                op
            }
            Made::Sum(first, steps) => self.builder.push(Op::Arithmetic { first, steps: steps.into() }, place),
            Made::Choice(operands) => self.choice(&operands, place),
        };
        self.made[id.at()] = Made::Op(op);
        op
    }

    fn ops(&mut self, ids: &[Id]) -> Box<[OpId]> {
        ids.iter().map(|id| self.op(*id)).collect()
    }

    fn call(&mut self, native: Native, args: &[OpId], place: Place) -> OpId {
        let overload = Overload { parameters: Box::default(), body: native };
        self.builder.push(Op::Call { overloads: [overload].into(), args: args.into() }, place)
    }

    /// `??` is the same however it is bracketed; halves of halves are not deep.
    fn choice(&mut self, operands: &[OpId], place: Place) -> OpId {
        match operands {
            [] => self.builder.push(Op::Null, place),
            [one] => *one,
            _ => {
                let (left, right) = operands.split_at(operands.len() / 2);
                let (left, right) = (self.choice(left, place), self.choice(right, place));
                self.builder.push(Op::Coalesce { left, right }, place)
            }
        }
    }

    fn node(&mut self, at: usize, node: &Node) -> Made {
        let here = place(node);
        let op = match &node.kind {
            Kind::Nil | Kind::Unbound(_) => Op::Null,
            Kind::Bool(bool) => Op::Bool(*bool),
            Kind::Int(int) => Op::Int(*int),
            Kind::Float(float) => Op::Float(*float),
            Kind::Str(text) => Op::Str(text.clone()),
            Kind::Bytes(bytes) => Op::Bytes(bytes.clone()),
            Kind::Variable(slot) => u16::try_from(*slot).map_or(Op::Null, Op::Variable),
            Kind::Local { slot, .. } => self.locals.get(usize::from(*slot)).map_or(Op::Null, |it| Op::Local(*it)),
            Kind::Environment => Op::Environment,
            Kind::Element { .. } => Op::Local(self.slots(self.survey.scope[at]).element),
            Kind::Index(_) => Op::Local(self.index(at)),
            Kind::Accumulator(_) => match self.accumulator(at) {
                Some(slot) => Op::Local(slot),
                None => Op::Null,
            },
            Kind::Unary(op, operand) => {
                let operand = self.op(*operand);
                match op {
                    UnaryOp::Not => Op::Not(operand),
                    UnaryOp::Minus => Op::Negate(operand),
                    UnaryOp::Plus => return Made::Op(operand),
                }
            }
            Kind::Binary(op, left, right) => return self.binary(at, *op, *left, *right, here),
            Kind::Among { needle, words } => {
                let words = words.iter().map(|word| Name::new(word)).collect();
                Op::InWords { needle: self.op(*needle), words }
            }
            Kind::Member { base, key, optional } => return self.member(*base, *key, *optional, here),
            Kind::Chain(inner) => {
                let mut path = self.path(*inner);
                path.steps.push(Step::EndChain);
                return Made::Path(path);
            }
            Kind::Slice { base, from, to } => return Made::Op(self.slice(*base, *from, *to, here)),
            Kind::Call { callee, args, method } => return self.call_value(*callee, args, *method, here),
            Kind::Function { name, args, method } => return Made::Op(self.function(name, args, *method, here)),
            Kind::Builtin { builtin, args } if builtin.parameters().is_some() => {
                return Made::Op(self.predicate(at, *builtin, args, here));
            }
            Kind::Builtin { builtin, args } => {
                if *builtin == Builtin::Now {
                    self.builder.reads_clock(self.env.slot(Environment::NOW));
                }
                let args = self.ops(args);
                return Made::Op(self.call(builtin.native(), &args, here));
            }
            Kind::Predicate(body) => return Made::Op(self.op(*body)),
            Kind::Conditional { condition, yes, no } => {
                Op::Cond { test: self.op(*condition), yes: self.op(*yes), no: self.op(*no) }
            }
            Kind::Let { slot, value, body, .. } => {
                let slot = self.locals.get(usize::from(*slot)).copied().unwrap_or_default();
                Op::Let { slot, value: self.op(*value), body: self.op(*body) }
            }
            Kind::Sequence(items) => Op::Sequence(self.ops(items)),
            Kind::List(items) => {
                let constant = !items.is_empty() && items.iter().all(|id| self.tree.get(*id).kind.is_scalar());
                let items = self.ops(items);
                let list = self.builder.push(Op::List(items), here);
                return Made::Op(if constant { self.builder.fold(list) } else { list });
            }
            Kind::Map(items) => Op::Map(self.ops(items)),
            Kind::Select { builtin, collection, test, map, strict } => {
                return Made::Op(self.select(at, *builtin, [*collection, *test], *map, *strict, here));
            }
            Kind::AtLeast { collection, test, limit } => {
                return Made::Op(self.at_least(at, *collection, *test, *limit, here));
            }
            Kind::SumOf(items) => {
                let items = self.ops(items);
                return Made::Op(self.call(natives::sum_of, &items, here));
            }
        };
        Made::Op(self.builder.push(op, here))
    }

    fn binary(&mut self, at: usize, op: BinaryOp, left: Id, right: Id, here: Place) -> Made {
        use Comparison::{Greater, GreaterEqual, Less, LessEqual};
        if let Some(op) = arithmetic(op) {
            let taken = std::mem::replace(&mut self.made[left.at()], Made::Nothing);
            let (first, mut steps) = match taken {
                Made::Sum(first, steps) => (first, steps),
                other => {
                    self.made[left.at()] = other;
                    (self.op(left), Vec::new())
                }
            };
            steps.push(ArithmeticStep { op, right: self.op(right), place: here });
            return Made::Sum(first, steps);
        }
        if op == BinaryOp::Coalesce {
            let taken = std::mem::replace(&mut self.made[left.at()], Made::Nothing);
            let mut operands = match taken {
                Made::Choice(operands) => operands,
                other => {
                    self.made[left.at()] = other;
                    vec![self.op(left)]
                }
            };
            operands.push(self.op(right));
            return Made::Choice(operands);
        }
        let (left, right) = (self.op(left), self.op(right));
        let text = |op| Op::Text { op, left, right };
        let op = match op {
            BinaryOp::And | BinaryOp::Or => return Made::Op(self.logic(at, op, left, right, here)),
            BinaryOp::Equal => return Made::Op(self.builder.equal(left, right, false, here)),
            BinaryOp::NotEqual => return Made::Op(self.builder.equal(left, right, true, here)),
            BinaryOp::Less => return Made::Op(self.builder.compare(Less, left, right, here)),
            BinaryOp::Greater => return Made::Op(self.builder.compare(Greater, left, right, here)),
            BinaryOp::LessEqual => return Made::Op(self.builder.compare(LessEqual, left, right, here)),
            BinaryOp::GreaterEqual => return Made::Op(self.builder.compare(GreaterEqual, left, right, here)),
            BinaryOp::In => Op::In { needle: left, haystack: right },
            BinaryOp::Contains => text(TextTest::Contains),
            BinaryOp::StartsWith => text(TextTest::StartsWith),
            BinaryOp::EndsWith => text(TextTest::EndsWith),
            BinaryOp::Matches => match self.pattern(right) {
                Some(regex) => Op::Matches { text: left, regex },
                None => return Made::Op(self.call(natives::matches, &[left, right], here)),
            },
            _ => return Made::Op(self.call(natives::range, &[left, right], here)),
        };
        Made::Op(self.builder.push(op, here))
    }

    /// A constant pattern, compiled; one that does not compile fails where it is evaluated.
    fn pattern(&self, id: OpId) -> Option<Box<regex::Regex>> {
        match self.builder.op(id) {
            Op::Str(pattern) => patterns::compile(pattern).ok().map(Box::new),
            _ => None,
        }
    }

    /// The last operand may be anything where nobody tests it: `true && 1` is 1.
    fn logic(&mut self, at: usize, op: BinaryOp, left: OpId, right: OpId, here: Place) -> OpId {
        let plain = self.survey.tested[at] || gives_bool(self.builder.op(right));
        if plain {
            return match op {
                BinaryOp::And => self.builder.and(left, right, here),
                _ => self.builder.or(left, right, here),
            };
        }
        let decided = self.builder.push(Op::Bool(op == BinaryOp::Or), here);
        let (yes, no) = if op == BinaryOp::And { (right, decided) } else { (decided, right) };
        self.builder.push(Op::Cond { test: left, yes, no }, here)
    }

    /// A path to go on with.
    fn path(&mut self, id: Id) -> Path {
        let taken = std::mem::replace(&mut self.made[id.at()], Made::Nothing);
        match taken {
            Made::Path(path) => path,
            other => {
                self.made[id.at()] = other;
                Path { base: self.op(id), steps: Vec::new(), arguments: Vec::new() }
            }
        }
    }

    fn member(&mut self, base: Id, key: Id, optional: bool, here: Place) -> Made {
        if let Kind::Builtin { builtin: Builtin::GroupBy, .. } = self.tree.get(base).kind {
            let args = [self.op(base), self.op(key)];
            return Made::Op(self.call(natives::fetch_group, &args, here));
        }
        let mut path = self.path(base);
        let key = self.op(key);
        path.steps.push(match self.builder.op(key) {
            Op::Str(name) => Step::Member { name: Name::new(name), optional, place: here },
            _ => Step::Key { key, optional, place: here },
        });
        Made::Path(path)
    }

    fn slice(&mut self, base: Id, from: Option<Id>, to: Option<Id>, here: Place) -> OpId {
        let base = self.op(base);
        let bounds = (to.map(|to| self.op(to)), from.map(|from| self.op(from)));
        match bounds {
            (Some(to), Some(from)) => self.call(natives::slice_between, &[base, to, from], here),
            (Some(to), None) => self.call(natives::slice_to, &[base, to], here),
            (None, Some(from)) => self.call(natives::slice_from, &[base, from], here),
            (None, None) => self.call(natives::slice_all, &[base], here),
        }
    }

    fn call_value(&mut self, callee: Id, args: &[Id], method: bool, here: Place) -> Made {
        let args = self.ops(args);
        if method {
            let mut path = self.path(callee);
            if let Some(Step::Member { name, optional, place }) = path.steps.pop() {
                let (args, mut arguments) = self.kept(&args);
                arguments.append(&mut path.arguments);
                let place = Place { span: here.span, at: place.at };
                path.steps.push(Step::Method { name, args, optional, place });
                return Made::Path(Path { arguments, ..path });
            }
        }
        let callee = self.op(callee);
        Made::Op(self.builder.push(Op::CallValue { callee, args }, here))
    }

    /// Arguments that nobody can tell when they are evaluated stay; the others go to locals.
    fn kept(&mut self, args: &[OpId]) -> (Box<[OpId]>, Vec<(u16, OpId)>) {
        let plain = |builder: &Builder<Meaning>, id: OpId| {
            builder.is_constant(id) || matches!(builder.op(id), Op::Variable(_) | Op::Environment)
        };
        if args.iter().all(|arg| plain(&self.builder, *arg)) {
            return (args.into(), Vec::new());
        }
        let mut arguments = Vec::with_capacity(args.len());
        let mut locals = Vec::with_capacity(args.len());
        for arg in args {
            let slot = self.builder.local();
            let place = self.builder.place(*arg);
            locals.push(self.builder.push(Op::Local(slot), place));
            arguments.push((slot, *arg));
        }
        (locals.into(), arguments)
    }

    fn function(&mut self, name: &str, args: &[Id], method: bool, here: Place) -> OpId {
        let args = self.ops(args);
        if let (crate::REGEX_MATCH, [text, pattern]) = (name, &*args) {
            return match self.pattern(*pattern) {
                Some(regex) => {
                    let text = self.call(natives::regex_text, &[*text], here);
                    self.builder.push(Op::Matches { text, regex }, here)
                }
                None => self.call(natives::regex_match, &[*text, *pattern], here),
            };
        }
        let overloads: Vec<Overload> = functions::overloads(self.env, name, method)
            .filter(|it| it.parameters.len() == args.len())
            .map(|it| Overload { parameters: it.parameters.clone().into(), body: it.body })
            .collect();
        if overloads.is_empty() {
            // A name that means nothing is nil; calling it is an error, and comes after its arguments.
            let callee = self.builder.push(Op::Null, here);
            return self.builder.push(Op::CallValue { callee, args }, here);
        }
        self.builder.push(Op::Call { overloads: overloads.into(), args }, here)
    }
}

fn arithmetic(op: BinaryOp) -> Option<Arithmetic> {
    Some(match op {
        BinaryOp::Add => Arithmetic::Add,
        BinaryOp::Subtract => Arithmetic::Subtract,
        BinaryOp::Multiply => Arithmetic::Multiply,
        BinaryOp::Divide => Arithmetic::Divide,
        BinaryOp::Modulo => Arithmetic::Modulo,
        BinaryOp::Power => Arithmetic::Power,
        _ => return None,
    })
}

/// Whether an operation gives a boolean or fails.
fn gives_bool(op: &Op) -> bool {
    use kanon_lang::ir::LoopKind::{All, Any, None, One};
    match op {
        Op::Bool(_) | Op::Not(_) | Op::And(_) | Op::Or(_) | Op::Equal { .. } | Op::EqualConst { .. } => true,
        Op::Compare { .. } | Op::In { .. } | Op::InWords { .. } | Op::Text { .. } | Op::Matches { .. } => true,
        Op::Loop(it) => matches!(it.kind, All | Any | None | One),
        _ => false,
    }
}
