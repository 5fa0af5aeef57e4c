//! What rules read of an event of a running workload (spec/rules 7.4): `request`, `event`, and the object it is about as the cache
//! has it. All of it is there, if only by reference, when the object is gone.

use kanon_core::{GroupVersionKind, Now, Object, UserInfo};
use kanon_events::{Class, Event};
use kanon_lang::{Arena, Record, Value};

use super::{
    Facts, Pass, common, pod, record,
    request::{User, strings},
    slot,
};
use crate::lookups::reader::Reader;

impl<'a> Facts<'a> {
    /// Gathers what may be read of an event. `object` is JSON null when it is gone. There is one pass: `container` is the one
    /// that the event names, else the first.
    pub(crate) fn of_event(
        event: &'a Event,
        kind: &GroupVersionKind,
        object: &'a Object,
        now: Now,
        reader: &'a Reader<'a>,
        arena: &'a Arena,
    ) -> Facts<'a> {
        let root = object.root();
        let mut values = common(root, now, reader, arena);
        values[slot::REQUEST] = record(arena, Request(event));
        values[slot::EVENT] = record(arena, Told(event));
        let spec = reader.shapes().spec(kind, root);
        let known = pod::Metadata { node: root.get("metadata"), pod: spec.is_some() };
        values[slot::METADATA] = record(arena, Metadata { known, event });
        let (mut part, mut container_type) = (event.container(), "");
        if let Some(spec) = spec {
            values[slot::SPEC] = record(arena, pod::Spec(spec));
            let security = spec.and_then(|it| it.get("securityContext"));
            values[slot::SECURITY_CONTEXT] = record(arena, pod::PodSecurity(security));
            if let Some(container) = pod::containers(spec).find(|it| part.is_empty() || it.name() == part) {
                (part, container_type) = (container.name(), container.container_type());
                values[slot::CONTAINER] = record(arena, container);
            }
        }
        Facts { passes: arena.alloc([Pass { part, container_type, values }]), reader }
    }
}

/// `metadata`: the object's, or what the event says of it.
struct Metadata<'a> {
    known: pod::Metadata<'a>,
    event: &'a Event,
}

impl Record for Metadata<'_> {
    fn get<'a>(&'a self, name: &str, arena: &'a Arena) -> Option<Value<'a>> {
        let value = self.known.get(name, arena)?;
        let is_unknown = value.is_nil() || matches!(value, Value::Str(""));
        let referred = match name {
            "name" => &self.event.name,
            "namespace" => &self.event.namespace,
            _ => return Some(value),
        };
        Some(if is_unknown && !referred.is_empty() { Value::Str(referred) } else { value })
    }

    fn names(&self) -> &'static [&'static str] {
        pod::METADATA
    }
}

/// `event`.
struct Told<'e>(&'e Event);

impl Record for Told<'_> {
    fn get<'a>(&'a self, name: &str, arena: &'a Arena) -> Option<Value<'a>> {
        let event = self.0;
        Some(match name {
            "class" => Value::Str(event.class()),
            "classes" => {
                let classes: Vec<_> = event.classes.iter().copied().map(Class::as_str).map(Value::Str).collect();
                Value::List(arena.alloc_slice_fill_iter(classes))
            }
            "source" => Value::Str(event.source.as_str()),
            "time" => Value::Time(event.time),
            _ => return None,
        })
    }

    fn names(&self) -> &'static [&'static str] {
        &["class", "classes", "source", "time"]
    }
}

/// `request`.
struct Request<'e>(&'e Event);

impl Record for Request<'_> {
    fn get<'a>(&'a self, name: &str, arena: &'a Arena) -> Option<Value<'a>> {
        let event = self.0;
        Some(match name {
            "annotations" => {
                let members = event.annotations.iter().map(|(key, value)| (Value::Str(key), Value::Str(value)));
                Value::Map(arena.alloc_slice_fill_iter(members))
            }
            "apiGroup" => Value::Str(&event.resource.group),
            "auditID" => Value::Str(&event.id),
            // 0 before there is an answer, so that comparisons hold.
            "code" => Value::Int(event.code.unwrap_or(0).into()),
            "impersonatedUser" => event.impersonated.as_ref().map_or(Value::Null, |it| user(it, arena)),
            "name" => Value::Str(&event.name),
            "namespace" => Value::Str(&event.namespace),
            "object" => Value::from_option(event.object.as_ref().map(Object::root), arena),
            "operation" => operation(event).map_or(Value::Null, Value::Str),
            "rawVerb" => Value::Str(&event.raw_verb),
            "resource" => Value::Str(&event.resource.resource),
            "sourceIPs" => strings(&event.source_ips, arena),
            "stage" => Value::Str(&event.stage),
            "subresource" | "subResource" => Value::Str(&event.sub_resource),
            "uri" => Value::Str(&event.uri),
            "userAgent" => Value::Str(&event.user_agent),
            "userInfo" => user(&event.user, arena),
            "verb" => Value::Str(&event.verb),
            _ => return None,
        })
    }

    fn names(&self) -> &'static [&'static str] {
        &[
            "annotations",
            "apiGroup",
            "auditID",
            "code",
            "impersonatedUser",
            "name",
            "namespace",
            "object",
            "operation",
            "rawVerb",
            "resource",
            "sourceIPs",
            "stage",
            "subResource",
            "subresource",
            "uri",
            "userAgent",
            "userInfo",
            "verb",
        ]
    }
}

/// The word that admission has for what is done, where it has one: rules of both modes may ask for it.
fn operation(event: &Event) -> Option<&'static str> {
    let part = event.sub_resource.as_str();
    match event.verb.as_str() {
        _ if matches!(part, "exec" | "attach" | "portforward" | "proxy") => Some("CONNECT"),
        "create" => Some("CREATE"),
        "update" | "patch" => Some("UPDATE"),
        "delete" | "deletecollection" => Some("DELETE"),
        _ => None,
    }
}

fn user<'a>(user: &'a UserInfo, arena: &'a Arena) -> Value<'a> {
    record(arena, User(user))
}
