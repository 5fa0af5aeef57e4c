//! Looking at stored objects with the rules of a snapshot: what runs on the worker thread. The decision is the one function that
//! admission asks too; here it is asked about many objects, and what it says is gathered for the family.

use std::sync::Arc;

use kanon_core::{GroupVersionKind, Node, Now, Object, ObjectRef, Verdict};
use kanon_plane::{Lookups, ObjectName, ObjectStore, Which, Work};

use crate::{
    decide::{Question, RuleTally},
    index::{Entry, Rules},
    lookups::reader::Query,
    rule::Mode,
};

/// What a scan came to.
pub(crate) struct Scanned {
    /// The snapshot that decided.
    pub rules: Arc<Rules>,
    /// What was asked for.
    pub work: Work,
    /// The last of them; `None` where nothing follows.
    pub next: Option<ObjectName>,
    /// The sum over all objects, one a rule that was evaluated.
    pub rows: Vec<RuleTally>,
    /// The last object on which a rule failed, by position of its entry.
    pub failed: Vec<(usize, ObjectRef)>,
    /// Objects that something was found about.
    pub found: Vec<Found>,
    /// What rules looked up: position of the entry, object, questions.
    pub queries: Vec<(usize, ObjectName, Vec<Query>)>,
}

/// What was found about one object.
pub(crate) struct Found {
    pub name: ObjectName,
    pub uid: String,
    /// Violations and failed evaluations with the position of their entry.
    pub verdicts: Vec<(usize, Verdict)>,
}

/// Runs a scan.
pub(crate) fn scan(rules: &Arc<Rules>, work: &Work, store: &ObjectStore, now: Now) -> Scanned {
    let objects = work.objects(store);
    // A rule is not asked before everything is there that it looks up.
    let is_asked = |it: &Entry| {
        let is_meant = work.policies.as_ref().is_none_or(|keys| keys.contains(&it.key));
        is_meant && it.lookups.iter().all(|kind| store.is_synced(kind))
    };
    let among: Vec<_> = rules.entries().iter().map(is_asked).collect();
    let mut rows: Vec<Option<RuleTally>> = vec![None; rules.entries().len()];
    let mut failed = Vec::new();
    let (mut found, mut queries) = (Vec::new(), Vec::new());
    for object in &objects {
        let question = Question {
            kind: &work.kind,
            object,
            request: None,
            event: None,
            modes: &[Mode::Audit],
            among: Some(&among),
            now,
        };
        let decision = rules.decide(&question, store);
        for row in decision.rows {
            let at = row.entry();
            if row.errors > 0 {
                failed.retain(|(it, _)| *it != at);
                failed.push((at, reference(&work.kind, object)));
            }
            match rows.get_mut(at) {
                Some(Some(sum)) => sum.absorb(row),
                Some(empty) => *empty = Some(row),
                None => {}
            }
        }
        queries.extend(decision.queries.into_iter().map(|(at, asked)| (at, name(object), asked)));
        if !decision.found.is_empty() {
            let uid = object.str_at(&["metadata", "uid"]).to_owned();
            found.push(Found { name: name(object), uid, verdicts: decision.found });
        }
    }
    let next = match work.which {
        Which::After { limit, .. } if objects.len() == limit => objects.last().map(|it| name(it)),
        Which::After { .. } | Which::Named(_) => None,
    };
    let rows = rows.into_iter().flatten().collect();
    Scanned { rules: Arc::clone(rules), work: work.clone(), next, rows, failed, found, queries }
}

/// An object's namespace and name.
pub(crate) fn name(object: &Object) -> ObjectName {
    let text = |name| object.str_at(&["metadata", name]).to_owned();
    (text("namespace"), text("name"))
}

fn reference(kind: &GroupVersionKind, object: &Object) -> ObjectRef {
    let uid = object.at(&["metadata", "uid"]).and_then(Node::as_plain_str).unwrap_or_default().to_owned();
    let (namespace, name) = name(object);
    ObjectRef { gvk: kind.clone(), namespace, name, uid }
}
