//! `request`: the admission request (spec/rules 2.6).

use kanon_core::{GroupVersionKind, Object, Operation, Resource, Review, UserInfo};
use kanon_lang::{Arena, Record, Value};

use super::record;

/// `request`.
pub(super) struct Request<'r>(pub &'r Review);

impl Record for Request<'_> {
    fn get<'a>(&'a self, name: &str, arena: &'a Arena) -> Option<Value<'a>> {
        let review = self.0;
        let object = |object: &'a Option<Object>| Value::from_option(object.as_ref().map(Object::root), arena);
        Some(match name {
            "operation" => Value::Str(review.operation.as_str()),
            "dryRun" => Value::Bool(review.dry_run),
            "userInfo" => record(arena, User(&review.user)),
            "object" => object(&review.object),
            "oldObject" => object(&review.old_object),
            "options" => object(&review.options),
            "namespace" => Value::Str(&review.namespace),
            "name" => Value::Str(&review.name),
            "subResource" => Value::Str(&review.sub_resource),
            "uid" => Value::Str(&review.uid),
            "kind" => record(arena, KindOf(&review.kind)),
            "resource" => record(arena, ResourceOf(&review.resource)),
            // As events of running workloads have them: a rule of both modes asks for one spelling.
            "subresource" => Value::Str(&review.sub_resource),
            "verb" => Value::Str(match review.operation {
                Operation::Create | Operation::Connect => "create",
                Operation::Update => "update",
                Operation::Delete => "delete",
            }),
            _ => return None,
        })
    }

    fn names(&self) -> &'static [&'static str] {
        &[
            "dryRun",
            "kind",
            "name",
            "namespace",
            "object",
            "oldObject",
            "operation",
            "options",
            "resource",
            "subResource",
            "subresource",
            "uid",
            "userInfo",
            "verb",
        ]
    }
}

/// `request.userInfo`.
pub(super) struct User<'r>(pub &'r UserInfo);

impl Record for User<'_> {
    fn get<'a>(&'a self, name: &str, arena: &'a Arena) -> Option<Value<'a>> {
        let user = self.0;
        Some(match name {
            "username" => Value::Str(&user.username),
            "uid" => Value::Str(&user.uid),
            "groups" => strings(&user.groups, arena),
            "extra" => {
                let members = user.extra.iter().map(|(key, list)| (Value::Str(key), strings(list, arena)));
                Value::Map(arena.alloc_slice_fill_iter(members))
            }
            _ => return None,
        })
    }

    fn names(&self) -> &'static [&'static str] {
        &["extra", "groups", "uid", "username"]
    }
}

pub(super) fn strings<'a>(list: &'a [String], arena: &'a Arena) -> Value<'a> {
    Value::List(arena.alloc_slice_fill_iter(list.iter().map(|it| Value::Str(it))))
}

/// `request.kind`.
struct KindOf<'r>(&'r GroupVersionKind);

impl Record for KindOf<'_> {
    fn get<'a>(&'a self, name: &str, _: &'a Arena) -> Option<Value<'a>> {
        Some(match name {
            "group" => Value::Str(&self.0.group),
            "version" => Value::Str(&self.0.version),
            "kind" => Value::Str(&self.0.kind),
            _ => return None,
        })
    }

    fn names(&self) -> &'static [&'static str] {
        &["group", "kind", "version"]
    }
}

/// `request.resource`.
struct ResourceOf<'r>(&'r Resource);

impl Record for ResourceOf<'_> {
    fn get<'a>(&'a self, name: &str, _: &'a Arena) -> Option<Value<'a>> {
        Some(match name {
            "group" => Value::Str(&self.0.group),
            "version" => Value::Str(&self.0.version),
            "resource" => Value::Str(&self.0.resource),
            _ => return None,
        })
    }

    fn names(&self) -> &'static [&'static str] {
        &["group", "resource", "version"]
    }
}
