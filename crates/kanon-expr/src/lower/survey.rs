//! What must be known of a tree before it is compiled from the leaves up: what is needed at all, what is only tested, and in
//! whose predicate every node stands.

use crate::{
    ast::{BinaryOp, Id, Kind, Tree, UnaryOp},
    builtins::Builtin,
};

/// One entry a node.
pub(super) struct Survey {
    /// Whether the root needs it.
    pub(super) live: Vec<bool>,
    /// Whether all that use it only ask for its truth.
    pub(super) tested: Vec<bool>,
    /// The node whose predicate it stands in, innermost first; itself where there is none.
    pub(super) scope: Vec<Option<usize>>,
}

impl Survey {
    /// Looks from the root down: parents stand after their children.
    pub(super) fn of(tree: &Tree) -> Survey {
        let count = tree.nodes.len();
        let mut survey = Survey { live: tree.live(), tested: vec![true; count], scope: vec![None; count] };
        if let Some(root) = survey.tested.last_mut() {
            *root = false;
        }
        for at in (0..count).rev() {
            if survey.live[at] {
                survey.visit(tree, at);
            }
        }
        survey
    }

    fn visit(&mut self, tree: &Tree, at: usize) {
        let (scope, tested) = (self.scope[at], self.tested[at]);
        let kind = &tree.nodes[at].kind;
        kind.children(|child| self.scope[child.at()] = scope);
        let mut values = Vec::new();
        kind.children(|child| values.push(child));
        let mut only_tested = |id: Id| values.retain(|it| *it != id);
        match kind {
            Kind::Unary(UnaryOp::Not, operand) => only_tested(*operand),
            Kind::Binary(BinaryOp::And | BinaryOp::Or, left, right) => {
                only_tested(*left);
                if tested {
                    only_tested(*right);
                }
            }
            // `a ?: b` gives what it tests.
            Kind::Conditional { condition, yes, no } if condition != yes && condition != no => only_tested(*condition),
            Kind::Predicate(body) if tested => only_tested(*body),
            Kind::Builtin { builtin, args } if builtin.parameters().is_some() => {
                if let Some(body) = args.get(1) {
                    self.scope[body.at()] = Some(at);
                    if tests(*builtin) {
                        only_tested(*body);
                    }
                }
            }
            Kind::Select { test, map, .. } => {
                self.scope[test.at()] = Some(at);
                only_tested(*test);
                if let Some(map) = map {
                    self.scope[map.at()] = Some(at);
                }
            }
            Kind::AtLeast { test, .. } => {
                self.scope[test.at()] = Some(at);
                only_tested(*test);
            }
            _ => {}
        }
        for id in values {
            self.tested[id.at()] = false;
        }
    }
}

/// Whether a built-in's predicate must give a boolean.
fn tests(builtin: Builtin) -> bool {
    !matches!(builtin, Builtin::Map | Builtin::GroupBy | Builtin::SortBy | Builtin::Sum | Builtin::Reduce)
}
