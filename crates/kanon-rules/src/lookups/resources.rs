//! Kinds and their plurals: what every cluster has, and what the API server told of besides.

use std::{cmp::Reverse, collections::BTreeMap};

use kanon_core::{GroupVersionKind, Kind, Scope};

use crate::facts::pod::PodShapes;

/// Groups that a short name means before others (spec/rules 2.7).
const PREFERRED: [&str; 5] = ["", "apps", "batch", "networking.k8s.io", "policy"];

/// Kinds that every cluster serves: rules about these need no discovery, and can be checked offline.
const KNOWN: &[(&str, &str, &str, &str, Scope)] = &[
    ("", "v1", "ConfigMap", "configmaps", Scope::Namespaced),
    ("", "v1", "Endpoints", "endpoints", Scope::Namespaced),
    ("", "v1", "LimitRange", "limitranges", Scope::Namespaced),
    ("", "v1", "Namespace", "namespaces", Scope::Cluster),
    ("", "v1", "Node", "nodes", Scope::Cluster),
    ("", "v1", "PersistentVolume", "persistentvolumes", Scope::Cluster),
    ("", "v1", "PersistentVolumeClaim", "persistentvolumeclaims", Scope::Namespaced),
    ("", "v1", "Pod", "pods", Scope::Namespaced),
    ("", "v1", "ReplicationController", "replicationcontrollers", Scope::Namespaced),
    ("", "v1", "ResourceQuota", "resourcequotas", Scope::Namespaced),
    ("", "v1", "Secret", "secrets", Scope::Namespaced),
    ("", "v1", "Service", "services", Scope::Namespaced),
    ("", "v1", "ServiceAccount", "serviceaccounts", Scope::Namespaced),
    ("apps", "v1", "DaemonSet", "daemonsets", Scope::Namespaced),
    ("apps", "v1", "Deployment", "deployments", Scope::Namespaced),
    ("apps", "v1", "ReplicaSet", "replicasets", Scope::Namespaced),
    ("apps", "v1", "StatefulSet", "statefulsets", Scope::Namespaced),
    ("autoscaling", "v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers", Scope::Namespaced),
    ("batch", "v1", "CronJob", "cronjobs", Scope::Namespaced),
    ("batch", "v1", "Job", "jobs", Scope::Namespaced),
    ("networking.k8s.io", "v1", "Ingress", "ingresses", Scope::Namespaced),
    ("networking.k8s.io", "v1", "IngressClass", "ingressclasses", Scope::Cluster),
    ("networking.k8s.io", "v1", "NetworkPolicy", "networkpolicies", Scope::Namespaced),
    ("policy", "v1", "PodDisruptionBudget", "poddisruptionbudgets", Scope::Namespaced),
    ("rbac.authorization.k8s.io", "v1", "ClusterRole", "clusterroles", Scope::Cluster),
    ("rbac.authorization.k8s.io", "v1", "ClusterRoleBinding", "clusterrolebindings", Scope::Cluster),
    ("rbac.authorization.k8s.io", "v1", "Role", "roles", Scope::Namespaced),
    ("rbac.authorization.k8s.io", "v1", "RoleBinding", "rolebindings", Scope::Namespaced),
    ("storage.k8s.io", "v1", "StorageClass", "storageclasses", Scope::Cluster),
];

/// Every kind that is known.
#[derive(Clone, Debug)]
pub(crate) struct Resources {
    by_kind: BTreeMap<GroupVersionKind, Kind>,
    /// By plural and by the original's naive plural; what a short name means comes first.
    by_plural: BTreeMap<String, Vec<Kind>>,
    /// Which of them make pods.
    pub(crate) shapes: PodShapes,
}

impl Default for Resources {
    fn default() -> Resources {
        Resources::with(&[])
    }
}

impl Resources {
    /// What every cluster has, and these.
    pub(crate) fn with(served: &[Kind]) -> Resources {
        let known = KNOWN.iter().map(|(group, version, kind, plural, scope)| Kind {
            gvk: GroupVersionKind::new(group, version, kind),
            plural: (*plural).to_owned(),
            scope: *scope,
        });
        // The server's own word counts.
        let by_kind: BTreeMap<_, _> = known.chain(served.iter().cloned()).map(|it| (it.gvk.clone(), it)).collect();
        let mut by_plural: BTreeMap<String, Vec<Kind>> = BTreeMap::new();
        for kind in by_kind.values() {
            let naive = naive_plural(&kind.gvk.kind);
            if naive != kind.plural {
                by_plural.entry(naive).or_default().push(kind.clone());
            }
            by_plural.entry(kind.plural.clone()).or_default().push(kind.clone());
        }
        for kinds in by_plural.values_mut() {
            kinds.sort_by_key(preference);
        }
        Resources { by_kind, by_plural, shapes: PodShapes::default() }
    }

    /// The same, of which these make pods besides Kubernetes' own.
    #[must_use]
    pub(crate) fn shaped(self, shapes: PodShapes) -> Resources {
        Resources { shapes, ..self }
    }

    /// A kind with its path.
    pub(crate) fn kind(&self, kind: &GroupVersionKind) -> Option<&Kind> {
        self.by_kind.get(kind)
    }

    /// What a plural means, of this version and group where they are given.
    pub(crate) fn named(&self, plural: &str, version: Option<(&str, &str)>) -> Option<&Kind> {
        let kinds = self.by_plural.get(plural)?;
        match version {
            None => kinds.first(),
            Some((version, group)) => kinds.iter().find(|it| it.gvk.version == version && it.gvk.group == group),
        }
    }

    /// What a plural means in a group, in the version that comes first.
    pub(crate) fn in_group(&self, plural: &str, group: &str) -> Option<&Kind> {
        self.by_plural.get(plural)?.iter().find(|it| it.gvk.group == group)
    }

    /// Groups besides the first that have a resource of this name.
    pub(crate) fn others(&self, plural: &str) -> Vec<&str> {
        let kinds = self.by_plural.get(plural).map_or(&[][..], Vec::as_slice);
        let mut groups: Vec<_> = kinds.iter().map(|it| it.gvk.group.as_str()).collect();
        groups.dedup();
        groups.into_iter().skip(1).collect()
    }
}

/// The original's fallback: the kind in lower case, with an `s` unless it has one.
fn naive_plural(kind: &str) -> String {
    let lower = kind.to_ascii_lowercase();
    if lower.ends_with('s') { lower } else { lower + "s" }
}

/// Preferred groups first, then by name; of one group the newest stable version.
fn preference(kind: &Kind) -> (usize, String, Reverse<(bool, u32, String)>) {
    let GroupVersionKind { group, version, .. } = &kind.gvk;
    let place = PREFERRED.iter().position(|it| it == group).unwrap_or(PREFERRED.len());
    let number = version.strip_prefix('v').unwrap_or_default();
    let digits = number.len() - number.trim_start_matches(|it: char| it.is_ascii_digit()).len();
    let stable = digits > 0 && digits == number.len();
    let major = number.get(..digits).and_then(|it| it.parse().ok()).unwrap_or(0);
    (place, group.clone(), Reverse((stable, major, version.clone())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_name_means_the_preferred_group_and_the_newest_version() {
        let served = [
            Kind::namespaced("zoo.example", "v1", "Pod", "pods"),
            Kind::namespaced("b.example", "v1beta1", "Widget", "widgets"),
            Kind::namespaced("b.example", "v1", "Widget", "widgets"),
            Kind::namespaced("b.example", "v2", "Widget", "widgets"),
            Kind::namespaced("a.example", "v1alpha1", "Widget", "widgets"),
        ];
        let resources = Resources::with(&served);
        let name = |plural, version| resources.named(plural, version).map(|it| it.gvk.to_string());
        assert_eq!(name("pods", None).as_deref(), Some("/v1, Kind=Pod"));
        assert_eq!(resources.others("pods"), ["zoo.example"]);
        assert_eq!(name("widgets", None).as_deref(), Some("a.example/v1alpha1, Kind=Widget"));
        assert_eq!(name("widgets", Some(("v1", "b.example"))).as_deref(), Some("b.example/v1, Kind=Widget"));
        let of_b: Vec<_> = resources.by_plural["widgets"].iter().map(|it| it.gvk.version.as_str()).collect();
        assert_eq!(of_b, ["v1alpha1", "v2", "v1", "v1beta1"]);
        assert_eq!(name("widgets", Some(("v1", ""))), None);
    }
}
