//! Who looked what up (spec/rules 5.3): from an object that changed to the rules and objects whose verdict may change with it.
//!
//! Questions are kept, not answers: a rule that found no budget depends on the budget that somebody will create. The index is bounded;
//! what falls out of it is remembered by rule and kind, and then means: ask that rule about everything.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Bound,
    sync::Arc,
};

use kanon_core::{GroupVersionKind, Object, Selector};
use kanon_network::Kinds;
use kanon_plane::{ObjectName, PolicyKey};

use crate::lookups::reader::Query;

/// Questions that are kept.
const KEYS_MAX: usize = 500_000;

/// A rule and an object that it was asked about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Dependent {
    pub kind: GroupVersionKind,
    pub name: ObjectName,
    pub rule: PolicyKey,
}

/// Who asked one question.
#[derive(Default)]
struct Askers {
    /// When it was last asked or looked for.
    turn: u64,
    dependents: BTreeSet<Arc<Dependent>>,
}

/// See the module.
pub(crate) struct Dependencies {
    keys_max: usize,
    keys: BTreeMap<Query, Askers>,
    /// Questions by turn: the longest untouched first.
    turns: BTreeMap<u64, Query>,
    turn: u64,
    /// What each dependent asked last.
    asked: BTreeMap<Arc<Dependent>, Vec<Query>>,
    /// Rules with the kinds of questions that fell out.
    lost: BTreeSet<(GroupVersionKind, PolicyKey)>,
    /// The last state of objects of kinds that are listed: a label that went counts like one that came.
    known: BTreeMap<GroupVersionKind, BTreeMap<ObjectName, Object>>,
}

impl Default for Dependencies {
    fn default() -> Dependencies {
        Dependencies {
            keys_max: KEYS_MAX,
            keys: BTreeMap::new(),
            turns: BTreeMap::new(),
            turn: 0,
            asked: BTreeMap::new(),
            lost: BTreeSet::new(),
            known: BTreeMap::new(),
        }
    }
}

/// What a change concerns.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Affected {
    pub dependents: BTreeSet<Arc<Dependent>>,
    /// Rules of which it is not known any more what they asked.
    pub rules: BTreeSet<PolicyKey>,
}

impl Dependencies {
    /// A rule was asked about an object and asked these questions itself: they replace those of the last time.
    pub(crate) fn record(&mut self, dependent: Dependent, mut queries: Vec<Query>) {
        queries.sort();
        queries.dedup();
        let dependent = Arc::new(dependent);
        let before = match queries.is_empty() {
            true => self.asked.remove(&dependent),
            false => self.asked.insert(Arc::clone(&dependent), queries.clone()),
        };
        for query in before.into_iter().flatten().filter(|it| queries.binary_search(it).is_err()) {
            self.unlink(&query, &dependent);
        }
        for query in queries {
            let turn = self.next_turn(&query);
            let askers = self.keys.entry(query).or_default();
            askers.turn = turn;
            askers.dependents.insert(Arc::clone(&dependent));
        }
        while self.keys.len() > self.keys_max {
            let Some((_, oldest)) = self.turns.pop_first() else { break };
            let Some(askers) = self.keys.remove(&oldest) else { continue };
            let network = Kinds::policy().gvk;
            let kind = match &oldest {
                Query::Named { kind, .. } | Query::Listed { kind, .. } => kind,
                // It is as good as any kind of the network's.
                Query::Network { .. } => &network,
            };
            self.lost.extend(askers.dependents.iter().map(|it| (kind.clone(), it.rule.clone())));
        }
    }

    /// Notes a new turn for a question.
    fn next_turn(&mut self, query: &Query) -> u64 {
        self.turn += 1;
        if let Some(askers) = self.keys.get(query) {
            self.turns.remove(&askers.turn);
        }
        self.turns.insert(self.turn, query.clone());
        self.turn
    }

    fn unlink(&mut self, query: &Query, dependent: &Arc<Dependent>) {
        let Some(askers) = self.keys.get_mut(query) else { return };
        askers.dependents.remove(dependent);
        if askers.dependents.is_empty() {
            self.turns.remove(&askers.turn);
            self.keys.remove(query);
        }
    }

    /// An object that was asked about is gone.
    pub(crate) fn forget(&mut self, kind: &GroupVersionKind, name: &ObjectName) {
        self.forget_if(|it| it.kind == *kind && it.name == *name, Some((kind, name)));
    }

    /// Rules that are gone or changed.
    pub(crate) fn forget_rules(&mut self, gone: impl Fn(&PolicyKey) -> bool) {
        self.forget_if(|it| gone(&it.rule), None);
        self.lost.retain(|it| !gone(&it.1));
    }

    fn forget_if(&mut self, is_meant: impl Fn(&Dependent) -> bool, near: Option<(&GroupVersionKind, &ObjectName)>) {
        let first =
            near.map(|(kind, name)| Dependent { kind: kind.clone(), name: name.clone(), rule: PolicyKey::default() });
        let from = first.map_or(Bound::Unbounded, |it| Bound::Included(Arc::new(it)));
        let of_object = |it: &Arc<Dependent>| near.is_none_or(|(kind, name)| it.kind == *kind && it.name == *name);
        let all = self.asked.range((from, Bound::Unbounded)).map(|it| it.0).take_while(|it| of_object(it));
        let over: Vec<_> = all.filter(|it| is_meant(it)).cloned().collect();
        for dependent in over {
            for query in self.asked.remove(&dependent).into_iter().flatten() {
                self.unlink(&query, &dependent);
            }
        }
    }

    /// A kind that is not watched any more.
    pub(crate) fn forget_kind(&mut self, kind: &GroupVersionKind) {
        self.known.remove(kind);
    }

    /// Keeps an object's state, for the next change of it. Gives the one before.
    pub(crate) fn remember(
        &mut self,
        kind: &GroupVersionKind,
        name: &ObjectName,
        object: Option<&Object>,
    ) -> Option<Object> {
        match object {
            Some(object) => self.known.entry(kind.clone()).or_default().insert(name.clone(), object.clone()),
            None => self.known.get_mut(kind)?.remove(name),
        }
    }

    /// Whose verdict may change with the pods and policies of a namespace.
    pub(crate) fn affected_by_network(&mut self, namespace: &str) -> Affected {
        let query = Query::Network { namespace: namespace.to_owned() };
        let mut found = Affected::default();
        if let Some(askers) = self.keys.get(&query) {
            found.dependents = askers.dependents.clone();
            let turn = self.next_turn(&query);
            if let Some(askers) = self.keys.get_mut(&query) {
                askers.turn = turn;
            }
        }
        let kind = Kinds::policy().gvk;
        found.rules = self.lost.iter().filter(|it| it.0 == kind).map(|it| it.1.clone()).collect();
        found
    }

    /// Whose verdict may change with an object that was `before` and is `after`; `blind` says that it is not known what it was.
    pub(crate) fn affected(
        &mut self,
        kind: &GroupVersionKind,
        name: &ObjectName,
        before: Option<&Object>,
        after: Option<&Object>,
        blind: bool,
    ) -> Affected {
        let mut found = Affected::default();
        let mut touched = Vec::new();
        let named = Query::Named { kind: kind.clone(), namespace: name.0.clone(), name: name.1.clone() };
        if let Some(askers) = self.keys.get(&named) {
            found.dependents.extend(askers.dependents.iter().cloned());
            touched.push(named);
        }
        let mut namespaces = vec![name.0.as_str(), ""];
        namespaces.dedup();
        for namespace in namespaces {
            let from =
                Query::Listed { kind: kind.clone(), namespace: namespace.to_owned(), selector: Selector::default() };
            for (query, askers) in self.keys.range(from..) {
                let Query::Listed { kind: of, namespace: within, selector } = query else { break };
                if of != kind || within != namespace {
                    break;
                }
                if blind || [before, after].into_iter().flatten().any(|it| selector.matches_object(it)) {
                    found.dependents.extend(askers.dependents.iter().cloned());
                    touched.push(query.clone());
                }
            }
        }
        // What is looked for is of use, and stays.
        for query in touched {
            let turn = self.next_turn(&query);
            if let Some(askers) = self.keys.get_mut(&query) {
                askers.turn = turn;
            }
        }
        // An object knows of itself.
        found.dependents.retain(|it| it.kind != *kind || it.name != *name);
        let lost = self.lost.iter().filter(|it| it.0 == *kind);
        found.rules.extend(lost.map(|it| it.1.clone()));
        found
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn kind(name: &str) -> GroupVersionKind {
        GroupVersionKind::new("", "v1", name)
    }

    fn name(name: &str) -> ObjectName {
        ("shop".to_owned(), name.to_owned())
    }

    fn web(at: &str) -> Dependent {
        let rule = PolicyKey { origin: "PortalClusterRule".into(), namespace: String::new(), name: "budget".into() };
        Dependent { kind: kind("Deployment"), name: name(at), rule }
    }

    fn by_name(it: &str) -> Query {
        Query::Named { kind: kind("Budget"), namespace: "shop".into(), name: it.into() }
    }

    fn listed(namespace: &str, selector: serde_json::Value) -> Query {
        let arena = kanon_lang::Arena::new();
        let text = Object::from_value(&selector);
        let selector =
            kanon_lang::kubernetes::selector_of_value(kanon_lang::Value::from_node(text.root(), &arena), &arena)
                .unwrap();
        Query::Listed { kind: kind("Budget"), namespace: namespace.into(), selector }
    }

    fn budget(labels: serde_json::Value) -> Object {
        Object::from_value(&json!({"metadata": {"name": "b", "namespace": "shop", "labels": labels}}))
    }

    fn names(it: &Affected) -> Vec<&str> {
        it.dependents.iter().map(|it| it.name.1.as_str()).collect()
    }

    #[test]
    fn a_change_concerns_whoever_asked_for_it_there_or_not() {
        let mut all = Dependencies::default();
        all.record(web("missed"), vec![by_name("b")]);
        all.record(web("other"), vec![by_name("c")]);
        all.record(web("web"), vec![listed("shop", json!({"app": "web"}))]);
        all.record(web("db"), vec![listed("shop", json!({"app": "db"}))]);
        all.record(web("anywhere"), vec![listed("", json!({}))]);
        all.record(web("elsewhere"), vec![listed("bank", json!({}))]);
        let (to_web, to_db) = (budget(json!({"app": "web"})), budget(json!({"app": "db"})));
        let mut on = |before: Option<&Object>, after: Option<&Object>| {
            let found = all.affected(&kind("Budget"), &name("b"), before, after, false);
            names(&found).join(" ")
        };
        assert_eq!(on(None, Some(&to_web)), "anywhere missed web");
        assert_eq!(on(Some(&to_web), Some(&to_db)), "anywhere db missed web");
        assert_eq!(on(Some(&to_db), None), "anywhere db missed");
        all.record(web("missed"), Vec::new());
        all.forget(&kind("Deployment"), &name("web"));
        let found = all.affected(&kind("Budget"), &name("b"), None, Some(&to_web), false);
        assert_eq!(names(&found), ["anywhere"]);
        assert_eq!(all.affected(&kind("Pod"), &name("b"), None, Some(&to_web), false), Affected::default());
    }

    #[test]
    fn an_object_does_not_concern_itself() {
        let mut all = Dependencies::default();
        let own = Dependent { kind: kind("Budget"), ..web("b") };
        all.record(own, vec![listed("shop", json!({}))]);
        assert_eq!(
            all.affected(&kind("Budget"), &name("b"), None, Some(&budget(json!({}))), false),
            Affected::default()
        );
    }

    #[test]
    fn what_falls_out_means_the_whole_rule() {
        let mut all = Dependencies { keys_max: 2, ..Dependencies::default() };
        all.record(web("a"), vec![by_name("a")]);
        all.record(web("b"), vec![by_name("b")]);
        // Looked for, so that the other one is the oldest.
        all.affected(&kind("Budget"), &name("a"), None, None, false);
        all.record(web("c"), vec![by_name("c")]);
        let found = all.affected(&kind("Budget"), &name("b"), None, None, false);
        assert_eq!((names(&found), found.rules.len()), (Vec::new(), 1));
        assert_eq!(names(&all.affected(&kind("Budget"), &name("a"), None, None, false)), ["a"]);
        assert!(all.affected(&kind("Pod"), &name("b"), None, None, false).rules.is_empty());
        all.forget_rules(|_| true);
        assert_eq!(all.affected(&kind("Budget"), &name("a"), None, None, false), Affected::default());
        assert!(all.keys.is_empty() && all.turns.is_empty() && all.asked.is_empty());
    }
}
