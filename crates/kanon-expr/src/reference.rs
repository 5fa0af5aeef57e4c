//! The reference: a plain walk over the tree, one arm for each kind of node. It defines what programs mean, and the machine is
//! compared with it on random programs. Slow, recursive, and nothing else than obvious; only tests use it.

use std::collections::BTreeMap;

use kanon_lang::{Arena, Context, Environment, ErrorKind, EvalError, Function, Limits, Source, Stop, Value};

use crate::{
    access,
    ast::{BinaryOp, Id, Kind, Tree, UnaryOp},
    builtins::{self, Builtin, lists},
    functions, operators,
    value::{self, type_name},
};

/// Why a walk does not go on.
enum Halt {
    Error(Box<EvalError>),
    /// A nil before `?.`: the value of the whole chain is nil.
    Nil,
}

type Outcome<T> = Result<T, Halt>;

/// What `#`, `#index` and `#acc` stand for.
#[derive(Clone, Copy)]
struct Scope<'a> {
    index: usize,
    /// `None` where the collection is a map.
    element: Option<Value<'a>>,
    accumulator: Value<'a>,
}

/// Evaluates a rewritten tree.
pub(crate) fn evaluate<'a>(
    tree: &Tree,
    env: &Environment,
    values: &[Value<'a>],
    boolean: bool,
    limits: &'a Limits,
    arena: &'a Arena,
) -> Result<Value<'a>, EvalError> {
    let mut cx = Context::new(limits, arena);
    cx.now = env.slot(Environment::NOW).and_then(|slot| match values.get(slot) {
        Some(Value::Time(now)) => Some(*now),
        _ => None,
    });
    let mut functions: BTreeMap<(&str, bool), Vec<Function>> = BTreeMap::new();
    for function in functions::all(env) {
        functions.entry((function.name, function.method)).or_default().push(function.clone());
    }
    let scope = Scope { index: 0, element: Some(Value::Null), accumulator: Value::Null };
    let locals = vec![Value::Null; tree.locals.len()];
    let mut walk = Walk { cx, tree, env, functions, values, locals, scope };
    let root = Id(tree.nodes.len() as u32 - 1);
    let result = match walk.eval(root) {
        // A rule whose value is nil does not hold.
        Ok(value) if boolean && value.is_nil() => Ok(Value::Bool(false)),
        Ok(value) if boolean => {
            let truth = operators::truth(&mut walk.cx, value);
            walk.at(root, truth).map(Value::Bool)
        }
        other => other,
    };
    result.map_err(|halt| match halt {
        Halt::Error(error) => *error,
        // Every `?.` stands in a chain.
        Halt::Nil => EvalError { kind: ErrorKind::Value, message: "no chain".to_owned(), span: None },
    })
}

struct Walk<'t, 'a> {
    cx: Context<'a>,
    tree: &'t Tree,
    env: &'t Environment,
    functions: BTreeMap<(&'t str, bool), Vec<Function>>,
    values: &'t [Value<'a>],
    locals: Vec<Value<'a>>,
    scope: Scope<'a>,
}

impl<'t, 'a> Walk<'t, 'a> {
    /// The error of a step, at the place of `id`.
    fn at<T>(&mut self, id: Id, result: Result<T, Stop>) -> Outcome<T> {
        result.map_err(|Stop| {
            let mut error = self.cx.error();
            if error.kind == ErrorKind::Value {
                error.span = error.span.or(Some(self.tree.get(id).at));
            }
            Halt::Error(Box::new(error))
        })
    }

    fn fail<T>(&mut self, id: Id, message: String) -> Outcome<T> {
        let result = self.cx.fail(message);
        self.at(id, result)
    }

    fn all(&mut self, ids: &[Id]) -> Outcome<Vec<Value<'a>>> {
        ids.iter().map(|id| self.eval(*id)).collect()
    }

    /// The truth of an operand; what is none is an error at the operand that gave it.
    fn truth(&mut self, id: Id) -> Outcome<bool> {
        let value = self.eval(id)?;
        let mut leaf = id;
        loop {
            leaf = match self.tree.get(leaf).kind {
                Kind::Predicate(body) => body,
                Kind::Binary(BinaryOp::And | BinaryOp::Or, _, right) => right,
                _ => break,
            };
        }
        let truth = operators::truth(&mut self.cx, value);
        self.at(leaf, truth)
    }

    /// The same, at the operand itself.
    fn plain_truth(&mut self, id: Id) -> Outcome<bool> {
        let value = self.eval(id)?;
        let truth = operators::truth(&mut self.cx, value);
        self.at(id, truth)
    }

    fn eval(&mut self, id: Id) -> Outcome<Value<'a>> {
        let spent = self.cx.spend(1);
        self.at(id, spent)?;
        let tree = self.tree;
        match &tree.get(id).kind {
            Kind::Nil | Kind::Unbound(_) => Ok(Value::Null),
            Kind::Bool(bool) => Ok(Value::Bool(*bool)),
            Kind::Int(int) => Ok(Value::Int(*int)),
            Kind::Float(float) => Ok(Value::Float(*float)),
            Kind::Str(text) => Ok(Value::Str(self.cx.arena.alloc_str(text))),
            Kind::Bytes(bytes) => Ok(Value::Bytes(self.cx.arena.alloc_slice_copy(bytes))),
            Kind::Variable(slot) => Ok(self.values.get(*slot).copied().unwrap_or(Value::Null)),
            Kind::Local { slot, .. } => Ok(self.locals[usize::from(*slot)]),
            Kind::Environment => {
                // The clock is no part of it.
                let visible = self.env.variables.iter().enumerate().filter(|it| it.1 != Environment::NOW);
                let mut members: Vec<(Value<'a>, Value<'a>)> = Vec::new();
                for (at, name) in visible {
                    let name: &'a str = self.cx.arena.alloc_str(name);
                    members.push((Value::Str(name), self.values.get(at).copied().unwrap_or(Value::Null)));
                }
                let map = self.cx.map(&members);
                self.at(id, map)
            }
            Kind::Element { .. } => self.element(id),
            Kind::Index(_) => Ok(Value::Int(self.scope.index as i64)),
            Kind::Accumulator(_) => Ok(self.scope.accumulator),
            Kind::Unary(UnaryOp::Not, operand) => self.truth(*operand).map(|it| Value::Bool(!it)),
            Kind::Unary(UnaryOp::Plus, operand) => self.eval(*operand),
            Kind::Unary(UnaryOp::Minus, operand) => {
                let value = self.eval(*operand)?;
                let result = operators::negate(&mut self.cx, value);
                self.at(id, result)
            }
            Kind::Binary(op, left, right) => self.binary(id, *op, *left, *right),
            Kind::Among { needle, words } => {
                let needle = self.eval(*needle)?;
                let found = match needle {
                    Value::Str(text) => Ok(words.iter().any(|word| **word == *text)),
                    other => operators::among(&mut self.cx, other, words.iter().any(|word| word.is_empty())),
                };
                self.at(id, found).map(Value::Bool)
            }
            Kind::Member { base, key, optional } => self.member(id, *base, *key, *optional),
            Kind::Chain(inner) => match self.eval(*inner) {
                // A nil list at the end of a chain is plain nil.
                Ok(value) if value.is_nil() => Ok(Value::Null),
                Err(Halt::Nil) => Ok(Value::Null),
                other => other,
            },
            Kind::Slice { base, from, to } => {
                let base = self.eval(*base)?;
                let to = to.map(|to| self.eval(to)).transpose()?;
                let from = from.map(|from| self.eval(from)).transpose()?;
                let cut = access::slice(&mut self.cx, base, from, to);
                self.at(id, cut)
            }
            Kind::Call { callee, args, method } => self.call(id, *callee, args, *method),
            Kind::Function { name, args, method } => {
                let args = self.all(args)?;
                let result = match (&**name, &*args) {
                    (crate::REGEX_MATCH, [text, pattern]) => operators::regex_match(&mut self.cx, *text, *pattern),
                    (name, args) => {
                        let overloads = self.functions.get(&(name, *method)).map_or(&[][..], Vec::as_slice);
                        functions::call(&mut self.cx, overloads, args)
                    }
                };
                self.at(id, result)
            }
            Kind::Builtin { builtin, args } if builtin.parameters().is_some() => self.predicate(id, *builtin, args),
            Kind::Builtin { builtin, args } => {
                let args = self.all(args)?;
                let result = builtins::call(&mut self.cx, *builtin, &args);
                self.at(id, result)
            }
            Kind::Predicate(body) => self.eval(*body),
            Kind::Conditional { condition, yes, no } => {
                // `a ?: b` gives what it tests.
                let test = if condition == yes { self.plain_truth(*condition)? } else { self.truth(*condition)? };
                if test { self.eval(*yes) } else { self.eval(*no) }
            }
            Kind::Let { slot, value, body, .. } => {
                self.locals[usize::from(*slot)] = self.eval(*value)?;
                self.eval(*body)
            }
            Kind::Sequence(items) => items.iter().try_fold(Value::Null, |_, item| self.eval(*item)),
            Kind::List(items) => {
                let items = self.all(items)?;
                let list = self.cx.list(&items);
                self.at(id, list)
            }
            Kind::Map(items) => {
                let parts = self.all(items)?;
                let map = value::make_map(&mut self.cx, &parts);
                self.at(id, map)
            }
            Kind::Select { builtin, collection, test, map, strict } => {
                self.select(id, *builtin, *collection, *test, *map, *strict)
            }
            Kind::AtLeast { collection, test, limit } => {
                Ok(Value::Bool(self.count(id, *collection, Some(*test), *limit)? == *limit))
            }
            Kind::SumOf(items) => {
                let mut items = self.all(items)?;
                let mut sum = items.pop().unwrap_or(Value::Int(0));
                while let Some(item) = items.pop() {
                    let next = operators::binary(&mut self.cx, BinaryOp::Add, item, sum);
                    sum = self.at(id, next)?;
                }
                Ok(sum)
            }
        }
    }

    fn binary(&mut self, id: Id, op: BinaryOp, left: Id, right: Id) -> Outcome<Value<'a>> {
        if let BinaryOp::And | BinaryOp::Or = op {
            let decisive = op == BinaryOp::Or;
            return if self.truth(left)? == decisive { Ok(Value::Bool(decisive)) } else { self.eval(right) };
        }
        let a = self.eval(left)?;
        match op {
            BinaryOp::Coalesce if !a.is_nil() => return Ok(a),
            BinaryOp::Coalesce => return self.eval(right),
            _ => {}
        }
        let b = self.eval(right)?;
        let result = operators::binary(&mut self.cx, op, a, b);
        self.at(id, result)
    }

    fn member(&mut self, id: Id, base: Id, key: Id, optional: bool) -> Outcome<Value<'a>> {
        let value = self.eval(base)?;
        if optional && value.is_nil() {
            return Err(Halt::Nil);
        }
        let key = self.eval(key)?;
        let found = match self.tree.get(base).kind {
            Kind::Builtin { builtin: Builtin::GroupBy, .. } => access::fetch_group(&mut self.cx, value, key),
            _ => access::fetch(&mut self.cx, value, key),
        };
        self.at(id, found)
    }

    /// Arguments come before what is called, as the original has it.
    fn call(&mut self, id: Id, callee: Id, args: &[Id], method: bool) -> Outcome<Value<'a>> {
        let args = self.all(args)?;
        if let (true, Kind::Member { base, key, optional }) = (method, &self.tree.get(callee).kind)
            && let Kind::Str(name) = &self.tree.get(*key).kind
        {
            let value = self.eval(*base)?;
            if *optional && value.is_nil() {
                return Err(Halt::Nil);
            }
            let result = access::method(&mut self.cx, value, name, &args);
            return self.at(callee, result);
        }
        let callee = self.eval(callee)?;
        let result = access::call(&mut self.cx, callee, &args);
        self.at(id, result)
    }

    fn element(&mut self, id: Id) -> Outcome<Value<'a>> {
        match self.scope.element {
            Some(element) => Ok(element),
            None => self.fail(id, "cannot read the elements of a map by position".to_owned()),
        }
    }

    /// All elements of a collection, before any predicate runs.
    fn elements(&mut self, id: Id, collection: Id) -> Outcome<Vec<Option<Value<'a>>>> {
        let value = self.eval(collection)?;
        Ok(match value::source(value) {
            Some(Source::Nodes(nodes)) => nodes.map(|node| Some(Value::from_node(node, self.cx.arena))).collect(),
            Some(Source::Values(values)) => values.map(|value| Some(*value)).collect(),
            Some(Source::Bytes(bytes)) => bytes.map(|byte| Some(Value::UInt(u64::from(*byte)))).collect(),
            Some(Source::Opaque(len)) => vec![None; len],
            Some(Source::Members(_) | Source::Pairs(_)) => Vec::new(),
            None => return self.fail(id, format!("cannot iterate over {}", type_name(value))),
        })
    }

    /// Evaluates `visit` with `#` and `#index` set.
    fn within<T>(
        &mut self,
        index: usize,
        element: Option<Value<'a>>,
        visit: impl FnOnce(&mut Self) -> Outcome<T>,
    ) -> Outcome<T> {
        let outer = self.scope;
        self.scope = Scope { index, element, accumulator: Value::Null };
        let spent = self.cx.spend(1);
        let result = self.at(Id(0), spent).and_then(|()| visit(self));
        self.scope = outer;
        result
    }

    /// What a body gives; the element where there is none.
    fn body(&mut self, id: Id, body: Option<Id>) -> Outcome<Value<'a>> {
        match body {
            Some(body) => self.eval(body),
            None => self.element(id),
        }
    }

    fn test(&mut self, id: Id, body: Option<Id>) -> Outcome<bool> {
        match body {
            Some(body) => self.truth(body),
            None => {
                let value = self.element(id)?;
                let truth = operators::truth(&mut self.cx, value);
                self.at(id, truth)
            }
        }
    }

    fn count(&mut self, id: Id, collection: Id, body: Option<Id>, limit: i64) -> Outcome<i64> {
        let mut count = 0;
        for (index, element) in self.elements(id, collection)?.into_iter().enumerate() {
            count += i64::from(self.within(index, element, |walk| walk.test(id, body))?);
            if count == limit {
                break;
            }
        }
        Ok(count)
    }

    fn select(
        &mut self,
        id: Id,
        builtin: Builtin,
        collection: Id,
        test: Id,
        map: Option<Id>,
        strict: bool,
    ) -> Outcome<Value<'a>> {
        let mut elements: Vec<_> = self.elements(id, collection)?.into_iter().enumerate().collect();
        if builtin == Builtin::FindLast {
            elements.reverse();
        }
        let mut hits = Vec::new();
        for (index, element) in elements {
            let hit = self.within(index, element, |walk| match walk.test(id, Some(test))? {
                true => walk.body(id, map).map(Some),
                false => Ok(None),
            })?;
            match hit {
                Some(hit) if builtin == Builtin::Filter => hits.push(hit),
                Some(hit) => return Ok(hit),
                None => {}
            }
        }
        match builtin {
            Builtin::Filter => {
                let list = self.cx.list(&hits);
                self.at(id, list)
            }
            _ if strict => self.fail(id, "reflect: slice index out of range".to_owned()),
            _ => Ok(Value::Null),
        }
    }

    fn position(&mut self, id: Id, builtin: Builtin, collection: Id, body: Option<Id>) -> Outcome<Value<'a>> {
        let mut elements: Vec<_> = self.elements(id, collection)?.into_iter().enumerate().collect();
        if builtin == Builtin::FindLastIndex {
            elements.reverse();
        }
        for (index, element) in elements {
            if self.within(index, element, |walk| walk.test(id, body))? {
                return Ok(Value::Int(index as i64));
            }
        }
        Ok(Value::Null)
    }

    /// The result of a body for every element.
    fn each(&mut self, id: Id, collection: Id, body: Option<Id>) -> Outcome<Vec<(Option<Value<'a>>, Value<'a>)>> {
        let mut results = Vec::new();
        for (index, element) in self.elements(id, collection)?.into_iter().enumerate() {
            results.push((element, self.within(index, element, |walk| walk.body(id, body))?));
        }
        Ok(results)
    }

    fn predicate(&mut self, id: Id, builtin: Builtin, args: &[Id]) -> Outcome<Value<'a>> {
        let (collection, body, rest) = (args[0], args.get(1).copied(), args.get(2).copied());
        match builtin {
            Builtin::All | Builtin::None | Builtin::Any => {
                let decisive = builtin != Builtin::All;
                for (index, element) in self.elements(id, collection)?.into_iter().enumerate() {
                    if self.within(index, element, |walk| walk.test(id, body))? == decisive {
                        return Ok(Value::Bool(builtin == Builtin::Any));
                    }
                }
                Ok(Value::Bool(builtin != Builtin::Any))
            }
            Builtin::One => Ok(Value::Bool(self.count(id, collection, body, i64::MAX)? == 1)),
            Builtin::Count => self.count(id, collection, body, i64::MAX).map(Value::Int),
            Builtin::Filter | Builtin::Find | Builtin::FindLast => {
                self.select(id, builtin, collection, body.unwrap_or(id), None, false)
            }
            Builtin::FindIndex | Builtin::FindLastIndex => self.position(id, builtin, collection, body),
            Builtin::Map => {
                let items: Vec<_> = self.each(id, collection, body)?.into_iter().map(|it| it.1).collect();
                let list = self.cx.list(&items);
                self.at(id, list)
            }
            Builtin::GroupBy => self.group_by(id, collection, body),
            Builtin::SortBy => {
                let elements = self.elements(id, collection)?;
                let order = rest.map(|rest| self.eval(rest)).transpose()?;
                let descending = order.map_or(Ok(false), |order| lists::descending(&mut self.cx, order));
                let descending = self.at(id, descending)?;
                let mut keyed = Vec::new();
                for (index, element) in elements.into_iter().enumerate() {
                    let key = self.within(index, element, |walk| walk.body(id, body))?;
                    let element = self.within(index, element, |walk| walk.element(id))?;
                    keyed.push((key, element));
                }
                let sorted = lists::sort_keyed(&mut self.cx, &mut keyed, descending);
                self.at(id, sorted)?;
                let items: Vec<_> = keyed.into_iter().map(|it| it.1).collect();
                let list = self.cx.list(&items);
                self.at(id, list)
            }
            Builtin::Sum => {
                let mut sum = Value::Int(0);
                for (index, element) in self.elements(id, collection)?.into_iter().enumerate() {
                    let item = self.within(index, element, |walk| walk.body(id, body))?;
                    let next = operators::binary(&mut self.cx, BinaryOp::Add, item, sum);
                    sum = self.at(id, next)?;
                }
                Ok(sum)
            }
            _ => self.reduce(id, collection, body, rest),
        }
    }

    fn group_by(&mut self, id: Id, collection: Id, body: Option<Id>) -> Outcome<Value<'a>> {
        let mut groups: Vec<(Value<'a>, Vec<Value<'a>>)> = Vec::new();
        for (index, element) in self.elements(id, collection)?.into_iter().enumerate() {
            let key = self.within(index, element, |walk| walk.body(id, body))?;
            if !access::is_comparable(key) {
                let message = format!("cannot use {} as a key for groupBy: type is not comparable", type_name(key));
                return self.fail(id, message);
            }
            let element = self.within(index, element, |walk| walk.element(id))?;
            match groups.iter_mut().find(|(it, _)| value::identical(*it, key)) {
                Some(group) => group.1.push(element),
                None => groups.push((key, vec![element])),
            }
        }
        let mut members = Vec::new();
        for (key, items) in groups {
            let list = self.cx.list(&items);
            members.push((key, self.at(id, list)?));
        }
        let map = self.cx.map(&members);
        self.at(id, map)
    }

    fn reduce(&mut self, id: Id, collection: Id, body: Option<Id>, initial: Option<Id>) -> Outcome<Value<'a>> {
        let elements = self.elements(id, collection)?;
        let mut accumulator = initial.map(|initial| self.eval(initial)).transpose()?;
        for (index, element) in elements.into_iter().enumerate() {
            accumulator = Some(self.within(index, element, |walk| match accumulator {
                None => walk.element(id),
                Some(value) => {
                    walk.scope.accumulator = value;
                    walk.body(id, body)
                }
            })?);
        }
        match accumulator {
            Some(value) => Ok(value),
            None => self.fail(id, "reduce of empty array with no initial value".to_owned()),
        }
    }
}
