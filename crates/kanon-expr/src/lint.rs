//! What compiles but is likely a mistake: names that mean nothing, declarations that nobody reads, conditions that are always
//! the same, and the classic errors at run time on ordinary objects (spec/rules 2.10).

use kanon_lang::{Diagnostic, Environment, Span, did_you_mean};

use crate::{
    ast::{BinaryOp, Id, Kind, Tree, UnaryOp},
    builtins::Builtin,
    functions,
};

/// All that is noticed, in order of place. `rewritten` is the tree as it is compiled.
pub(crate) fn lint(tree: &Tree, rewritten: &Tree, env: &Environment, boolean: bool) -> Vec<Diagnostic> {
    let mut linter = Linter { tree, env, found: Vec::new() };
    for (at, node) in tree.nodes.iter().enumerate() {
        linter.node(at, &node.kind);
    }
    linter.unread();
    // The whole folds to a constant where its parts decide whatever the object is.
    if let (true, Some(root)) = (boolean, rewritten.nodes.last())
        && let Kind::Bool(bool) = root.kind
        && !matches!(tree.nodes.last().map(|it| &it.kind), Some(Kind::Bool(_)))
    {
        let span = tree.nodes.last().map_or(root.span, |it| it.span);
        linter.say(span, format!("this is always {bool}"), None);
    }
    linter.found.sort_by_key(|it| (it.span, it.message.clone()));
    linter.found.dedup();
    linter.found
}

struct Linter<'t> {
    tree: &'t Tree,
    env: &'t Environment,
    found: Vec<Diagnostic>,
}

impl Linter<'_> {
    fn say(&mut self, span: Span, message: impl Into<String>, help: Option<String>) {
        self.found.push(Diagnostic { message: message.into(), span, help });
    }

    fn kind(&self, id: Id) -> &Kind {
        &self.tree.get(id).kind
    }

    fn span(&self, id: Id) -> Span {
        self.tree.get(id).span
    }

    fn node(&mut self, at: usize, kind: &Kind) {
        let span = self.tree.nodes[at].span;
        match kind {
            Kind::Unbound(name) if Builtin::parse(name).is_none() && !self.is_function(name) => {
                let help = did_you_mean(name, self.env.variables.iter().map(String::as_str));
                self.say(span, format!("unknown name `{name}` is nil"), help);
            }
            Kind::Function { name, method: false, .. } if !self.is_function(name) => {
                let functions = functions::all(self.env).map(|it| it.name);
                let help = did_you_mean(name, Builtin::names().chain([crate::REGEX_MATCH]).chain(functions));
                self.say(self.tree.nodes[at].at, format!("`{name}` is no function; calling it is an error"), help);
            }
            Kind::Unary(UnaryOp::Not, operand) => self.tested(*operand),
            Kind::Binary(op @ (BinaryOp::And | BinaryOp::Or), left, right) => {
                self.tested(*left);
                let literal = |id: &Id| matches!(self.kind(*id), Kind::Bool(_));
                if let Some(id) = [*left, *right].into_iter().find(literal) {
                    self.say(self.span(id), format!("a literal beside `{}` decides or does nothing", op.sign()), None);
                }
            }
            Kind::Binary(op @ (BinaryOp::Equal | BinaryOp::NotEqual), left, right) if self.same(*left, *right) => {
                let always = *op == BinaryOp::Equal;
                self.say(
                    span,
                    format!("both sides are the same: this is {always} but for numbers that are none"),
                    None,
                );
            }
            Kind::Conditional { condition, .. } => {
                self.tested(*condition);
                if let Kind::Bool(bool) = self.kind(*condition) {
                    self.say(self.span(*condition), format!("the condition is always {bool}"), None);
                }
            }
            Kind::Builtin { builtin, args } => {
                if let Some(first) = args.first() {
                    self.needs_list(*builtin, *first);
                }
                if let (Some(Kind::Predicate(body)), true) = (args.get(1).map(|id| self.kind(*id)), tests(*builtin)) {
                    let body = *body;
                    if let Kind::Bool(bool) = self.kind(body) {
                        self.say(self.span(body), format!("the predicate is always {bool}"), None);
                    }
                }
            }
            _ => {}
        }
    }

    fn is_function(&self, name: &str) -> bool {
        name == crate::REGEX_MATCH || functions::all(self.env).any(|it| it.name == name)
    }

    /// A field that may be absent is nil, and nil is no boolean.
    fn tested(&mut self, id: Id) {
        if self.is_field(id) {
            let help = "write `… == true`".to_owned();
            self.say(self.span(id), "testing a field that is absent is an error", Some(help));
        }
    }

    /// Whether it is a path of names into a variable or element.
    fn is_field(&self, id: Id) -> bool {
        let mut at = id;
        let mut member = false;
        loop {
            match self.kind(at) {
                Kind::Chain(inner) => at = *inner,
                Kind::Member { base, .. } => (at, member) = (*base, true),
                Kind::Variable(_) | Kind::Element { .. } | Kind::Local { .. } => return member,
                _ => return false,
            }
        }
    }

    /// A path with `?.` says itself that it may be nil.
    fn needs_list(&mut self, builtin: Builtin, id: Id) {
        let lists = builtin.parameters().is_some() || matches!(builtin, Builtin::Len | Builtin::Keys | Builtin::Values);
        if lists && matches!(self.kind(id), Kind::Chain(_)) && self.is_field(id) {
            let empty = if matches!(builtin, Builtin::Keys | Builtin::Values) { "{}" } else { "[]" };
            let help = format!("write `(… ?? {empty})`");
            self.say(self.span(id), format!("`{}` of nil is an error", builtin.name()), Some(help));
        }
    }

    /// Whether two sub-trees are the same. Bounded: long ones are never compared by mistake.
    fn same(&self, a: Id, b: Id) -> bool {
        let mut open = vec![(a, b)];
        for _ in 0..100 {
            let Some((a, b)) = open.pop() else { return true };
            let (mut left, mut right) = (Vec::new(), Vec::new());
            self.kind(a).children(|id| left.push(id));
            self.kind(b).children(|id| right.push(id));
            let zero = |kind: &Kind| format!("{:?}", kind.mapped(|_| Id(0)));
            if left.len() != right.len() || zero(self.kind(a)) != zero(self.kind(b)) {
                return false;
            }
            open.extend(left.into_iter().zip(right));
        }
        false
    }

    /// `let` variables that nothing reads.
    fn unread(&mut self) {
        let mut read = vec![false; self.tree.locals.len()];
        for node in &self.tree.nodes {
            if let Kind::Local { slot, .. } = node.kind
                && let Some(read) = read.get_mut(usize::from(slot))
            {
                *read = true;
            }
        }
        for node in &self.tree.nodes {
            if let Kind::Let { slot, .. } = node.kind
                && !read[usize::from(slot)]
            {
                let name = &self.tree.locals[usize::from(slot)];
                self.say(node.at, format!("`{name}` is never read"), None);
            }
        }
    }
}

/// Whether a built-in's predicate must give a boolean.
fn tests(builtin: Builtin) -> bool {
    !matches!(builtin, Builtin::Map | Builtin::GroupBy | Builtin::SortBy | Builtin::Sum | Builtin::Reduce)
}
