//! The model: namespaces with their pods and policies, kept up change by change. A clone is a snapshot: it shares everything,
//! and a change copies no more than the lists of the namespace it touches.

use std::{collections::BTreeMap, net::IpAddr, sync::Arc};

use kanon_core::{Change, GroupVersionKind, Kind, Labels, Node, Object, labels};

use crate::{
    pod::Pod,
    policy::{Direction, Policy},
};

/// The label that the API server gives every namespace.
const NAME_LABEL: &str = "kubernetes.io/metadata.name";

/// The kinds that the model is made of in a cluster.
pub struct Kinds;

impl Kinds {
    /// Pods.
    pub fn pod() -> Kind {
        Kind::namespaced("", "v1", "Pod", "pods")
    }

    /// Namespaces.
    pub fn namespace() -> Kind {
        Kind::cluster("", "v1", "Namespace", "namespaces")
    }

    /// NetworkPolicies.
    pub fn policy() -> Kind {
        Kind::namespaced("networking.k8s.io", "v1", "NetworkPolicy", "networkpolicies")
    }

    /// All of them.
    pub fn all() -> [Kind; 3] {
        [Kinds::namespace(), Kinds::pod(), Kinds::policy()]
    }
}

/// One namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Namespace {
    /// Its name.
    pub name: String,
    /// Its labels; those of a namespace that was not seen itself are its name.
    pub labels: Labels,
    /// Whether the Namespace object was seen, not only what is in it.
    pub is_known: bool,
    /// Its pods by [`Pod::key`].
    pub pods: BTreeMap<String, Arc<Pod>>,
    /// Its policies by name.
    pub policies: BTreeMap<String, Arc<Policy>>,
}

impl Namespace {
    fn new(name: &str) -> Namespace {
        let labels = [(NAME_LABEL.to_owned(), name.to_owned())].into();
        Namespace { name: name.to_owned(), labels, ..Namespace::default() }
    }

    fn is_gone(&self) -> bool {
        !self.is_known && self.pods.is_empty() && self.policies.is_empty()
    }

    /// The pods that policies protect.
    pub fn protected(&self) -> impl Iterator<Item = &Arc<Pod>> {
        self.pods.values().filter(|it| it.is_protected())
    }

    /// The policies that isolate a pod of this namespace in a direction.
    pub fn isolating<'n>(&'n self, pod: &'n Pod, direction: Direction) -> impl Iterator<Item = &'n Arc<Policy>> {
        self.policies.values().filter(move |it| it.is_effective(direction) && it.selects(pod))
    }

    /// The pods that a policy of this namespace selects, ended ones and those on the host network too.
    pub fn selected<'n>(&'n self, policy: &'n Policy) -> impl Iterator<Item = &'n Arc<Pod>> {
        self.pods.values().filter(|it| policy.selects(it))
    }
}

impl Policy {
    /// Whether its selector fits a pod's labels.
    pub fn selects(&self, pod: &Pod) -> bool {
        self.selector.as_ref().is_some_and(|it| it.matches(&pod.labels))
    }
}

/// Namespaces, pods and policies.
#[derive(Clone, Debug, Default)]
pub struct Model {
    namespaces: BTreeMap<String, Arc<Namespace>>,
}

impl Model {
    /// The model of manifests or of a listing: `default` is the namespace of what names none. Templates stand for pods where
    /// no pod of theirs is there; what a controller made (a ReplicaSet of a Deployment) stands for nothing of its own.
    pub fn of_objects<'o>(objects: impl IntoIterator<Item = &'o Object> + Clone, default: &str) -> Model {
        let mut model = Model::default();
        let kind_of =
            |it: &Object| GroupVersionKind::from_api_version(it.str_at(&["apiVersion"]), it.str_at(&["kind"]));
        let mut templates = Vec::new();
        for object in objects {
            let kind = kind_of(object);
            match Pod::of(&kind, object) {
                Some(pod) if pod.kind != "Pod" => {
                    if object.at(&["metadata", "ownerReferences"]).is_none_or(Node::is_empty) {
                        templates.push(pod);
                    }
                }
                _ => {
                    model.apply_in(&kind, Change::Applied, object, default);
                }
            }
        }
        for mut pod in templates {
            if pod.namespace.is_empty() {
                default.clone_into(&mut pod.namespace);
            }
            let namespace = model.at(&pod.namespace);
            let is_of = |it: &Pod| {
                !pod.labels.is_empty() && pod.labels.iter().all(|(key, value)| it.labels.get(key) == Some(value))
            };
            if !namespace.pods.values().any(|it| it.kind == "Pod" && is_of(it)) {
                namespace.pods.insert(pod.key(), Arc::new(pod));
            }
        }
        model
    }

    /// Takes a change in. Gives the namespace whose picture changed; `None` where nothing did that the network sees, and for
    /// other kinds. Objects without a namespace are in `default`.
    pub fn apply(&mut self, kind: &GroupVersionKind, change: Change, object: &Object) -> Option<String> {
        self.apply_in(kind, change, object, "default")
    }

    fn apply_in(&mut self, kind: &GroupVersionKind, change: Change, object: &Object, default: &str) -> Option<String> {
        let text = |name: &str| object.at(&["metadata", name]).and_then(Node::as_str).unwrap_or_default().into_owned();
        let named = |it: String| if it.is_empty() { default.to_owned() } else { it };
        let is_there = change == Change::Applied;
        match (kind.group.as_str(), kind.kind.as_str()) {
            ("", "Namespace") => {
                let name = text("name");
                let mut wanted = Namespace::new(&name).labels;
                if is_there {
                    wanted.extend(labels(object.at(&["metadata", "labels"])));
                }
                let known = self.namespaces.get(&name);
                let same = known.is_some_and(|it| it.is_known == is_there && it.labels == wanted);
                if same || (known.is_none() && !is_there) {
                    return None;
                }
                let namespace = self.at(&name);
                namespace.is_known = is_there;
                namespace.labels = wanted;
                self.tidy(&name);
                Some(name)
            }
            ("networking.k8s.io", "NetworkPolicy") => {
                let mut policy = Policy::of(object);
                policy.namespace = named(policy.namespace);
                let (place, key) = (policy.namespace.clone(), policy.name.clone());
                let wanted = is_there.then_some(policy);
                let known = self.namespace(&place).and_then(|it| it.policies.get(&key));
                if known.map(|it| &**it) == wanted.as_ref() {
                    return None;
                }
                put(&mut self.at(&place).policies, key, wanted);
                self.tidy(&place);
                Some(place)
            }
            _ => {
                let mut pod = Pod::of(kind, object)?;
                pod.namespace = named(pod.namespace);
                let (place, key) = (pod.namespace.clone(), pod.key());
                let wanted = is_there.then_some(pod);
                let known = self.namespace(&place).and_then(|it| it.pods.get(&key));
                if known.map(|it| &**it) == wanted.as_ref() {
                    return None;
                }
                put(&mut self.at(&place).pods, key, wanted);
                self.tidy(&place);
                Some(place)
            }
        }
    }

    fn at(&mut self, name: &str) -> &mut Namespace {
        let namespace = self.namespaces.entry(name.to_owned()).or_insert_with(|| Arc::new(Namespace::new(name)));
        Arc::make_mut(namespace)
    }

    fn tidy(&mut self, name: &str) {
        if self.namespaces.get(name).is_some_and(|it| it.is_gone()) {
            self.namespaces.remove(name);
        }
    }

    /// A namespace that was seen, or something in it.
    pub fn namespace(&self, name: &str) -> Option<&Namespace> {
        self.namespaces.get(name).map(|it| &**it)
    }

    /// All namespaces, by name.
    pub fn namespaces(&self) -> impl Iterator<Item = &Namespace> {
        self.namespaces.values().map(|it| &**it)
    }

    /// The pods that a name means: the pod of this name, or else `deployment/web`, or else every workload of the name.
    pub fn find_pods(&self, namespace: &str, name: &str) -> Vec<&Pod> {
        let Some(namespace) = self.namespace(namespace) else { return Vec::new() };
        match namespace.pods.get(name) {
            Some(pod) => vec![pod],
            None => namespace.pods.values().filter(|it| it.kind != "Pod" && it.name == name).map(|it| &**it).collect(),
        }
    }

    /// The live pod that has an address of its own.
    pub fn pod_at(&self, address: IpAddr) -> Option<&Pod> {
        let mut pods = self.namespaces().flat_map(|it| it.protected());
        pods.find(|it| it.addresses.contains(&address)).map(|it| &**it)
    }
}

fn put<T>(entries: &mut BTreeMap<String, Arc<T>>, key: String, value: Option<T>) {
    match value {
        Some(value) => entries.insert(key, Arc::new(value)),
        None => entries.remove(&key),
    };
}
