//! From the checked tree to the compiled form that all languages share. What means the same as something simpler becomes that;
//! the rest are calls.

mod calls;
mod loops;
mod natives;

use kanon_core::Name;
use kanon_lang::{
    Environment, Native, Span,
    ir::{
        Arithmetic, ArithmeticStep, Builder, Code, Comparison, Logic as Operands, Op, OpId, Overload, Place, Step,
        TooDeep,
    },
};

use crate::{
    ast::{Binary, Block, Constant, Element, Entry, Expr, Index, Kind, Logic, Select, Unary},
    check::{Checked, Reference},
    dialect::Meaning,
};

/// The code of a checked program, and the conditions whose value turned out to be known.
pub(crate) fn lower(checked: &Checked, env: &Environment) -> Result<(Code, Vec<(Span, bool)>), TooDeep> {
    let mut lowering =
        Lowering { checked, env, builder: Builder::new(env), scope: Vec::new(), known: Vec::new(), ahead: MAX_AHEAD };
    let root = lowering.expr(&checked.expr);
    Ok((lowering.builder.finish(root)?, lowering.known))
}

struct Lowering<'c> {
    checked: &'c Checked,
    env: &'c Environment,
    builder: Builder<Meaning>,
    /// The variables of the macros around, as the checker counts them: where their values stand.
    scope: Vec<u16>,
    known: Vec<(Span, bool)>,
    /// How many more calls may be evaluated, and patterns compiled, ahead of time: either may take long.
    ahead: u32,
}

/// How many calls and patterns are seen to ahead of time. Programs have few; a text made to have thousands must not take
/// seconds to compile.
const MAX_AHEAD: u32 = 40;

impl<'c> Lowering<'c> {
    fn expr(&mut self, expr: &'c Expr) -> OpId {
        let place = Place { span: expr.span, at: expr.at };
        match self.checked.reference(expr.id) {
            Reference::Variable(slot) => {
                return match u16::try_from(*slot) {
                    Ok(slot) => self.builder.push(Op::Variable(slot), place),
                    Err(_) => self.failure("the environment has too many variables", place),
                };
            }
            Reference::Local(at) => {
                let slot = self.scope.get(*at).copied().unwrap_or(u16::MAX);
                return self.builder.push(Op::Local(slot), place);
            }
            Reference::Type(name) => return self.builder.push(Op::Type((*name).into()), place),
            Reference::Missing(message) => return self.failure(message, place),
            Reference::Function { overloads, pass } => return self.call(expr, overloads, *pass, place),
            Reference::None => {}
        }
        match &expr.kind {
            Kind::Literal(literal) => self.builder.push(constant(&literal.value), place),
            Kind::Name(_) | Kind::Call(_) | Kind::Message(_) => self.failure("undeclared reference", place),
            Kind::Select(select) => self.select(select, place),
            Kind::Has(select) => {
                let base = self.expr(&select.operand);
                self.builder.push(Op::Has { base, name: Name::new(&select.field), way: None }, place)
            }
            Kind::Index(index) => self.index(index, place),
            Kind::Unary(operator, operand) => {
                let operand = self.expr(operand);
                let op = match operator {
                    Unary::Not => Op::Not(operand),
                    Unary::Negate => Op::Negate(operand),
                };
                let id = self.builder.push(op, place);
                self.folded(id)
            }
            Kind::Binary(operator, operands) => self.binary(*operator, &operands.0, &operands.1, place),
            Kind::Logic(logic, operands) => {
                let operands = Operands::new(operands.iter().map(|it| self.expr(it)).collect());
                let op = match logic {
                    Logic::And => Op::And(operands),
                    Logic::Or => Op::Or(operands),
                };
                self.builder.push(op, place)
            }
            Kind::Conditional(parts) => {
                let [test, yes, no] = [&parts[0], &parts[1], &parts[2]].map(|it| self.expr(it));
                self.builder.push(Op::Cond { test, yes, no }, place)
            }
            Kind::List(elements) => self.list(elements, place),
            Kind::Map(entries) => self.map(entries, place),
            Kind::Loop(it) => self.each(it, place),
            Kind::Bind(bind) => {
                let value = self.expr(&bind.value);
                self.bound(value, place, |lowering| lowering.expr(&bind.body))
            }
            Kind::Block(block) => self.block(block, 0, place),
        }
    }

    /// Whether one more call may be evaluated, or pattern compiled, ahead of time.
    fn takes_time(&mut self) -> bool {
        let is_left = self.ahead > 0;
        self.ahead = self.ahead.saturating_sub(1);
        is_left
    }

    /// An operation replaced by its value, if that is known.
    fn folded(&mut self, id: OpId) -> OpId {
        let folded = self.builder.fold(id);
        if let (true, Op::Bool(bool)) = (folded != id, self.builder.op(folded)) {
            self.known.push((self.builder.place(id).span, *bool));
        }
        folded
    }

    /// `body` with one more variable in scope, whose value is `value`.
    fn bound(&mut self, value: OpId, place: Place, body: impl FnOnce(&mut Self) -> OpId) -> OpId {
        let slot = self.builder.local();
        self.scope.push(slot);
        let body = body(self);
        self.scope.pop();
        self.builder.push(Op::Let { slot, value, body }, place)
    }

    fn block(&mut self, block: &'c Block, at: usize, place: Place) -> OpId {
        match block.slots.get(at) {
            None => self.expr(&block.body),
            Some(slot) => {
                let value = self.expr(slot);
                self.bound(value, place, |lowering| lowering.block(block, at + 1, place))
            }
        }
    }

    fn select(&mut self, select: &'c Select, place: Place) -> OpId {
        let base = self.expr(&select.operand);
        if select.optional {
            let name = self.builder.push(Op::Str(select.field.as_str().into()), place);
            return self.native(natives::optional_index, vec![base, name], place);
        }
        self.step(base, Step::Member { name: Name::new(&select.field), optional: false, place }, place)
    }

    fn index(&mut self, index: &'c Index, place: Place) -> OpId {
        let base = self.expr(&index.operand);
        let key = self.expr(&index.key);
        if index.optional {
            return self.native(natives::optional_index, vec![base, key], place);
        }
        // A constant name is a member: such paths are found, shared and reported like others.
        let step = match self.builder.op(key) {
            Op::Str(name) => Step::Member { name: Name::new(name), optional: false, place },
            _ => Step::Key { key, optional: false, place },
        };
        self.step(base, step, place)
    }

    /// One more step of the path that `base` is, or the first from it.
    fn step(&mut self, base: OpId, step: Step, place: Place) -> OpId {
        let (base, mut steps) = self.builder.take_path(base).unwrap_or((base, Vec::new()));
        steps.push(step);
        let id = self.builder.path(base, steps, place);
        self.folded(id)
    }

    fn binary(&mut self, operator: Binary, left: &'c Expr, right: &'c Expr, place: Place) -> OpId {
        let arithmetic = match operator {
            Binary::Add => Arithmetic::Add,
            Binary::Subtract => Arithmetic::Subtract,
            Binary::Multiply => Arithmetic::Multiply,
            Binary::Divide => Arithmetic::Divide,
            Binary::Modulo => Arithmetic::Modulo,
            _ => return self.relation(operator, left, right, place),
        };
        // The left side of a chain is a chain: `a + b - c` is one operation.
        let first = self.expr(left);
        let right = self.expr(right);
        let step = ArithmeticStep { op: arithmetic, right, place };
        let id = match self.builder.take_arithmetic(first) {
            Some((first, mut steps)) => {
                steps.push(step);
                self.builder.push(Op::Arithmetic { first, steps: steps.into() }, place)
            }
            None => self.builder.push(Op::Arithmetic { first, steps: Box::new([step]) }, place),
        };
        self.folded(id)
    }

    fn relation(&mut self, operator: Binary, left: &'c Expr, right: &'c Expr, place: Place) -> OpId {
        let (left, right) = (self.expr(left), self.expr(right));
        let mut compare = |op| self.builder.compare(op, left, right, place);
        let id = match operator {
            Binary::NotEqual => self.builder.equal(left, right, true, place),
            Binary::In => self.builder.contains(left, right, place),
            Binary::Less => compare(Comparison::Less),
            Binary::LessEqual => compare(Comparison::LessEqual),
            Binary::Greater => compare(Comparison::Greater),
            Binary::GreaterEqual => compare(Comparison::GreaterEqual),
            _ => self.builder.equal(left, right, false, place),
        };
        self.folded(id)
    }

    fn list(&mut self, elements: &'c [Element], place: Place) -> OpId {
        if !elements.iter().any(|it| it.optional) {
            let items = elements.iter().map(|it| self.expr(&it.value)).collect();
            let id = self.builder.push(Op::List(items), place);
            return self.folded(id);
        }
        let mut args = Vec::with_capacity(elements.len() * 2);
        for element in elements {
            args.push(self.builder.push(Op::Bool(element.optional), place));
            args.push(self.expr(&element.value));
        }
        self.native(natives::list, args, place)
    }

    fn map(&mut self, entries: &'c [Entry], place: Place) -> OpId {
        let is_plain = !entries.iter().any(|it| it.optional);
        let mut args = Vec::with_capacity(entries.len() * 3);
        for entry in entries {
            if !is_plain {
                args.push(self.builder.push(Op::Bool(entry.optional), place));
            }
            args.push(self.expr(&entry.key));
            args.push(self.expr(&entry.value));
        }
        if is_plain {
            let id = self.builder.push(Op::Map(args.into()), place);
            return self.folded(id);
        }
        self.native(natives::map, args, place)
    }

    /// A call of a function of this crate, which looks at its arguments itself.
    fn native(&mut self, body: Native, args: Vec<OpId>, place: Place) -> OpId {
        let overloads = Box::new([Overload { parameters: Box::default(), body }]);
        self.builder.push(Op::Call { overloads, args: args.into() }, place)
    }

    /// What fails when it is evaluated.
    fn failure(&mut self, message: &str, place: Place) -> OpId {
        let message = self.builder.push(Op::Str(message.into()), Place::whole(Span::default()));
        self.native(natives::fail, vec![message], place)
    }
}

fn constant(value: &Constant) -> Op {
    match value {
        Constant::Null => Op::Null,
        Constant::Bool(bool) => Op::Bool(*bool),
        Constant::Int(int) => Op::Int(*int),
        Constant::UInt(uint) => Op::UInt(*uint),
        Constant::Double(double) => Op::Float(*double),
        Constant::String(text) => Op::Str(text.as_str().into()),
        Constant::Bytes(bytes) => Op::Bytes(bytes.as_slice().into()),
    }
}
