//! The static checks that expr-lang performs without declared types: literals, operators and built-ins have types,
//! variables do not.

mod builtins;
mod functions;
mod nature;

use kanon_lang::{Diagnostics, Environment, did_you_mean};

pub(crate) use self::nature::{Base, Nature, sign};
use crate::{
    ast::{BinaryOp, Id, Kind, Node, Tree, UnaryOp},
    builtins::Builtin,
};

/// A mistake in words; the caller knows the place.
type Verdict = Result<Nature, String>;

/// Finds the type of every node. `boolean` demands that the whole is one, or unknown.
pub(crate) fn check(tree: &Tree, source: &str, env: &Environment, boolean: bool) -> Result<Vec<Nature>, Diagnostics> {
    let mut checker = Checker {
        tree,
        source,
        env,
        natures: Vec::with_capacity(tree.nodes.len()),
        firsts: Vec::new(),
        mistakes: Vec::new(),
    };
    for (at, node) in tree.nodes.iter().enumerate() {
        checker.extent(at, node);
        let nature = checker.node(node).unwrap_or_else(|message| {
            checker.mistakes.push((at, message));
            Nature::UNKNOWN
        });
        checker.natures.push(nature);
        checker.unvisited(node);
        checker.redeclared(at, node);
    }
    if let Some((at, message)) = checker.mistakes.first() {
        let place = checker.place(&tree.nodes[*at]);
        let mut diagnostics = Diagnostics::one(source, message.clone(), place);
        if let (Some(name), Some(first)) = (checker.unknown_function(*at), diagnostics.list.first_mut()) {
            first.help = did_you_mean(&name, crate::functions::all(env).map(|it| it.name));
        }
        return Err(diagnostics);
    }
    let natures = checker.natures;
    match (tree.nodes.last(), natures.last()) {
        (Some(root), Some(nature)) if boolean && !nature.may_be(&[Base::Bool]) => {
            Err(Diagnostics::one(source, format!("expected bool, but got {nature}"), root.span))
        }
        _ => Ok(natures),
    }
}

struct Checker<'t> {
    tree: &'t Tree,
    source: &'t str,
    env: &'t Environment,
    natures: Vec<Nature>,
    /// The first node of each node's sub-tree; all of it stands between.
    firsts: Vec<usize>,
    /// Node and message, in order.
    mistakes: Vec<(usize, String)>,
}

impl Checker<'_> {
    /// Children stand before parents, so they are known already.
    fn of(&self, id: Id) -> Nature {
        self.natures.get(id.at()).copied().unwrap_or(Nature::UNKNOWN)
    }

    fn extent(&mut self, at: usize, node: &Node) {
        let mut first = at;
        node.kind.children(|child| first = first.min(self.firsts.get(child.at()).copied().unwrap_or(at)));
        self.firsts.push(first);
    }

    /// The original does not look at keys, bounds and arguments where it knows nothing of what they apply to: mistakes
    /// in there are found at run time, if ever.
    fn unvisited(&mut self, node: &Node) {
        let roots: Vec<Id> = match &node.kind {
            Kind::Member { base, key, .. } if self.of(*base).is_unknown() => vec![*key],
            Kind::Slice { base, from, to } if self.of(*base).is_unknown() => {
                [*from, *to].into_iter().flatten().collect()
            }
            Kind::Call { callee, args, .. } if self.of(*callee).is_unknown() => args.clone(),
            Kind::Function { name, args, method } if !functions::is_known(self.env, name, *method) => args.clone(),
            _ => return,
        };
        for root in roots {
            let first = self.firsts.get(root.at()).copied().unwrap_or(root.at());
            self.mistakes.retain(|(at, _)| !(first..=root.at()).contains(at));
        }
    }

    /// A name that is taken is found before what stands in the declaration.
    fn redeclared(&mut self, at: usize, node: &Node) {
        if let Kind::Let { slot, taken: Some(what), .. } = &node.kind {
            let first = self.firsts.get(at).copied().unwrap_or(at);
            self.mistakes.retain(|(it, _)| *it < first);
            let name = self.tree.locals.get(usize::from(*slot)).map_or("", |it| it);
            self.mistakes.push((at, format!("cannot redeclare {what} {name}")));
        }
    }

    fn place(&self, node: &Node) -> kanon_lang::Span {
        match &node.kind {
            // Wrong types of arguments are shown at the argument.
            Kind::Builtin { builtin, args } => {
                let natures: Vec<Nature> = args.iter().map(|id| self.of(*id)).collect();
                let at = builtins::wrong_argument(*builtin, &natures).and_then(|at| args.get(at));
                at.map_or(node.span, |id| self.tree.nodes[id.at()].span)
            }
            _ => node.at,
        }
    }

    fn node(&self, node: &Node) -> Verdict {
        let known = |base| Ok(Nature::new(base));
        match &node.kind {
            Kind::Nil => known(Base::Nil),
            Kind::Bool(_) => known(Base::Bool),
            Kind::Int(_) => known(Base::Int),
            Kind::Index(Builtin::Map | Builtin::Reduce) => known(Base::Int),
            Kind::Index(_) => Err("unknown pointer #index".to_owned()),
            Kind::Accumulator(Builtin::Reduce) => Ok(Nature::UNKNOWN),
            Kind::Accumulator(_) => Err("unknown pointer #acc".to_owned()),
            Kind::Float(_) => known(Base::Float),
            Kind::Str(_) => known(Base::Str),
            Kind::Bytes(_) => known(Base::Bytes),
            Kind::Variable(_) | Kind::Environment => Ok(Nature::UNKNOWN),
            Kind::Unbound(name) => Ok(functions::nature_of_name(self.env, name)),
            Kind::Local { value, .. } => Ok(self.of(*value)),
            Kind::Element { collection } => self.element(*collection),
            Kind::Unary(op, operand) => self.unary(*op, self.of(*operand)),
            Kind::Binary(op, left, right) => {
                self.binary(*op, *left, *right).map_err(|message| self.as_written(*op, node, message))
            }
            Kind::Member { base, key, .. } => self.member(*base, *key),
            Kind::Chain(inner) | Kind::Predicate(inner) => Ok(self.of(*inner)),
            Kind::Slice { base, from, to } => self.slice(*base, *from, *to),
            Kind::Call { callee, method, .. } => match self.unknown_function(self.natures.len()) {
                Some(name) => Err(format!("there is no function {name}")),
                None => self.call(*callee, *method),
            },
            Kind::Function { name, args, method } => {
                let natures: Vec<Nature> = args.iter().map(|id| self.of(*id)).collect();
                functions::check(self.env, name, *method, &natures)
            }
            Kind::Builtin { builtin, args } => {
                let natures: Vec<Nature> = args.iter().map(|id| self.of(*id)).collect();
                builtins::check(*builtin, &natures)
            }
            Kind::Conditional { condition, yes, no } => {
                let condition = self.of(*condition);
                if !condition.may_be(&[Base::Bool]) {
                    return Err(format!("non-bool expression (type {condition}) used as condition"));
                }
                Ok(self.of(*yes).join(self.of(*no)))
            }
            Kind::Let { body, .. } => Ok(self.of(*body)),
            Kind::Sequence(items) => Ok(items.last().map_or(Nature::UNKNOWN, |id| self.of(*id))),
            Kind::List(items) => Ok(self.list(items)),
            Kind::Map(items) => self.map(items),
            // Rewriting comes after the check.
            Kind::Among { .. } | Kind::Select { .. } | Kind::AtLeast { .. } | Kind::SumOf(_) => Ok(Nature::UNKNOWN),
        }
    }

    fn element(&self, collection: Id) -> Verdict {
        let nature = self.of(collection);
        match nature.base {
            Base::Unknown => Ok(Nature::UNKNOWN),
            Base::List => Ok(nature.element()),
            _ => Err(format!("cannot use {nature} as array")),
        }
    }

    fn list(&self, items: &[Id]) -> Nature {
        let mut natures = items.iter().map(|id| self.of(*id));
        match natures.next() {
            // nil and unknown have no kind in the original; they count as the same.
            Some(first) if natures.all(|it| it.base == first.base || (it.kindless() && first.kindless())) => {
                Nature::list(items.last().map_or(first, |id| self.of(*id)))
            }
            _ => Nature::list(Nature::UNKNOWN),
        }
    }

    fn map(&self, items: &[Id]) -> Verdict {
        for key in items.iter().step_by(2).map(|id| self.of(*id)) {
            if !key.may_be(&[Base::Str]) && key.base != Base::Nil && !key.is_number() && key.base != Base::Bool {
                return Err(format!("cannot use {key} as a map key"));
            }
        }
        Ok(Nature::new(Base::Map))
    }

    fn unary(&self, op: UnaryOp, nature: Nature) -> Verdict {
        let sign = match op {
            UnaryOp::Not if nature.may_be(&[Base::Bool]) => return Ok(Nature::new(Base::Bool)),
            UnaryOp::Minus | UnaryOp::Plus if nature.is_number() || nature.is_unknown() => return Ok(nature),
            UnaryOp::Not => "!",
            UnaryOp::Minus => "-",
            UnaryOp::Plus => "+",
        };
        Err(format!("invalid operation: {sign} (mismatched type {nature})"))
    }

    fn binary(&self, op: BinaryOp, left: Id, right: Id) -> Verdict {
        if op == BinaryOp::Matches
            && let Kind::Str(pattern) = &self.tree.nodes[right.at()].kind
            && let Err(error) = crate::patterns::compile(pattern)
        {
            return Err(error);
        }
        if op == BinaryOp::Modulo && matches!(self.tree.nodes[right.at()].kind, Kind::Int(0)) {
            return Err("integer divide by zero".to_owned());
        }
        nature::binary(op, self.of(left), self.of(right))
    }

    /// Messages show `&&` where that was written, and `and` where that was.
    fn as_written(&self, op: BinaryOp, node: &Node, message: String) -> String {
        let written = self.source.get(node.at.start as usize..node.at.end as usize).unwrap_or_default();
        match written {
            "&&" | "||" | "^" => message.replacen(sign(op), written, 1),
            _ => message,
        }
    }

    fn member(&self, base: Id, key: Id) -> Verdict {
        let (nature, key_nature) = (self.of(base), self.of(key));
        let name = match &self.tree.nodes[key.at()].kind {
            Kind::Str(name) => Some(name),
            _ => None,
        };
        match (nature.base, name) {
            (Base::Unknown, _) => Ok(Nature::UNKNOWN),
            (Base::Time | Base::Duration | Base::Location, Some(_)) => Ok(Nature::UNKNOWN),
            (Base::Map, _) if key_nature.may_be(&[Base::Str]) => Ok(nature.element()),
            // Only maps made by groupBy have other keys.
            (Base::Map, None) if nature.element().base == Base::List => Ok(nature.element()),
            (Base::Map, _) => Err(format!("cannot use {key_nature} to get an element from {nature}")),
            (Base::List, None) if key_nature.may_be(&[Base::Int]) => Ok(nature.element()),
            (Base::Str, None) if key_nature.may_be(&[Base::Int]) => Ok(Nature::UNKNOWN),
            (Base::List, _) => Err(format!("array elements can only be selected using an integer (got {key_nature})")),
            (_, Some(name)) => Err(format!("type {nature} has no field {name}")),
            (_, None) => Err(format!("type {nature}[{key_nature}] is undefined")),
        }
    }

    fn slice(&self, base: Id, from: Option<Id>, to: Option<Id>) -> Verdict {
        let nature = self.of(base);
        if nature.is_unknown() {
            return Ok(nature);
        }
        if !nature.may_be(&[Base::List, Base::Str]) {
            return Err(format!("cannot slice {nature}"));
        }
        for bound in [from, to].into_iter().flatten() {
            let bound = self.of(bound);
            if !bound.may_be(&[Base::Int]) {
                return Err(format!("non-integer slice index {bound}"));
            }
        }
        Ok(nature)
    }

    /// The name that the node calls, where its first part is a namespace of functions and nothing in it has the rest. The original
    /// has no such namespaces: there it is an error of every run.
    fn unknown_function(&self, at: usize) -> Option<String> {
        let Kind::Call { callee, method: true, .. } = &self.tree.nodes[at].kind else { return None };
        let Kind::Member { base, key, .. } = &self.tree.nodes[callee.at()].kind else { return None };
        match (&self.tree.nodes[base.at()].kind, &self.tree.nodes[key.at()].kind) {
            (Kind::Unbound(space), Kind::Str(name)) if crate::functions::is_namespace(self.env, space) => {
                Some(format!("{space}.{name}"))
            }
            _ => None,
        }
    }

    fn call(&self, callee: Id, method: bool) -> Verdict {
        let nature = self.of(callee);
        let environment = matches!(self.tree.nodes[callee.at()].kind, Kind::Environment);
        if environment && !method {
            return Err("unknown is not callable".to_owned());
        }
        if nature.is_unknown() { Ok(Nature::UNKNOWN) } else { Err(format!("{nature} is not callable")) }
    }
}
