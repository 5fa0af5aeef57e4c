//! What the tests share: the language, a family driven by inputs, a cluster of namespaces.
#![allow(dead_code, reason = "each test binary uses a part")]
#![allow(clippy::unwrap_used, reason = "test support: a panic is the report")]

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use kanon_core::{
    Change, Effect, FamilyId, GroupVersionKind, Input, Kind, Mono, Now, Object, Operation, PolicyFile, Resource,
    Review, Stopwatch, UserInfo,
};
use kanon_lang::Language;
use kanon_plane::{Family, Lookups, Outbox, View};
use kanon_rules::{Rules, RulesFamily, Settings, api};
use serde_json::{Value, json};

pub(crate) fn language() -> Arc<dyn Language> {
    Arc::new(kanon_expr::Expr::default())
}

/// A moment so many seconds after the beginning.
pub(crate) fn now(secs: u64) -> Now {
    let start: jiff::Timestamp = "2026-11-21T09:00:00Z".parse().unwrap();
    Now::new(start + Duration::from_secs(secs), Mono(Duration::from_secs(secs)))
}

/// A clock that goes on by so many milliseconds whenever somebody looks.
pub(crate) struct Ticks(pub(crate) u64, pub(crate) AtomicU64);

impl Stopwatch for Ticks {
    fn mono(&self) -> Mono {
        Mono(Duration::from_millis(self.1.fetch_add(self.0, Ordering::Relaxed)))
    }
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
        self.input(&Input::Folder { files, unreadable: Vec::new() });
    }

    pub(crate) fn apply(&mut self, object: &Value) {
        self.object(object, Change::Applied);
    }

    pub(crate) fn object(&mut self, object: &Value, change: Change) {
        let kind: Kind = match object["kind"].as_str().unwrap() {
            api::RULE => api::portal_rule(),
            api::CLUSTER_EXCEPTION => api::cluster_exception(),
            api::EXCEPTION => api::exception(),
            _ => api::cluster_rule(),
        };
        self.input(&Input::Object { kind: Arc::new(kind), change, object: Object::from_value(object) });
    }

    pub(crate) fn view(&self) -> Arc<dyn View> {
        self.family.view()
    }
}

/// The creation of a pod `p` in `shop`.
pub(crate) fn creation(object: &Value) -> Review {
    Review {
        uid: "1".into(),
        operation: Operation::Create,
        kind: GroupVersionKind::new("", "v1", "Pod"),
        resource: Resource::default(),
        sub_resource: String::new(),
        namespace: "shop".into(),
        name: "p".into(),
        user: UserInfo::default(),
        object: Some(Object::from_value(object)),
        old_object: None,
        options: None,
        dry_run: false,
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
    fn get(&self, kind: &GroupVersionKind, namespace: &str, name: &str) -> Option<&Object> {
        let wanted = kind.kind == "Namespace" && namespace.is_empty();
        self.0.iter().find(|it| wanted && it.str_at(&["metadata", "name"]) == name)
    }

    fn list(&self, _: &GroupVersionKind, _: &str) -> Vec<&Object> {
        self.0.iter().collect()
    }

    fn is_synced(&self, _: &GroupVersionKind) -> bool {
        true
    }
}

/// The shared admission data: a folder of rules and one AdmissionReview a line. Looked for in the folder that
/// `KANON_SHARED` names, else in `shared` beside the checkout; `None`, with a line that says so, where it is missing.
pub(crate) fn admission_data() -> Option<(Vec<PolicyFile>, Vec<Review>)> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared");
    let folder = std::env::var_os("KANON_SHARED").map_or(beside, PathBuf::from).join("data/admission");
    let Ok(reviews) = std::fs::read_to_string(folder.join("reviews.jsonl")) else {
        skipped(&folder);
        return None;
    };
    let mut files: Vec<_> = std::fs::read_dir(folder.join("rules"))
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            PolicyFile { path: name, text: std::fs::read(&path).unwrap().into() }
        })
        .collect();
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Some((files, reviews.lines().map(|line| review(&Object::parse(line.to_owned()).unwrap())).collect()))
}

#[expect(clippy::disallowed_macros, reason = "a skipped test says so")]
fn skipped(folder: &Path) {
    println!("skipped: {} is missing", folder.display());
}

/// An AdmissionReview as the webhook reads it.
fn review(envelope: &Object) -> Review {
    let text = |path: &[&str]| envelope.str_at(&[&["request"], path].concat()).to_owned();
    let object = |name: &str| envelope.at(&["request", name]).filter(|it| !it.is_null()).map(|it| it.to_object());
    Review {
        uid: text(&["uid"]),
        operation: serde_json::from_value(text(&["operation"]).into()).unwrap(),
        kind: GroupVersionKind::new(&text(&["kind", "group"]), &text(&["kind", "version"]), &text(&["kind", "kind"])),
        resource: Resource::default(),
        sub_resource: text(&["subResource"]),
        namespace: text(&["namespace"]),
        name: text(&["name"]),
        user: UserInfo { username: text(&["userInfo", "username"]), ..UserInfo::default() },
        object: object("object"),
        old_object: object("oldObject"),
        options: object("options"),
        dry_run: false,
    }
}

/// One rule of mode `admission` about pods that denies; a PortalRule where it has a home.
pub(crate) fn rules(expression: &str, home: Option<&str>) -> Arc<Rules> {
    let spec = json!({"name": "r", "enabled": true, "mode": ["admission"], "enforcementAction": "deny", "rule": expression,
        "onError": "warn", "match": {"gvk": [{"group": "", "version": "v1", "kind": "Pod"}]}});
    let whole = match home {
        Some(home) => json!({"apiVersion": "portal.io/v1alpha1", "kind": "PortalRule",
            "metadata": {"name": "r", "namespace": home}, "spec": spec}),
        None => spec,
    };
    let file = PolicyFile { path: "a.yaml".into(), text: whole.to_string().into() };
    let (rules, problems) = Rules::from_documents(&[file], language(), Settings::default(), Default::default());
    assert!(problems.iter().all(|it| it.warning), "{problems:?}");
    rules
}
