//! Kinds and their plurals: what every cluster has, and what the API server told of besides.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

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

/// What stands for every group, version or kind in a rule's `match.gvk`.
pub(crate) const ANY: &str = "*";

/// Kinds that no `*` means: they change all the time and say nothing lasting, are written by the rules themselves, or are no
/// stored objects. A rule that wants one names it.
const NEVER_MEANT: &[(&str, &str)] = &[
    ("", "Event"),
    ("events.k8s.io", "Event"),
    ("coordination.k8s.io", "Lease"),
    ("authentication.k8s.io", ANY),
    ("authorization.k8s.io", ANY),
    ("metrics.k8s.io", ANY),
    ("wgpolicyk8s.io", ANY),
    ("openreports.io", ANY),
];

/// Every kind that is known.
#[derive(Clone, Debug)]
pub(crate) struct Resources {
    by_kind: BTreeMap<GroupVersionKind, Kind>,
    /// By plural and by the original's naive plural; what a short name means comes first.
    by_plural: BTreeMap<String, Vec<Kind>>,
    /// Which of them make pods.
    pub(crate) shapes: PodShapes,
    /// Whether rules are about objects with a namespace alone.
    confined: bool,
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
        Resources { by_kind, by_plural, shapes: PodShapes::default(), confined: false }
    }

    /// The same, of which these make pods besides Kubernetes' own.
    #[must_use]
    pub(crate) fn shaped(self, shapes: PodShapes) -> Resources {
        Resources { shapes, ..self }
    }

    /// The same, for a process that looks after some namespaces alone, if it does.
    #[must_use]
    pub(crate) fn confined(self, confined: bool) -> Resources {
        Resources { confined, ..self }
    }

    /// Whether a rule may be about objects of a kind here.
    pub(crate) fn may_be_about(&self, kind: &GroupVersionKind) -> bool {
        !self.confined || self.kind(kind).is_none_or(|it| it.scope == Scope::Namespaced)
    }

    /// A kind with its path.
    pub(crate) fn kind(&self, kind: &GroupVersionKind) -> Option<&Kind> {
        self.by_kind.get(kind)
    }

    /// The kinds that entries with `*` mean, in order; of kinds in several versions that which comes first where the version is `*`.
    /// `in_namespaces` leaves out those whose objects have no namespace.
    pub(crate) fn meant(&self, patterns: &[GroupVersionKind], in_namespaces: bool) -> Vec<GroupVersionKind> {
        let fits = |pattern: &str, text: &str| pattern == ANY || pattern == text;
        let never = |kind: &GroupVersionKind| {
            NEVER_MEANT.iter().any(|(group, name)| kind.group == *group && fits(name, &kind.kind))
        };
        let mut meant = BTreeSet::new();
        for pattern in patterns {
            let mut found: BTreeMap<_, Vec<&Kind>> = BTreeMap::new();
            for kind in self.by_kind.values().filter(|it| !in_namespaces || it.scope == Scope::Namespaced) {
                let GroupVersionKind { group, version, kind: name } = &kind.gvk;
                let is_meant = fits(&pattern.group, group) && fits(&pattern.kind, name);
                if is_meant && fits(&pattern.version, version) && !never(&kind.gvk) {
                    found.entry((group, name)).or_default().push(kind);
                }
            }
            // Of one kind there is one version here unless the version is `*`.
            meant.extend(found.into_values().filter_map(|it| it.into_iter().min_by_key(|kind| preference(kind))));
        }
        meant.into_iter().map(|it| it.gvk.clone()).collect()
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
    fn a_star_means_what_is_served_but_for_what_is_never_meant() {
        let served = [
            Kind::namespaced("", "v1", "Event", "events"),
            Kind::namespaced("b.example", "v1beta1", "Widget", "widgets"),
            Kind::namespaced("b.example", "v1", "Widget", "widgets"),
            Kind::cluster("b.example", "v1", "Realm", "realms"),
            Kind::namespaced("wgpolicyk8s.io", "v1alpha2", "PolicyReport", "policyreports"),
        ];
        let resources = Resources::with(&served);
        let check = |group: &str, version: &str, kind: &str, in_namespaces: bool, want: &[&str]| {
            let meant = resources.meant(&[GroupVersionKind::new(group, version, kind)], in_namespaces);
            let meant: Vec<_> = meant.iter().map(|it| format!("{} {}", it.version, it.kind)).collect();
            assert_eq!(meant, want, "{group}/{version}/{kind}");
        };
        check("b.example", "*", "*", false, &["v1 Realm", "v1 Widget"]);
        check("b.example", "*", "*", true, &["v1 Widget"]);
        check("b.example", "v1beta1", "*", false, &["v1beta1 Widget"]);
        check("*", "*", "Widget", false, &["v1 Widget"]);
        check("*", "*", "Event", false, &[]);
        check("*", "*", "PolicyReport", false, &[]);
        check("*", "v1", "Deployment", false, &["v1 Deployment"]);
        let all = resources.meant(&[GroupVersionKind::new("*", "*", "*")], false);
        assert!(all.len() > 20 && all.iter().all(|it| it.kind != "Event"), "{all:?}");
    }

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
