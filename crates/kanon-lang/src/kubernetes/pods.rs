//! Where the pods of an object are described, and their containers with their type.

use kanon_core::{Node, NodeKind};

/// Where objects keep a template of pods, deepest first: a CronJob, a workload, a PodTemplate.
const TEMPLATES: [&[&str]; 3] =
    [&["spec", "jobTemplate", "spec", "template", "spec"], &["spec", "template", "spec"], &["template", "spec"]];

/// Lists of containers in a pod's spec, with the type of those in them, in order of fan-out (spec/rules 2.3).
pub const CONTAINER_LISTS: [(&str, &str); 3] =
    [("containers", "standard"), ("initContainers", "init"), ("ephemeralContainers", "ephemeral")];

/// The spec of the pods that an object is or makes, found by its form: a template's where the object has one, of any kind; else
/// its own `spec` where that has containers. `None` for objects without pods.
pub fn pod_spec(object: Node<'_>) -> Option<Node<'_>> {
    let is_object = |it: &Node<'_>| it.kind() == NodeKind::Object;
    TEMPLATES.iter().find_map(|path| object.at(path).filter(is_object)).or_else(|| {
        let spec = object.get("spec").filter(is_object)?;
        CONTAINER_LISTS.iter().any(|(list, _)| spec.get(list).is_some()).then_some(spec)
    })
}

/// Every container of a pod's spec with its type, in order of fan-out.
pub fn containers(spec: Option<Node<'_>>) -> impl Iterator<Item = (Node<'_>, &'static str)> {
    CONTAINER_LISTS.into_iter().flat_map(move |(list, container_type)| {
        let elements = spec.and_then(|it| it.get(list)).map(Node::elements);
        elements.into_iter().flatten().map(move |node| (node, container_type))
    })
}
