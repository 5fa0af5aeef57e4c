//! The checked tree made simpler, as the original's optimiser does it where that shows: literals are folded (`x || true` does
//! not look at `x`), a filter of which one element or the count is wanted ends early, `sum` of a list literal adds its
//! elements. Both the compiler and the reference evaluator read what comes out of here.

mod fold;

use kanon_lang::{Environment, Span};

use crate::{
    ast::{BinaryOp, Id, Kind, Node, Tree},
    builtins::Builtin,
};

/// What becomes of a node.
enum Made {
    /// A node that is there already.
    Same(Id),
    New(Kind),
}

/// Rewrites a checked tree.
///
/// # Errors
/// What only folding finds (`7 % (1 - 1)`), with its place.
pub(crate) fn rewrite(tree: &Tree, env: &Environment) -> Result<Tree, (String, Span)> {
    let count = tree.nodes.len();
    let mut rewriter = Rewriter { env, nodes: Vec::with_capacity(count), map: Vec::with_capacity(count) };
    for node in &tree.nodes {
        let id = match words(tree, &node.kind, &rewriter.map) {
            Some(kind) => rewriter.push(kind, node),
            None => {
                let kind = node.kind.mapped(|id| rewriter.map.get(id.at()).copied().unwrap_or(id));
                let made = rewriter.node(kind, node).map_err(|message| (message, node.at))?;
                rewriter.take(made, node)
            }
        };
        rewriter.map.push(id);
    }
    let Rewriter { env: _, mut nodes, map } = rewriter;
    // INVARIANT of trees: the root is last.
    if let Some(root) = map.last() {
        nodes.truncate(root.at() + 1);
    }
    Ok(Tree { nodes, locals: tree.locals.clone() })
}

/// `x in ["a", "b"]`: decided by the text, not by what folds to it.
fn words(tree: &Tree, kind: &Kind, map: &[Id]) -> Option<Kind> {
    let Kind::Binary(BinaryOp::In, needle, list) = kind else { return None };
    let Kind::List(items) = &tree.get(*list).kind else { return None };
    let word = |id: &Id| match &tree.get(*id).kind {
        Kind::Str(word) => Some(word.clone()),
        _ => None,
    };
    let mut words = items.iter().map(word).collect::<Option<Vec<_>>>().filter(|it| !it.is_empty())?;
    words.sort();
    Some(Kind::Among { needle: map[needle.at()], words: words.into() })
}

struct Rewriter<'e> {
    env: &'e Environment,
    nodes: Vec<Node>,
    /// Old node to new one.
    map: Vec<Id>,
}

impl Rewriter<'_> {
    fn kind(&self, id: Id) -> &Kind {
        &self.nodes[id.at()].kind
    }

    fn push(&mut self, kind: Kind, like: &Node) -> Id {
        self.nodes.push(Node { kind, span: like.span, at: like.at });
        Id(self.nodes.len() as u32 - 1)
    }

    fn take(&mut self, made: Made, node: &Node) -> Id {
        match made {
            Made::Same(id) => id,
            Made::New(kind) => self.push(kind, node),
        }
    }

    fn node(&mut self, kind: Kind, node: &Node) -> Result<Made, String> {
        if let Some(made) = self.fold(&kind)? {
            return Ok(made);
        }
        let rewritten = match &kind {
            Kind::Builtin { builtin, args } => self.builtin(*builtin, args, node)?,
            Kind::Member { base, key, .. } if matches!(self.kind(*base), Kind::Environment) => self.variable(*key),
            Kind::Member { base, key, optional: false } => match self.kind(*key) {
                Kind::Int(0) => self.element(*base, Builtin::Find, true),
                Kind::Int(-1) => self.element(*base, Builtin::FindLast, true),
                _ => None,
            },
            Kind::Binary(op, left, right) => self.threshold(*op, *left, *right),
            _ => None,
        };
        Ok(Made::New(rewritten.unwrap_or(kind)))
    }

    /// `$env.x` and `$env["x"]` are the variable.
    fn variable(&self, key: Id) -> Option<Kind> {
        match self.kind(key) {
            Kind::Str(name) => Some(self.env.slot(name).map_or(Kind::Nil, Kind::Variable)),
            _ => None,
        }
    }

    /// Collection, test, and what is made of a hit, of a filter.
    fn filter(&self, id: Id) -> Option<(Id, Id, Option<Id>)> {
        match self.kind(id) {
            Kind::Builtin { builtin: Builtin::Filter, args } => Some((*args.first()?, self.body(args)?, None)),
            Kind::Select { builtin: Builtin::Filter, collection, test, map, .. } => Some((*collection, *test, *map)),
            _ => None,
        }
    }

    /// The predicate of a built-in.
    fn body(&self, args: &[Id]) -> Option<Id> {
        match self.kind(*args.get(1)?) {
            Kind::Predicate(body) => Some(*body),
            _ => None,
        }
    }

    /// The first or last hit instead of all of them.
    fn element(&self, base: Id, builtin: Builtin, strict: bool) -> Option<Kind> {
        let (collection, test, map) = self.filter(base)?;
        Some(Kind::Select { builtin, collection, test, map, strict })
    }

    fn builtin(&mut self, builtin: Builtin, args: &[Id], node: &Node) -> Result<Option<Kind>, String> {
        let Some(first) = args.first().copied() else { return Ok(None) };
        let inner = self.filter(first);
        Ok(match (builtin, inner, self.body(args)) {
            (Builtin::Len, Some((collection, test, _)), _) => {
                let test = self.push(Kind::Predicate(test), node);
                Some(Kind::Builtin { builtin: Builtin::Count, args: vec![collection, test] })
            }
            (Builtin::First, Some(_), _) => self.element(first, Builtin::Find, false),
            (Builtin::Last, Some(_), _) => self.element(first, Builtin::FindLast, false),
            // `filter(filter(a, p), q)` is `filter(a, p && q)`.
            (Builtin::Filter, Some((collection, left, None)), Some(right)) => {
                let start = self.nodes[right.at()].span.start;
                // Not in the text: an empty place.
                let place = Span { start, end: start };
                let both = Kind::Binary(BinaryOp::And, left, right);
                let like = Node { kind: Kind::Nil, span: place, at: self.nodes[right.at()].at };
                let both = match self.fold(&both)? {
                    Some(made) => self.take(made, &like),
                    None => self.push(both, &like),
                };
                let test = self.push(Kind::Predicate(both), &like);
                Some(Kind::Builtin { builtin: Builtin::Filter, args: vec![collection, test] })
            }
            (Builtin::Map, Some((collection, test, None)), Some(body)) if !self.reads_index(body) => {
                Some(Kind::Select { builtin: Builtin::Filter, collection, test, map: Some(body), strict: false })
            }
            (Builtin::Sum, _, _) if args.len() == 1 => self.sum(first),
            _ => None,
        })
    }

    fn sum(&mut self, of: Id) -> Option<Kind> {
        match self.kind(of) {
            // A list of literals is one literal to the original.
            Kind::List(items) if items.len() > 1 && !items.iter().all(|it| self.kind(*it).is_scalar()) => {
                Some(Kind::SumOf(items.clone()))
            }
            Kind::Builtin { builtin: Builtin::Map, args } => {
                Some(Kind::Builtin { builtin: Builtin::Sum, args: args.clone() })
            }
            _ => None,
        }
    }

    /// `count(…) > 0` ends at the first hit, `count(…) >= 5` at the fifth.
    fn threshold(&self, op: BinaryOp, left: Id, right: Id) -> Option<Kind> {
        let Kind::Builtin { builtin: Builtin::Count, args } = self.kind(left) else { return None };
        let test = self.body(args)?;
        let limit = match (op, self.kind(right)) {
            (BinaryOp::Greater, Kind::Int(int)) if *int >= 0 => int.checked_add(1)?,
            (BinaryOp::GreaterEqual, Kind::Int(int)) if *int >= 1 => *int,
            _ => return None,
        };
        Some(match limit {
            1 => Kind::Builtin { builtin: Builtin::Any, args: args.clone() },
            _ => Kind::AtLeast { collection: *args.first()?, test, limit },
        })
    }

    /// Whether `#index` stands in a predicate, for itself and not for one inside.
    fn reads_index(&self, body: Id) -> bool {
        let mut open = vec![body];
        while let Some(id) = open.pop() {
            match self.kind(id) {
                Kind::Index(_) => return true,
                // Their predicates count elements of their own; what they run over is outside.
                Kind::Builtin { builtin, args } if builtin.parameters().is_some() => {
                    open.extend(args.iter().filter(|arg| !matches!(self.kind(**arg), Kind::Predicate(_))));
                }
                Kind::Select { collection, .. } | Kind::AtLeast { collection, .. } => open.push(*collection),
                kind => kind.children(|child| open.push(child)),
            }
        }
        false
    }
}
