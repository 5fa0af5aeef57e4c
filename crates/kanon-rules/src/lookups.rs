//! What rules read besides the object: `cluster` and `consistentCluster` (spec/rules 2.7), and the network around it ([`picture`]).
//!
//! A rule names resources by their plurals; which kinds those are says [`resources`]. Found in the rule's text when it is compiled
//! ([`Reference`]), so that the shells watch them before the rule is asked.

pub(crate) mod cluster;
pub(crate) mod picture;
pub(crate) mod reader;
pub(crate) mod resources;
pub(crate) mod selector;

use kanon_core::GroupVersionKind;

use self::resources::Resources;

/// The member of `cluster` that stands for `consistentCluster`.
pub(crate) const CONSISTENT: &str = "consistent";
/// The method of `cluster` that finds an object of whichever kind it is.
pub(crate) const OWNER: &str = "owner";

/// A resource as a rule names it: `pods`, `deployments.v1.apps`, `pods.v1.`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Reference {
    pub plural: String,
    /// Version and group, where they are given.
    pub version: Option<(String, String)>,
}

impl Reference {
    /// From the names that follow `cluster`: one with dots, or one each (spec/rules 2.7, spellings 1 to 3). The version makes
    /// the group certain: `v1` alone is the core group's.
    pub(crate) fn of(names: &[impl AsRef<str>]) -> Option<Reference> {
        let text = names.iter().map(AsRef::as_ref).collect::<Vec<_>>().join(".");
        let mut parts = text.splitn(3, '.');
        let plural = parts.next().filter(|it| !it.is_empty())?.to_owned();
        let version = parts.next().map(|it| (it.to_owned(), parts.next().unwrap_or_default().to_owned()));
        Some(Reference { plural, version })
    }

    /// The kind it means.
    pub(crate) fn kind<'r>(&self, resources: &'r Resources) -> Option<&'r kanon_core::Kind> {
        let version = self.version.as_ref().map(|(version, group)| (version.as_str(), group.as_str()));
        resources.named(&self.plural, version)
    }

    /// As the flat spelling writes it.
    pub(crate) fn text(&self) -> String {
        match &self.version {
            None => self.plural.clone(),
            Some((version, group)) => format!("{}.{version}.{group}", self.plural),
        }
    }
}

/// What a rule's expression and message say about lookups.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Referenced {
    /// Resources, each once, in order.
    pub list: Vec<Reference>,
    /// Whether it reads `cluster` in a way that names no resource in the text.
    pub computed: bool,
    /// Whether admission asks the API server itself for some of them.
    pub live: bool,
}

impl Referenced {
    /// From the paths that a program reads.
    pub(crate) fn of<'p>(paths: impl Iterator<Item = &'p Vec<String>>) -> Referenced {
        let mut found = Referenced::default();
        for path in paths {
            let (names, is_live) = match path.iter().map(String::as_str).collect::<Vec<_>>()[..] {
                ["cluster", CONSISTENT, ref names @ ..] | ["consistentCluster", ref names @ ..] => {
                    (names.to_vec(), true)
                }
                ["cluster", ref names @ ..] => (names.to_vec(), false),
                _ => continue,
            };
            found.live |= is_live;
            match Reference::of(&names) {
                Some(it) => found.list.push(it),
                None => found.computed = true,
            }
        }
        found.list.sort();
        found.list.dedup();
        found
    }

    /// Whether it may read objects of kinds that it does not name: an owner may be of any.
    pub(crate) fn is_open(&self) -> bool {
        self.computed || self.list.iter().any(|it| it.plural == OWNER)
    }

    /// What an author should know: names that nobody serves, and names that several groups have.
    pub(crate) fn notes(&self, resources: &Resources) -> Vec<String> {
        let note = |it: &Reference| {
            let name = it.text();
            match it.kind(resources) {
                None => Some(format!("`cluster.{name}`: the API server serves no such resource")),
                Some(_) if it.version.is_some() => None,
                Some(kind) => {
                    let others = resources.others(&it.plural);
                    let (group, version) = (&kind.gvk.group, &kind.gvk.version);
                    let meant = if group.is_empty() { "the core group" } else { group };
                    let exact = format!("{name}.{version}.{group}");
                    (!others.is_empty()).then(|| {
                        format!("`cluster.{name}` means {meant} here, other groups have it too: `cluster[\"{exact}\"]` is certain")
                    })
                }
            }
        };
        self.list.iter().filter_map(note).collect()
    }

    /// The kinds meant, in order of their text form, and the names that mean none.
    pub(crate) fn resolve(&self, resources: &Resources) -> (Vec<GroupVersionKind>, Vec<String>) {
        let (mut kinds, mut unknown) = (Vec::new(), Vec::new());
        for it in &self.list {
            match it.kind(resources) {
                Some(kind) => kinds.push(kind.gvk.clone()),
                None => unknown.push(it.text()),
            }
        }
        kinds.sort_by_key(GroupVersionKind::to_string);
        kinds.dedup();
        (kinds, unknown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(path: &[&str], want: &str) {
        let path: Vec<_> = path.iter().map(|it| (*it).to_owned()).collect();
        let (kinds, unknown) = Referenced::of([&path].into_iter()).resolve(&Resources::default());
        let kinds: Vec<_> = kinds.iter().map(GroupVersionKind::to_string).collect();
        assert_eq!([kinds, unknown].concat().join(" "), want, "{path:?}");
    }

    #[test]
    fn the_three_spellings_mean_one_kind() {
        check(&["cluster", "pods"], "/v1, Kind=Pod");
        check(&["cluster", "pods", "v1"], "/v1, Kind=Pod");
        check(&["cluster", "pods.v1."], "/v1, Kind=Pod");
        check(&["consistentCluster", "deployments", "v1", "apps"], "apps/v1, Kind=Deployment");
        check(&["cluster", "consistent", "deployments"], "apps/v1, Kind=Deployment");
        check(
            &["cluster", "networkpolicies", "v1", "networking", "k8s", "io"],
            "networking.k8s.io/v1, Kind=NetworkPolicy",
        );
        check(&["cluster", "networkpolicies.v1.networking.k8s.io"], "networking.k8s.io/v1, Kind=NetworkPolicy");
        check(&["cluster", "networkpolicys"], "networking.k8s.io/v1, Kind=NetworkPolicy");
        check(&["cluster", "deployments", "v1"], "deployments.v1.");
        check(&["cluster", "widgets"], "widgets");
        check(&["object", "pods"], "");
    }

    #[test]
    fn kinds_come_once_in_the_order_of_their_text() {
        let path = |name: &str| vec!["cluster".to_owned(), name.to_owned()];
        let paths = [path("deployments"), path("pods"), path("pods.v1."), vec!["cluster".to_owned()]];
        let referenced = Referenced::of(paths.iter());
        assert!(referenced.computed);
        let (kinds, _) = referenced.resolve(&Resources::default());
        assert_eq!(kinds.iter().map(|it| it.kind.as_str()).collect::<Vec<_>>(), ["Pod", "Deployment"]);
    }
}
