//! Which kinds the API server serves.

use kanon_core::{GroupVersionKind, Kind, Node, Object, Scope};

use crate::client::{Api, Error};

/// Every kind that can be listed and watched, in order. A group that cannot be asked, such as one whose aggregated server is
/// down, is left out.
///
/// # Errors
/// When the list of groups cannot be read.
pub async fn discover(api: &Api) -> Result<Vec<Kind>, Error> {
    let mut versions = vec!["v1".to_owned()];
    if let Some(groups) = api.get("/apis").await? {
        let groups = groups.root().get("groups").into_iter().flat_map(Node::elements).map(Node::to_object);
        for group in groups.collect::<Vec<_>>() {
            let listed = group.root().get("versions").into_iter().flat_map(Node::elements);
            versions.extend(listed.filter_map(|it| Some(it.get("groupVersion")?.as_plain_str()?.to_owned())));
        }
    }
    let mut kinds = Vec::new();
    for version in versions {
        let root = if version.contains('/') { "/apis" } else { "/api" };
        match api.get(&format!("{root}/{version}")).await {
            Ok(Some(list)) => kinds.extend(watchable(&version, &list)),
            Ok(None) => {}
            Err(error) => tracing::warn!(version, %error, "an API group cannot be asked what it serves"),
        }
    }
    kinds.sort();
    kinds.dedup();
    Ok(kinds)
}

/// The kinds of an APIResourceList that have collections to list and watch. Pure.
fn watchable(version: &str, list: &Object) -> Vec<Kind> {
    let kind = |it: Node<'_>| {
        let text = |key| it.get(key).and_then(Node::as_plain_str);
        let can = |verb| it.get("verbs").into_iter().flat_map(Node::elements).any(|it| it.as_plain_str() == Some(verb));
        let plural = text("name").filter(|it| !it.contains('/') && can("list") && can("watch"))?;
        let namespaced = it.get("namespaced").and_then(Node::as_bool).unwrap_or_default();
        let scope = if namespaced { Scope::Namespaced } else { Scope::Cluster };
        let gvk = GroupVersionKind::from_api_version(version, text("kind")?);
        Some(Kind { gvk, plural: plural.to_owned(), scope })
    };
    list.root().get("resources").into_iter().flat_map(Node::elements).filter_map(kind).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_can_be_watched_counts() {
        let list = r#"{"resources":[
            {"name":"pods","kind":"Pod","namespaced":true,"verbs":["list","watch","get"]},
            {"name":"pods/status","kind":"Pod","namespaced":true,"verbs":["get"]},
            {"name":"bindings","kind":"Binding","namespaced":true,"verbs":["create"]},
            {"name":"nodes","kind":"Node","namespaced":false,"verbs":["list","watch"]}]}"#;
        let kinds = watchable("v1", &Object::parse(list).unwrap());
        assert_eq!(kinds, [Kind::namespaced("", "v1", "Pod", "pods"), Kind::cluster("", "v1", "Node", "nodes")]);
        let widgets = r#"{"resources":[{"name":"widgets","kind":"Widget","verbs":["list","watch"]}]}"#;
        let kinds = watchable("shop.example/v2", &Object::parse(widgets).unwrap());
        assert_eq!(kinds, [Kind::cluster("shop.example", "v2", "Widget", "widgets")]);
    }
}
