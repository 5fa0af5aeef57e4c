//! What the tests share: the language, a family driven by inputs, a cluster of namespaces.
#![allow(dead_code, reason = "each test binary uses a part")]

use std::{sync::Arc, time::Duration};

use kanon_core::{Change, Effect, FamilyId, GroupVersionKind, Input, Kind, Mono, Now, Object, PolicyFile};
use kanon_lang::Language;
use kanon_plane::{Family, Lookups, Outbox, View};
use kanon_rules::{RulesFamily, Settings, api};
use serde_json::Value;

pub(crate) fn language() -> Arc<dyn Language> {
    Arc::new(kanon_expr::Expr::default())
}

/// A moment so many seconds after the beginning.
pub(crate) fn now(secs: u64) -> Now {
    let start: jiff::Timestamp = "2026-11-21T09:00:00Z".parse().unwrap();
    Now::new(start + Duration::from_secs(secs), Mono(Duration::from_secs(secs)))
}

/// A family with what it asked for.
pub(crate) struct Plane {
    pub(crate) family: RulesFamily,
    pub(crate) effects: Vec<Effect>,
    pub(crate) secs: u64,
}

impl Plane {
    pub(crate) fn new() -> Plane {
        Plane { family: RulesFamily::new(language(), Settings::default()), effects: Vec::new(), secs: 0 }
    }

    pub(crate) fn input(&mut self, input: &Input) {
        let mut out = Outbox::new(FamilyId("rules"));
        self.family.handle(input, now(self.secs), &mut out);
        self.effects.extend(out.wanted().cloned());
    }

    pub(crate) fn folder(&mut self, files: Vec<PolicyFile>) {
        self.input(&Input::Folder { files });
    }

    pub(crate) fn apply(&mut self, object: &Value) {
        self.object(object, Change::Applied);
    }

    pub(crate) fn object(&mut self, object: &Value, change: Change) {
        let kind: Kind = if object["kind"] == api::RULE { api::portal_rule() } else { api::cluster_rule() };
        self.input(&Input::Object { kind: Arc::new(kind), change, object: Object::from_value(object) });
    }

    pub(crate) fn view(&self) -> Arc<dyn View> {
        self.family.view()
    }
}

/// Lookups that know some namespaces.
pub(crate) struct Cluster(Vec<Object>);

impl Cluster {
    pub(crate) fn of_namespaces(namespaces: &[Value]) -> Cluster {
        Cluster(namespaces.iter().map(Object::from_value).collect())
    }
}

impl Lookups for Cluster {
    fn get(&self, kind: &GroupVersionKind, namespace: &str, name: &str) -> Option<Object> {
        let wanted = kind.kind == "Namespace" && namespace.is_empty();
        self.0.iter().find(|it| wanted && it.str_at(&["metadata", "name"]) == name).cloned()
    }

    fn list(&self, _: &GroupVersionKind, _: &str) -> Vec<Object> {
        self.0.clone()
    }

    fn is_synced(&self, _: &GroupVersionKind) -> bool {
        true
    }
}
