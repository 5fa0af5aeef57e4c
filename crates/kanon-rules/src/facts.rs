//! What an expression may read: the variables of spec/rules 2.2, computed on the object's text when they are read.
//!
//! For pod-shaped kinds `container`, `spec`, `securityContext` and `metadata` are a façade, not the raw objects: exactly the
//! members of spec/rules 2.3. Two consequences surprise authors, and both are kept because rules are written against them:
//! `container.image` is a map `{registry, name, tag, sha256}`, so `container.image startsWith "x"` is a run-time error (the
//! rule is skipped, the error counted and shown in status); and `container.resources` or `container.readinessProbe` are not
//! in the façade, so they are nil for every container. Such rules read the raw objects under `object.spec.containers`.

pub(crate) mod event;
mod network;
pub(crate) mod pod;
mod request;

use kanon_core::{GroupVersionKind, Node, Now, Object, Review};
use kanon_lang::{Arena, Record, Value};

use crate::lookups::{cluster::Cluster, reader::Reader};

/// Variable names; the position is the slot. `$now` is no name that a rule can write: the language reads it for `now()`.
pub(crate) const VARIABLES: [&str; 12] = [
    "object",
    "metadata",
    "container",
    "spec",
    "securityContext",
    "request",
    "oldObject",
    "cluster",
    "consistentCluster",
    "$now",
    "event",
    "network",
];

/// Slots of [`VARIABLES`].
pub(crate) mod slot {
    pub(crate) const OBJECT: usize = 0;
    pub(crate) const METADATA: usize = 1;
    pub(crate) const CONTAINER: usize = 2;
    pub(crate) const SPEC: usize = 3;
    pub(crate) const SECURITY_CONTEXT: usize = 4;
    pub(crate) const REQUEST: usize = 5;
    pub(crate) const OLD_OBJECT: usize = 6;
    pub(crate) const CLUSTER: usize = 7;
    pub(crate) const CONSISTENT_CLUSTER: usize = 8;
    pub(crate) const NOW: usize = 9;
    pub(crate) const EVENT: usize = 10;
    pub(crate) const NETWORK: usize = 11;
}

/// The values of one evaluation.
pub(crate) struct Pass<'a> {
    /// The container's name; empty when the pass is about the whole object.
    pub part: &'a str,
    /// The container's type; empty where there is none.
    pub container_type: &'static str,
    /// One value a slot.
    pub values: [Value<'a>; VARIABLES.len()],
}

/// All facts of one question.
pub(crate) struct Facts<'a> {
    /// One a container in order of fan-out; exactly one, without container, where there is none. Never empty.
    passes: &'a [Pass<'a>],
    /// Where lookups go.
    pub(crate) reader: &'a Reader<'a>,
}

impl<'a> Facts<'a> {
    /// Gathers what may be read of `object`. `by_container` says whether any rule asks for containers.
    pub(crate) fn new(
        kind: &'a GroupVersionKind,
        object: &'a Object,
        request: Option<&'a Review>,
        now: Now,
        by_container: bool,
        reader: &'a Reader<'a>,
        arena: &'a Arena,
    ) -> Facts<'a> {
        let root = object.root();
        let mut values = common(root, now, reader, arena);
        values[slot::NETWORK] = network::value(kind, object, reader, arena);
        if let Some(review) = request {
            values[slot::REQUEST] = Value::Record(arena.alloc(request::Request(review)));
            values[slot::OLD_OBJECT] = Value::from_option(review.old_object.as_ref().map(Object::root), arena);
        }
        let metadata = root.get("metadata");
        let Some(spec) = reader.shapes().spec(kind, root) else {
            values[slot::METADATA] = Value::Record(arena.alloc(pod::Metadata { node: metadata, pod: false }));
            return Facts { passes: arena.alloc([Pass { part: "", container_type: "", values }]), reader };
        };
        values[slot::METADATA] = Value::Record(arena.alloc(pod::Metadata { node: metadata, pod: true }));
        values[slot::SPEC] = Value::Record(arena.alloc(pod::Spec(spec)));
        let security = spec.and_then(|it| it.get("securityContext"));
        values[slot::SECURITY_CONTEXT] = Value::Record(arena.alloc(pod::PodSecurity(security)));
        let count = if by_container { pod::containers(spec).count() } else { 0 };
        if count == 0 {
            return Facts { passes: arena.alloc([Pass { part: "", container_type: "", values }]), reader };
        }
        let mut containers = pod::containers(spec);
        let passes = arena.alloc_slice_fill_with(count, |_| {
            let mut values = values;
            let container = containers.next().map(|it| &*arena.alloc(it));
            values[slot::CONTAINER] = container.map_or(Value::Null, |it| Value::Record(it));
            let (part, container_type) = container.map_or(("", ""), |it| (it.name(), it.container_type()));
            Pass { part, container_type, values }
        });
        Facts { passes, reader }
    }

    /// The same facts of an object, with lookups from another place.
    pub(crate) fn seen_from(
        &self,
        kind: &'a GroupVersionKind,
        object: &'a Object,
        reader: &'a Reader<'a>,
        arena: &'a Arena,
    ) -> Facts<'a> {
        let cluster = record(arena, Cluster { reader, live: false });
        let consistent = record(arena, Cluster { reader, live: true });
        let network = network::value(kind, object, reader, arena);
        let passes = self.passes.iter().map(|Pass { part, container_type, values }| {
            let mut values = *values;
            values[slot::CLUSTER] = cluster;
            values[slot::CONSISTENT_CLUSTER] = consistent;
            values[slot::NETWORK] = network;
            Pass { part, container_type, values }
        });
        Facts { passes: arena.alloc_slice_fill_iter(passes), reader }
    }

    /// The passes of a rule: all of them when it reads `container`, else the first.
    pub(crate) fn passes(&self, per_container: bool) -> &'a [Pass<'a>] {
        if per_container { self.passes } else { &self.passes[..1] }
    }
}

/// What every question shows: the object, the time, lookups.
fn common<'a>(root: Node<'a>, now: Now, reader: &'a Reader<'a>, arena: &'a Arena) -> [Value<'a>; VARIABLES.len()] {
    let mut values = [Value::Null; VARIABLES.len()];
    values[slot::NOW] = Value::Time(now.wall);
    values[slot::OBJECT] = Value::from_node(root, arena);
    values[slot::CLUSTER] = record(arena, Cluster { reader, live: false });
    values[slot::CONSISTENT_CLUSTER] = record(arena, Cluster { reader, live: true });
    values
}

/// A member as it stands in the object; null where there is none.
fn raw<'a>(node: Option<Node<'a>>, name: &str, arena: &'a Arena) -> Value<'a> {
    Value::from_option(node.and_then(|it| it.get(name)), arena)
}

/// Puts a record into the arena.
fn record<'a, R: Record + 'a>(arena: &'a Arena, record: R) -> Value<'a> {
    Value::Record(arena.alloc(record))
}
