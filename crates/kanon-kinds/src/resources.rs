//! The built-in resources: what discovery lists, read from `tables/resources.txt`.

use std::{
    collections::BTreeMap,
    sync::{Arc, LazyLock},
};

use kanon_core::{GroupVersionKind, Scope};
use kanon_schema::{Schema, Type};

use crate::{
    names::NameRule,
    table::{self, TypeId},
};

/// What every resource answers to unless its line says otherwise, in discovery's order.
const VERBS: &[&str] = &["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];

/// A built-in kind, as discovery describes it.
#[derive(Clone, Debug)]
pub struct BuiltinKind {
    /// Group, version, kind.
    pub gvk: GroupVersionKind,
    /// Lower-case plural: the last part of the collection's path.
    pub plural: &'static str,
    /// Lower-case singular.
    pub singular: &'static str,
    /// Kind of a list of these.
    pub list_kind: String,
    /// Abbreviations for the command line (`po`).
    pub short_names: Vec<&'static str>,
    /// Groups of resources (`all`).
    pub categories: Vec<&'static str>,
    /// Whether objects live in a namespace.
    pub scope: Scope,
    /// What clients may do, in discovery's order.
    pub verbs: Vec<&'static str>,
    /// `status`, `scale`, `eviction`, …; by name, sorted.
    pub subresources: Vec<Subresource>,
    /// Whether the server counts `metadata.generation`.
    pub has_generation: bool,
    /// Whether status is a subresource: writes to the object itself leave it alone.
    pub has_status: bool,
    /// Field selectors besides `metadata.name` and `metadata.namespace`: paths of the kind's own form, but for `source` of core
    /// events (component of its reporter) and `status.successful` of jobs (`status.succeeded`).
    pub selectable_fields: Vec<&'static str>,
    /// What `metadata.name` must look like.
    pub name_rule: NameRule,
    pub(crate) id: TypeId,
}

/// A part of a resource with a path of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subresource {
    /// The last part of its path.
    pub name: &'static str,
    /// What bodies hold.
    pub gvk: GroupVersionKind,
    /// What clients may do.
    pub verbs: Vec<&'static str>,
}

impl BuiltinKind {
    /// The whole object: apiVersion, kind, metadata and the rest. Built at first use, then shared.
    pub fn schema(&self) -> Arc<Schema> {
        table::tables().schema(self.id)
    }

    /// A list of such objects, with a type name of its own (`io.k8s.api.core.v1.PodList`).
    pub fn list_schema(&self) -> Schema {
        let text = |description: &str| {
            Arc::new(Schema { kind: Type::String, description: description.to_owned(), ..Schema::default() })
        };
        let items = Schema {
            kind: Type::Array,
            description: "The objects.".to_owned(),
            items: Some(self.schema()),
            ..Schema::default()
        };
        let properties = [
            ("apiVersion", text("Version of the schema of this object: GROUP/VERSION.")),
            ("kind", text("Kind of the list.")),
            ("metadata", crate::list_meta()),
            ("items", Arc::new(items)),
        ];
        Schema {
            name: Some(format!("{}List", self.type_name())),
            kind: Type::Object,
            description: format!("A list of {}.", self.plural),
            properties: properties.into_iter().map(|(name, it)| (name.to_owned(), it)).collect(),
            required: vec!["items".to_owned()],
            ..Schema::default()
        }
    }

    /// The subresource called `name`.
    pub fn subresource(&self, name: &str) -> Option<&Subresource> {
        self.subresources.iter().find(|it| it.name == name)
    }

    /// Name of the type in OpenAPI: `io.k8s.api.core.v1.Pod`.
    pub fn type_name(&self) -> &'static str {
        &table::tables().get(self.id).name
    }
}

struct Registry {
    kinds: Vec<BuiltinKind>,
    /// Kinds and messages that are no resources, for bodies.
    types: BTreeMap<GroupVersionKind, TypeId>,
}

static REGISTRY: LazyLock<Registry> =
    LazyLock::new(|| parse(include_str!("../tables/resources.txt")).expect("the embedded table parses (tested)"));

/// All built-in kinds, by group in the table's order.
pub fn kinds() -> &'static [BuiltinKind] {
    &REGISTRY.kinds
}

/// The kind whose collection is `plural` of a group version; the group is empty for the core API.
pub fn find(group: &str, version: &str, plural: &str) -> Option<&'static BuiltinKind> {
    kinds().iter().find(|it| it.plural == plural && it.gvk.group == group && it.gvk.version == version)
}

/// The kind by group, version and kind.
pub fn by_kind(gvk: &GroupVersionKind) -> Option<&'static BuiltinKind> {
    kinds().iter().find(|it| it.gvk == *gvk)
}

/// The type of any body: kinds, and what only subresources take (`Scale`, `Eviction`, `TokenRequest`). `DeleteOptions` and
/// `Status` answer in every group, as clients send them in the group of the resource; of `PartialObjectMetadata` both versions are
/// one.
pub(crate) fn type_of(gvk: &GroupVersionKind) -> Option<TypeId> {
    let is_partial = gvk.group == "meta.k8s.io" && gvk.kind == "PartialObjectMetadata";
    if is_partial || matches!(gvk.kind.as_str(), "DeleteOptions" | "Status") {
        return REGISTRY.types.get(&GroupVersionKind::new("meta.k8s.io", "v1", &gvk.kind)).copied();
    }
    REGISTRY.types.get(gvk).copied()
}

/// The schema of any body a client may send, kinds and others (`Scale`, `Eviction`, `Binding`, `TokenRequest`, `DeleteOptions`).
pub fn body_schema(gvk: &GroupVersionKind) -> Option<Arc<Schema>> {
    type_of(gvk).map(|id| table::tables().schema(id))
}

fn parse(text: &'static str) -> Result<Registry, String> {
    let mut registry = Registry { kinds: Vec::new(), types: BTreeMap::new() };
    let mut place = Place::default();
    for (index, line) in text.lines().enumerate() {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        parse_line(&mut registry, &mut place, line).map_err(|problem| format!("line {}: {problem}", index + 1))?;
    }
    Ok(registry)
}

#[derive(Default)]
struct Place {
    group: &'static str,
    version: &'static str,
    package: &'static str,
}

impl Place {
    fn gvk(&self, kind: &str) -> GroupVersionKind {
        GroupVersionKind::new(self.group, self.version, kind)
    }

    fn type_id(&self, kind: &str) -> Result<TypeId, String> {
        let name = format!("{}.{kind}", self.package);
        table::tables().find(&name).ok_or_else(|| format!("there is no type {name}"))
    }
}

fn parse_line(registry: &mut Registry, place: &mut Place, line: &'static str) -> Result<(), String> {
    let parts: Vec<&'static str> = line.split_whitespace().collect();
    match parts.as_slice() {
        ["group", group, version, package] => {
            *place = Place { group: if *group == "-" { "" } else { group }, version, package };
        }
        ["message", kind] => {
            registry.types.insert(place.gvk(kind), place.type_id(kind)?);
        }
        [path, verbs, rest @ ..] if path.starts_with('/') => {
            let parent = registry.kinds.last_mut().ok_or("a subresource before any kind")?;
            add_subresource(parent, path.trim_start_matches('/'), verbs, rest.first().copied())?;
        }
        [kind, names, scope, attributes @ ..] => {
            let built = parse_kind(place, kind, names, scope, attributes)?;
            registry.types.insert(built.gvk.clone(), built.id);
            registry.kinds.push(built);
        }
        _ => return Err("too few words".to_owned()),
    }
    Ok(())
}

fn add_subresource(
    parent: &mut BuiltinKind,
    name: &'static str,
    verbs: &'static str,
    kind: Option<&str>,
) -> Result<(), String> {
    let gvk = match kind {
        None => parent.gvk.clone(),
        Some(text) => {
            let parts: Vec<&str> = text.split('/').collect();
            let [group, version, kind] = parts.as_slice() else { return Err(format!("`{text}` is no kind")) };
            GroupVersionKind::new(group.trim_matches('-'), version, kind)
        }
    };
    parent.has_status |= name == "status";
    parent.subresources.push(Subresource { name, gvk, verbs: verbs.split(',').collect() });
    Ok(())
}

fn parse_kind(
    place: &Place,
    kind: &str,
    names: &'static str,
    scope: &str,
    attributes: &[&'static str],
) -> Result<BuiltinKind, String> {
    let (plural, singular) = names.split_once('/').ok_or("expected `PLURAL/SINGULAR`")?;
    let mut built = BuiltinKind {
        gvk: place.gvk(kind),
        plural,
        singular,
        list_kind: format!("{kind}List"),
        short_names: Vec::new(),
        categories: Vec::new(),
        scope: match scope {
            "cluster" => Scope::Cluster,
            "namespaced" => Scope::Namespaced,
            other => return Err(format!("unknown scope `{other}`")),
        },
        verbs: VERBS.to_vec(),
        subresources: Vec::new(),
        has_generation: false,
        has_status: false,
        selectable_fields: Vec::new(),
        name_rule: NameRule::None,
        id: place.type_id(kind)?,
    };
    for attribute in attributes {
        let (key, value) = attribute.split_once('=').unwrap_or((attribute, ""));
        let list = || value.split(',').collect();
        match key {
            "short" => built.short_names = list(),
            "categories" => built.categories = list(),
            "verbs" => built.verbs = list(),
            "select" => built.selectable_fields = list(),
            "generation" => built.has_generation = true,
            "name" => built.name_rule = NameRule::from_word(value).ok_or_else(|| format!("unknown rule `{value}`"))?,
            other => return Err(format!("unknown attribute `{other}`")),
        }
    }
    Ok(built)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table_parses_and_every_schema_builds() {
        for kind in kinds() {
            let schema = kind.schema();
            for member in ["apiVersion", "kind"] {
                assert!(schema.properties.contains_key(member), "{}: no {member}", kind.plural);
            }
            assert_eq!(
                schema.properties.contains_key("status"),
                kind.has_status || schema_without_subresource(kind),
                "{}",
                kind.plural
            );
            assert!(kind.subresources.is_sorted_by(|a, b| a.name < b.name), "{}", kind.plural);
            for sub in &kind.subresources {
                assert!(body_schema(&sub.gvk).is_some(), "{}/{}", kind.plural, sub.name);
            }
        }
    }

    /// Reviews answer with a status that no path of its own serves.
    fn schema_without_subresource(kind: &BuiltinKind) -> bool {
        kind.verbs == ["create"] && kind.plural != "bindings"
    }

    #[test]
    fn kinds_are_found_by_path_and_by_name() {
        let pods = find("", "v1", "pods").unwrap();
        assert_eq!(
            (pods.gvk.kind.as_str(), pods.short_names.as_slice(), pods.list_kind.as_str()),
            ("Pod", &["po"][..], "PodList")
        );
        assert!(pods.has_status && !pods.has_generation);
        assert_eq!(pods.subresource("eviction").unwrap().gvk, GroupVersionKind::new("policy", "v1", "Eviction"));
        assert_eq!(by_kind(&GroupVersionKind::new("apps", "v1", "Deployment")).unwrap().plural, "deployments");
        assert!(find("apps", "v1", "pods").is_none());
        assert_eq!(pods.type_name(), "io.k8s.api.core.v1.Pod");
        let list = pods.list_schema();
        assert_eq!(list.name.as_deref(), Some("io.k8s.api.core.v1.PodList"));
        assert_eq!(list.properties["items"].items.as_ref().map(|it| &it.name), Some(&pods.schema().name));
    }

    #[test]
    fn delete_options_answer_in_every_group() {
        assert!(type_of(&GroupVersionKind::new("apps", "v1", "DeleteOptions")).is_some());
        assert!(type_of(&GroupVersionKind::new("apps", "v1", "Pod")).is_none());
    }
}
