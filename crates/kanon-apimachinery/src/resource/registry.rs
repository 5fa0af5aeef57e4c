//! All resources at one moment: an immutable snapshot, replaced when a CustomResourceDefinition changes.

use std::{
    cmp::Reverse,
    collections::BTreeMap,
    sync::{Arc, LazyLock},
};

use kanon_core::GroupVersionKind;
use kanon_lang::Language;

use super::{Resource, RuleLanguage};

/// All resources that are served. Cheap to clone behind an [`Arc`]; never changes.
#[derive(Clone, Debug, Default)]
pub struct Registry {
    groups: BTreeMap<String, Group>,
}

/// One API group.
#[derive(Clone, Debug, Default)]
pub struct Group {
    /// Its name; empty for core.
    pub name: String,
    /// Its versions, the preferred one first.
    pub versions: Vec<GroupVersion>,
}

/// One version of a group.
#[derive(Clone, Debug, Default)]
pub struct GroupVersion {
    /// Such as `v1`.
    pub version: String,
    /// Its resources by plural.
    pub resources: BTreeMap<String, Arc<Resource>>,
}

impl Registry {
    /// The built-in kinds. Made once: servers that start one after another share them.
    pub fn builtin() -> Registry {
        static BUILTIN: LazyLock<Registry> = LazyLock::new(|| {
            let mut registry = Registry::default();
            for kind in kanon_kinds::kinds() {
                registry.add(Arc::new(Resource::builtin(kind)));
            }
            registry
        });
        BUILTIN.clone()
    }

    /// The same resources, with the language in which rules of definitions and conditions of webhooks are written: they are
    /// compiled when one is stored.
    #[must_use]
    pub fn with_language(&self, language: Arc<dyn Language>) -> Registry {
        let mut registry = self.clone();
        let versions = registry.groups.values_mut().flat_map(|it| &mut it.versions);
        for resource in versions.flat_map(|it| it.resources.values_mut()).filter(|it| has_expressions(it)) {
            Arc::make_mut(resource).rule_language = Some(RuleLanguage(Arc::clone(&language)));
        }
        registry
    }

    /// The same resources and those of established definitions (`crate::crd::resources`). Built-in ones win a clash.
    #[must_use]
    pub fn with_crds(&self, resources: impl IntoIterator<Item = Arc<Resource>>) -> Registry {
        let mut registry = self.clone();
        for resource in resources {
            registry.add(resource);
        }
        registry
    }

    fn add(&mut self, resource: Arc<Resource>) {
        let GroupVersionKind { group, version, .. } = &resource.gvk;
        let entry = self.groups.entry(group.clone()).or_default();
        group.clone_into(&mut entry.name);
        let at = entry.versions.iter().position(|it| it.version == *version).unwrap_or_else(|| {
            entry.versions.push(GroupVersion { version: version.clone(), resources: BTreeMap::new() });
            entry.versions.sort_by_key(|it| Reverse(priority(&it.version)));
            entry.versions.iter().position(|it| it.version == *version).unwrap_or_default()
        });
        if let Some(served) = entry.versions.get_mut(at) {
            served.resources.entry(resource.plural.clone()).or_insert(resource);
        }
    }

    /// The resource under a path.
    pub fn resource(&self, group: &str, version: &str, plural: &str) -> Option<&Arc<Resource>> {
        self.group_version(group, version)?.resources.get(plural)
    }

    /// The resource of a kind.
    pub fn by_kind(&self, gvk: &GroupVersionKind) -> Option<&Arc<Resource>> {
        self.group_version(&gvk.group, &gvk.version)?.resources.values().find(|it| it.gvk.kind == gvk.kind)
    }

    /// The resource of `apiVersion` and `kind`, as owner references name it.
    pub fn by_api_version(&self, api_version: &str, kind: &str) -> Option<&Arc<Resource>> {
        self.by_kind(&GroupVersionKind::from_api_version(api_version, kind))
    }

    /// A resource in any version, the preferred one: by group and plural.
    pub fn preferred(&self, group: &str, plural: &str) -> Option<&Arc<Resource>> {
        self.groups.get(group)?.versions.iter().find_map(|it| it.resources.get(plural))
    }

    /// One version of a group, if it is served.
    pub fn group_version(&self, group: &str, version: &str) -> Option<&GroupVersion> {
        self.groups.get(group)?.versions.iter().find(|it| it.version == version)
    }

    /// One group, if it is served.
    pub fn group(&self, name: &str) -> Option<&Group> {
        self.groups.get(name)
    }

    /// All groups by name, core first.
    pub fn groups(&self) -> impl Iterator<Item = &Group> {
        self.groups.values()
    }

    /// All resources of all versions.
    pub fn resources(&self) -> impl Iterator<Item = &Arc<Resource>> {
        self.groups().flat_map(|group| &group.versions).flat_map(|version| version.resources.values())
    }

    /// One resource for each stored collection, in the version it is stored in where that is served: what controllers
    /// that look at every object walk over.
    pub fn collections(&self) -> BTreeMap<&str, &Arc<Resource>> {
        let mut collections = BTreeMap::new();
        for resource in self.resources().filter(|it| it.allows("list")) {
            let entry = collections.entry(resource.prefix.as_str()).or_insert(resource);
            if resource.storage_api_version() == resource.api_version() {
                *entry = resource;
            }
        }
        collections
    }
}

/// Whether objects of a resource hold expressions.
fn has_expressions(resource: &Resource) -> bool {
    let webhooks = ["MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"];
    crate::crd::is_crd(resource) || webhooks.iter().any(|it| resource.is("admissionregistration.k8s.io", it))
}

/// Kubernetes' order of versions: stable before beta before alpha, higher numbers first, anything else last.
pub(crate) fn priority(version: &str) -> (u8, u64, u64, Reverse<String>) {
    let other = (0, 0, 0, Reverse(version.to_owned()));
    let Some(rest) = version.strip_prefix('v') else { return other };
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    let (major, stage) = rest.split_at(digits);
    let Ok(major) = major.parse() else { return other };
    if stage.is_empty() {
        return (3, major, 0, Reverse(String::new()));
    }
    for (word, rank) in [("beta", 2), ("alpha", 1)] {
        if let Some(minor) = stage.strip_prefix(word).and_then(|it| it.parse().ok()) {
            return (rank, major, minor, Reverse(String::new()));
        }
    }
    other
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_ordered_as_kubernetes_does() {
        let mut versions =
            ["foo10", "v1alpha1", "v10", "v2beta1", "foo1", "v11alpha2", "v1", "v12alpha1", "v2", "v10beta3"];
        versions.sort_by_key(|it| Reverse(priority(it)));
        assert_eq!(
            versions,
            ["v10", "v2", "v1", "v10beta3", "v2beta1", "v12alpha1", "v11alpha2", "v1alpha1", "foo1", "foo10"]
        );
    }
}
