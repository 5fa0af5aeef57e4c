//! What one watch is about: a kind, everywhere or in some corners, each of which has requests of its own. Pure.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use kanon_core::{Keep, Kind, Object, Place, Scope};

use crate::live::encoded;

/// Objects of a kind that one request asks for. Without namespace and name all of the kind are meant.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Corner {
    /// Their namespace; empty for all.
    pub namespace: String,
    /// The name of the only one that is meant.
    pub name: Option<String>,
}

/// What to watch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// The kind.
    pub kind: Arc<Kind>,
    /// Where.
    pub corners: Vec<Corner>,
    /// Whether these are places, so that all of them do not make the kind known.
    pub places: bool,
}

impl Span {
    /// All objects of a kind.
    pub fn everywhere(kind: &Kind) -> Span {
        Span { kind: Arc::new(kind.clone()), corners: vec![Corner::default()], places: false }
    }

    /// Those of a kind that stand in some places of it.
    pub fn of_places<'p>(kind: &Kind, places: impl IntoIterator<Item = &'p Place>) -> Span {
        let places = places.into_iter().filter(|it| it.kind == *kind);
        let corner = |it: &Place| Corner { namespace: it.namespace.clone(), name: it.name.clone() };
        Span { kind: Arc::new(kind.clone()), corners: places.map(corner).collect(), places: true }
    }

    /// All objects of a kind as far as somebody can see who has rights in these namespaces alone: nothing of kinds without a namespace,
    /// but for the Namespaces themselves.
    pub fn within(kind: &Kind, namespaces: &[String]) -> Span {
        let is_namespace = kind.gvk.group.is_empty() && kind.gvk.kind == "Namespace";
        let corner = |it: &String| match kind.scope {
            Scope::Namespaced => Corner { namespace: it.clone(), name: None },
            Scope::Cluster => Corner { namespace: String::new(), name: Some(it.clone()) },
        };
        let has_any = kind.scope == Scope::Namespaced || is_namespace;
        let corners = namespaces.iter().filter(|_| has_any).map(corner).collect();
        Span { kind: Arc::new(kind.clone()), corners, places: false }
    }
}

impl Corner {
    /// Whether an object stands there.
    pub(super) fn has(&self, object: &Object) -> bool {
        let text = |key| object.str_at(&["metadata", key]);
        (self.namespace.is_empty() || text("namespace") == self.namespace)
            && self.name.as_ref().is_none_or(|it| text("name") == *it)
    }

    /// The path of the one object that stands for itself: of a kind without namespaces nobody may watch one who may not watch all,
    /// but read it he may (a Role in a namespace gives that of the Namespace itself).
    pub(super) fn alone(&self, kind: &Kind) -> Option<String> {
        let name = self.name.as_ref().filter(|_| kind.scope == Scope::Cluster)?;
        Some(format!("{}/{}", kind.path(""), encoded(name)))
    }

    /// What a request adds to its query.
    pub(super) fn query(&self) -> String {
        self.name.as_ref().map_or(String::new(), |it| format!("&fieldSelector=metadata.name%3D{}", encoded(it)))
    }
}

/// Which corners of a span have all of their objects.
pub(super) struct Arrivals(Mutex<BTreeMap<Corner, Keep>>, usize);

impl Arrivals {
    pub(super) fn of(span: &Span) -> Arrivals {
        Arrivals(Mutex::default(), span.corners.len())
    }

    /// Notes that all objects of a corner are there with these parts. Says whether they are in every corner now.
    pub(super) fn arrived(&self, corner: &Corner, keep: &Keep) -> bool {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.insert(corner.clone(), keep.clone());
        all.len() == self.1 && all.values().all(|it| it == keep)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_there_when_every_corner_has_as_much_of_it() {
        let pods = Kind::namespaced("", "v1", "Pod", "pods");
        let span = Span::within(&pods, &["a".into(), "b".into()]);
        let arrivals = Arrivals::of(&span);
        let keep = |path: &str| Keep::paths([&[path][..]]);
        let told =
            [(0, "x"), (1, "x"), (1, "y"), (0, "y")].map(|(at, it)| arrivals.arrived(&span.corners[at], &keep(it)));
        assert_eq!(told, [false, true, false, true]);
    }

    #[test]
    fn corners_are_asked_for_by_namespace_and_name() {
        let maps = Kind::namespaced("", "v1", "ConfigMap", "configmaps");
        let place =
            |name: Option<&str>| Place { kind: maps.clone(), namespace: "own".into(), name: name.map(Into::into) };
        let span = Span::of_places(&maps, &[place(Some("brake")), place(None)]);
        let queries: Vec<_> = span.corners.iter().map(Corner::query).collect();
        assert_eq!(
            (queries, span.places),
            (vec!["&fieldSelector=metadata.name%3Dbrake".to_owned(), String::new()], true)
        );
        let namespaces = Kind::cluster("", "v1", "Namespace", "namespaces");
        let span = Span::within(&namespaces, &["shop".into()]);
        assert_eq!(span.corners[0].alone(&namespaces).as_deref(), Some("/api/v1/namespaces/shop"));
        assert_eq!(Span::within(&Kind::cluster("", "v1", "Node", "nodes"), &["shop".into()]).corners, []);
    }
}
