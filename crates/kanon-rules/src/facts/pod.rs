//! The façade over pod-shaped kinds (spec/rules 2.3) and the metadata of all others (2.5).

use std::{collections::BTreeMap, sync::OnceLock};

use kanon_core::{GroupVersionKind, Node, NodeKind};
use kanon_lang::{
    Arena, Record, Value,
    kubernetes::{self, Image, parse_image},
};

use super::{raw, record};

/// Where the pod spec of a pod-shaped kind stands; `None` for other kinds.
fn spec_path(kind: &GroupVersionKind) -> Option<&'static [&'static str]> {
    const TEMPLATE: &[&str] = &["spec", "template", "spec"];
    match (kind.group.as_str(), kind.version.as_str(), kind.kind.as_str()) {
        ("", "v1", "Pod") => Some(&["spec"]),
        ("", "v1", "ReplicationController")
        | ("apps", "v1", "Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet")
        | ("batch", "v1", "Job") => Some(TEMPLATE),
        ("batch", "v1", "CronJob") => Some(&["spec", "jobTemplate", "spec", "template", "spec"]),
        _ => None,
    }
}

/// Kinds that make pods besides those that Kubernetes has, with the place of the pod spec in each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PodShapes(BTreeMap<GroupVersionKind, Vec<String>>);

impl PodShapes {
    /// Of kinds and paths; for Kubernetes' own kinds what is known of them counts.
    pub fn new(shapes: impl IntoIterator<Item = (GroupVersionKind, Vec<String>)>) -> PodShapes {
        PodShapes(shapes.into_iter().collect())
    }

    /// Whether a kind is pod-shaped.
    pub(crate) fn has(&self, kind: &GroupVersionKind) -> bool {
        spec_path(kind).is_some() || self.0.contains_key(kind)
    }

    /// Where the pod spec of a pod-shaped kind stands; `None` for other kinds.
    pub(crate) fn path<'s>(&'s self, kind: &GroupVersionKind) -> Option<Vec<&'s str>> {
        match spec_path(kind) {
            Some(path) => Some(path.to_vec()),
            None => self.0.get(kind).map(|path| path.iter().map(String::as_str).collect()),
        }
    }

    /// The pod spec of an object of a pod-shaped kind, if it has one; `None` for other kinds.
    pub(crate) fn spec<'n>(&self, kind: &GroupVersionKind, object: Node<'n>) -> Option<Option<Node<'n>>> {
        match spec_path(kind) {
            Some(path) => Some(object.at(path)),
            None => self.0.get(kind).map(|path| path.iter().try_fold(object, |node, name| node.get(name))),
        }
    }
}

/// The kinds of [`spec_path`], as group, version and kind.
pub(crate) const POD_SHAPED: [(&str, &str, &str); 8] = [
    ("", "v1", "Pod"),
    ("", "v1", "ReplicationController"),
    ("apps", "v1", "Deployment"),
    ("apps", "v1", "StatefulSet"),
    ("apps", "v1", "DaemonSet"),
    ("apps", "v1", "ReplicaSet"),
    ("batch", "v1", "Job"),
    ("batch", "v1", "CronJob"),
];

/// The labels of the pods that an object stands for: its template's, or its own.
pub(crate) fn template_labels(object: Node<'_>) -> Option<Node<'_>> {
    const TEMPLATES: [&[&str]; 2] = [&["spec", "jobTemplate", "spec", "template"], &["spec", "template"]];
    let template = TEMPLATES.iter().find_map(|path| object.at(path));
    template.unwrap_or(object).at(&["metadata", "labels"])
}

/// Every container in order of fan-out.
pub(crate) fn containers<'a>(spec: Option<Node<'a>>) -> impl Iterator<Item = Container<'a>> {
    kubernetes::containers(spec).map(|(node, container_type)| Container {
        node,
        container_type,
        image: OnceLock::new(),
    })
}

/// Members of `container`.
pub(crate) const CONTAINER: &[&str] =
    &["args", "command", "containerType", "image", "name", "ports", "restartPolicy", "securityContext", "sidecar"];

/// `container`.
pub(crate) struct Container<'n> {
    node: Node<'n>,
    container_type: &'static str,
    /// Its image's parts, once a rule asked for them: many do.
    image: OnceLock<Image<'n>>,
}

impl<'n> Container<'n> {
    /// Its name; empty where it has none (or one with escapes, which no valid name has).
    pub(crate) fn name(&self) -> &'n str {
        self.node.get("name").and_then(Node::as_plain_str).unwrap_or_default()
    }

    /// Its image as written.
    pub(crate) fn image_text(&self) -> Option<std::borrow::Cow<'n, str>> {
        self.node.get("image").and_then(Node::as_str)
    }

    fn image<'a>(&'a self, arena: &'a Arena) -> Value<'a> {
        let text = self.node.get("image");
        match text.map(|it| it.as_plain_str()) {
            Some(Some(text)) => Value::Record(self.image.get_or_init(|| parse_image(text))),
            // Text with escapes lives in the arena.
            Some(None) => match Value::from_option(text, arena) {
                Value::Str(text) => record(arena, parse_image(text)),
                _ => record(arena, parse_image("")),
            },
            None => record(arena, parse_image("")),
        }
    }

    /// Its type, as `containerType` has it.
    pub(crate) fn container_type(&self) -> &'static str {
        self.container_type
    }

    fn restarts_always(&self) -> bool {
        self.node.get("restartPolicy").and_then(Node::as_plain_str) == Some("Always")
    }
}

impl Record for Container<'_> {
    fn get<'a>(&'a self, name: &str, arena: &'a Arena) -> Option<Value<'a>> {
        Some(match name {
            "name" => text(raw(Some(self.node), name, arena)),
            "containerType" => Value::Str(self.container_type),
            "image" => self.image(arena),
            "command" | "args" | "ports" => match raw(Some(self.node), name, arena) {
                Value::Null => Value::NilList,
                value => value,
            },
            "securityContext" => record(arena, ContainerSecurity(self.node.get(name))),
            "restartPolicy" => raw(Some(self.node), name, arena),
            // A native sidecar is an init container that keeps running.
            "sidecar" => Value::Bool(self.container_type == "init" && self.restarts_always()),
            _ => return None,
        })
    }

    fn names(&self) -> &'static [&'static str] {
        &["args", "command", "containerType", "image", "name", "ports", "restartPolicy", "securityContext", "sidecar"]
    }
}

/// Members of `container.securityContext`.
pub(crate) const CONTAINER_SECURITY: &[&str] = &[
    "allowPrivilegeEscalation",
    "capabilities",
    "privileged",
    "procMount",
    "readOnlyRootFilesystem",
    "runAsGroup",
    "runAsNonRoot",
    "runAsUser",
    "seccompProfileType",
];

/// `container.securityContext`.
struct ContainerSecurity<'n>(Option<Node<'n>>);

impl Record for ContainerSecurity<'_> {
    fn get<'a>(&'a self, name: &str, arena: &'a Arena) -> Option<Value<'a>> {
        Some(match name {
            "privileged"
            | "allowPrivilegeEscalation"
            | "readOnlyRootFilesystem"
            | "runAsUser"
            | "runAsGroup"
            | "runAsNonRoot"
            | "procMount" => raw(self.0, name, arena),
            "seccompProfileType" => seccomp_type(self.0, arena),
            "capabilities" => record(arena, Capabilities(self.0.and_then(|it| it.get(name)))),
            _ => return None,
        })
    }

    fn names(&self) -> &'static [&'static str] {
        CONTAINER_SECURITY
    }
}

/// `container.securityContext.capabilities`.
struct Capabilities<'n>(Option<Node<'n>>);

impl Record for Capabilities<'_> {
    fn get<'a>(&'a self, name: &str, arena: &'a Arena) -> Option<Value<'a>> {
        matches!(name, "add" | "drop").then(|| raw(self.0, name, arena))
    }

    fn names(&self) -> &'static [&'static str] {
        &["add", "drop"]
    }
}

/// `spec`: five fields of the pod spec.
pub(crate) struct Spec<'n>(pub Option<Node<'n>>);

/// Members of `spec`.
pub(crate) const SPEC: &[&str] =
    &["automountServiceAccountToken", "hostIPC", "hostNetwork", "hostPID", "serviceAccountName"];

impl Record for Spec<'_> {
    fn get<'a>(&'a self, name: &str, arena: &'a Arena) -> Option<Value<'a>> {
        SPEC.contains(&name).then(|| raw(self.0, name, arena))
    }

    fn names(&self) -> &'static [&'static str] {
        SPEC
    }
}

/// Members of `securityContext`.
pub(crate) const POD_SECURITY: &[&str] =
    &["fsGroup", "runAsGroup", "runAsNonRoot", "runAsUser", "seccompProfileType", "supplementalGroups"];

/// `securityContext`: the pod's.
pub(crate) struct PodSecurity<'n>(pub Option<Node<'n>>);

impl Record for PodSecurity<'_> {
    fn get<'a>(&'a self, name: &str, arena: &'a Arena) -> Option<Value<'a>> {
        Some(match name {
            "runAsUser" | "runAsGroup" | "runAsNonRoot" | "fsGroup" | "supplementalGroups" => raw(self.0, name, arena),
            "seccompProfileType" => seccomp_type(self.0, arena),
            _ => return None,
        })
    }

    fn names(&self) -> &'static [&'static str] {
        POD_SECURITY
    }
}

/// Members of `metadata`.
pub(crate) const METADATA: &[&str] = &["annotations", "labels", "name", "namespace"];

/// `metadata`. What is absent reads differently by kind (spec/rules 2.3, 2.5): plain nil for pods, `""` and nil maps else.
pub(crate) struct Metadata<'n> {
    pub node: Option<Node<'n>>,
    pub pod: bool,
}

impl Record for Metadata<'_> {
    fn get<'a>(&'a self, name: &str, arena: &'a Arena) -> Option<Value<'a>> {
        let value = raw(self.node, name, arena);
        Some(match (name, self.pod) {
            ("name" | "namespace", true) => match value {
                Value::Str("") => Value::Null,
                value => value,
            },
            ("name" | "namespace", false) => text(value),
            ("labels" | "annotations", true) => value,
            ("labels" | "annotations", false) => match value {
                Value::Null => Value::NilMap,
                value => value,
            },
            _ => return None,
        })
    }

    fn names(&self) -> &'static [&'static str] {
        METADATA
    }
}

fn seccomp_type<'a>(security: Option<Node<'a>>, arena: &'a Arena) -> Value<'a> {
    let profile = security.and_then(|it| it.get("seccompProfile")).filter(|it| it.kind() == NodeKind::Object);
    raw(profile, "type", arena)
}

/// A string; empty where there is none.
fn text(value: Value<'_>) -> Value<'_> {
    match value {
        Value::Str(text) => Value::Str(text),
        _ => Value::Str(""),
    }
}
