//! The value of `cluster`: resources by name, and what can be asked of them (spec/rules 2.7). Everything is found when it is read;
//! what is found are the stored objects themselves.

use kanon_core::{GroupVersionKind, Kind, Node, Object, Selector};
use kanon_lang::{Arena, ErrorKind, EvalError, Record, Value, kubernetes::selector_of_value};

use super::{CONSISTENT, OWNER, Reference, reader::Reader, selector};
use crate::facts::pod;

/// `cluster`
pub(crate) struct Cluster<'q> {
    pub reader: &'q Reader<'q>,
    /// Whether it is `consistentCluster`.
    pub live: bool,
}

impl Record for Cluster<'_> {
    fn get<'a>(&'a self, name: &str, arena: &'a Arena) -> Option<Value<'a>> {
        let Cluster { reader, live } = *self;
        let on_cluster = |method| Some(Value::Record(arena.alloc(OnCluster { reader, live, method })));
        match name {
            CONSISTENT => Some(Value::Record(arena.alloc(Cluster { reader, live: true }))),
            "namespaceOf" => on_cluster(OfObject::Namespace),
            OWNER => on_cluster(OfObject::Owner),
            _ => {
                let Reference { plural, version } = Reference::of(&[name])?;
                let of = version.as_ref().map(|(version, group)| (version.as_str(), group.as_str()));
                reader.kind(&plural, of)?;
                let version = version.map_or("", |(version, group)| arena.alloc_str(&format!("{version}.{group}")));
                Some(Value::Record(arena.alloc(Resource { reader, live, plural: arena.alloc_str(&plural), version })))
            }
        }
    }

    fn names(&self) -> &[&str] {
        &[]
    }
}

/// `cluster.pods`, `cluster.deployments.v1.apps`
struct Resource<'q> {
    reader: &'q Reader<'q>,
    live: bool,
    plural: &'q str,
    /// Version and group so far, with dots between.
    version: &'q str,
}

impl<'q> Resource<'q> {
    fn kind(&self) -> Option<&'q Kind> {
        if self.version.is_empty() {
            return self.reader.kind(self.plural, None);
        }
        let (version, group) = self.version.split_once('.').unwrap_or((self.version, ""));
        self.reader.kind(self.plural, Some((version, group)))
    }
}

impl Record for Resource<'_> {
    fn get<'a>(&'a self, name: &str, arena: &'a Arena) -> Option<Value<'a>> {
        let Resource { reader, live, plural, version } = *self;
        let method = match name {
            "byName" => Method::ByName,
            "exists" => Method::Exists,
            "list" => Method::List,
            "count" => Method::Count,
            "selecting" => Method::Selecting,
            _ => {
                let version = if version.is_empty() { name.to_owned() } else { format!("{version}.{name}") };
                return Some(Value::Record(arena.alloc(Resource {
                    reader,
                    live,
                    plural,
                    version: arena.alloc_str(&version),
                })));
            }
        };
        Some(Value::Record(arena.alloc(OnResource { reader, live, kind: self.kind()?, method })))
    }

    fn names(&self) -> &[&str] {
        &[]
    }
}

#[derive(Clone, Copy)]
enum Method {
    ByName,
    Exists,
    List,
    Count,
    Selecting,
}

/// A method of a resource, to be called.
struct OnResource<'q> {
    reader: &'q Reader<'q>,
    live: bool,
    kind: &'q Kind,
    method: Method,
}

impl OnResource<'_> {
    fn run<'a>(&'a self, args: &[Value<'a>], arena: &'a Arena) -> Result<Value<'a>, EvalError> {
        let OnResource { reader, live, kind, method } = self;
        let live = *live;
        let plural = &kind.plural;
        if !reader.sees(kind) {
            return Ok(Value::Null);
        }
        if !reader.is_known(kind, live) {
            return Err(fail(format!("`{plural}` cannot be looked up: not all of them are known")));
        }
        let listed = |namespace: Value<'a>, selector: Value<'a>| {
            let namespace = text(namespace, "a namespace")?;
            let selector = selector_of_value(selector, arena).map_err(fail)?;
            reader.list(kind, namespace, selector, live)
        };
        let named = |namespace: Value<'a>, name: Value<'a>| {
            reader.get(kind, text(namespace, "a namespace")?, text(name, "a name")?, live)
        };
        let count = |found: Vec<&Object>| Value::Int(i64::try_from(found.len()).unwrap_or(i64::MAX));
        Ok(match (method, args) {
            (Method::ByName, [namespace, name]) => of_object(named(*namespace, *name)?, arena),
            (Method::Exists, [namespace, name]) => Value::Bool(named(*namespace, *name)?.is_some()),
            (Method::List, []) => list(&listed(Value::Null, Value::Null)?, arena),
            (Method::List, [namespace]) => list(&listed(*namespace, Value::Null)?, arena),
            (Method::List, [namespace, selector]) => list(&listed(*namespace, *selector)?, arena),
            (Method::Count, []) => count(listed(Value::Null, Value::Null)?),
            (Method::Count, [namespace]) => count(listed(*namespace, Value::Null)?),
            (Method::Count, [namespace, selector]) => count(listed(*namespace, *selector)?),
            (Method::Selecting, [Value::Node(object)]) => {
                let namespace = object.at(&["metadata", "namespace"]).and_then(Node::as_plain_str).unwrap_or_default();
                let labels = pod::template_labels(*object);
                let mut found = reader.list(kind, namespace, Selector::default(), live)?;
                found.retain(|it| selector::of_object(it).is_some_and(|it| it.matches_node(labels)));
                list(&found, arena)
            }
            (Method::ByName | Method::Exists, _) => {
                return Err(fail(format!("`{plural}.byName` and `exists` take a namespace and a name")));
            }
            (Method::List | Method::Count, _) => {
                return Err(fail(format!("`{plural}.list` and `count` take a namespace and a selector")));
            }
            (Method::Selecting, _) => return Err(fail(format!("`{plural}.selecting` takes an object"))),
        })
    }
}

impl Record for OnResource<'_> {
    fn get<'a>(&'a self, _: &str, _: &'a Arena) -> Option<Value<'a>> {
        None
    }

    fn names(&self) -> &[&str] {
        &[]
    }

    fn call<'a>(&'a self, args: &[Value<'a>], arena: &'a Arena) -> Option<Result<Value<'a>, EvalError>> {
        Some(self.run(args, arena))
    }
}

enum OfObject {
    Namespace,
    Owner,
}

/// `cluster.namespaceOf`, `cluster.owner`
struct OnCluster<'q> {
    reader: &'q Reader<'q>,
    live: bool,
    method: OfObject,
}

impl OnCluster<'_> {
    fn run<'a>(&'a self, args: &[Value<'a>], arena: &'a Arena) -> Result<Value<'a>, EvalError> {
        let [Value::Node(object)] = args else { return Err(fail("takes an object".to_owned())) };
        let metadata = object.get("metadata");
        let text = |node: Option<Node<'a>>, name: &str| {
            node.and_then(|it| it.get(name)).and_then(Node::as_plain_str).unwrap_or_default()
        };
        let namespace = text(metadata, "namespace");
        let (kind, namespace, name) = match self.method {
            OfObject::Namespace => (GroupVersionKind::new("", "v1", "Namespace"), "", namespace),
            OfObject::Owner => {
                let owners = || metadata.and_then(|it| it.get("ownerReferences")).into_iter().flat_map(Node::elements);
                let controls = |it: &Node<'_>| it.get("controller").and_then(Node::as_bool) == Some(true);
                let Some(owner) = owners().find(controls).or_else(|| owners().next()) else { return Ok(Value::Null) };
                let owner = Some(owner);
                let kind = GroupVersionKind::from_api_version(text(owner, "apiVersion"), text(owner, "kind"));
                (kind, namespace, text(owner, "name"))
            }
        };
        let Some(kind) = self.reader.of_kind(&kind).filter(|it| self.reader.sees(it)) else { return Ok(Value::Null) };
        if !self.reader.is_known(kind, self.live) {
            let plural = &kind.plural;
            return Err(fail(format!("`{plural}` are not watched: name them in the rule, as in `cluster.{plural}`")));
        }
        Ok(of_object(self.reader.get(kind, namespace, name, self.live)?, arena))
    }
}

impl Record for OnCluster<'_> {
    fn get<'a>(&'a self, _: &str, _: &'a Arena) -> Option<Value<'a>> {
        None
    }

    fn names(&self) -> &[&str] {
        &[]
    }

    fn call<'a>(&'a self, args: &[Value<'a>], arena: &'a Arena) -> Option<Result<Value<'a>, EvalError>> {
        Some(self.run(args, arena))
    }
}

fn of_object<'a>(object: Option<&'a Object>, arena: &'a Arena) -> Value<'a> {
    Value::from_option(object.map(Object::root), arena)
}

fn list<'a>(objects: &[&'a Object], arena: &'a Arena) -> Value<'a> {
    Value::List(arena.alloc_slice_fill_iter(objects.iter().map(|it| Value::from_node(it.root(), arena))))
}

/// A name or a namespace; nil is the empty one.
fn text<'a>(value: Value<'a>, what: &str) -> Result<&'a str, EvalError> {
    match value {
        Value::Str(text) => Ok(text),
        value if value.is_nil() => Ok(""),
        _ => Err(fail(format!("{what} is a text"))),
    }
}

/// A value error of a function.
pub(crate) fn fail(message: String) -> EvalError {
    EvalError { kind: ErrorKind::Value, message, span: None }
}
