//! What names of amounts mean: compute resources of containers, and what quotas and limit ranges may bound.
//!
//! Names only; amounts are `quantity`'s, what an object uses of them is not known here.

use crate::names::qualified_name_problems;

/// What containers may ask for without a domain in its name.
const OF_CONTAINERS: [&str; 3] = ["cpu", "memory", "ephemeral-storage"];
/// What a quota may bound by a plain name, in parts per object or in amounts.
const OF_QUOTAS: [&str; 10] = [
    "cpu",
    "memory",
    "ephemeral-storage",
    "requests.cpu",
    "requests.memory",
    "requests.ephemeral-storage",
    "requests.storage",
    "limits.cpu",
    "limits.memory",
    "limits.ephemeral-storage",
];
/// The same in whole objects.
const COUNTS: [&str; 9] = [
    "pods",
    "resourcequotas",
    "services",
    "replicationcontrollers",
    "secrets",
    "configmaps",
    "persistentvolumeclaims",
    "services.nodeports",
    "services.loadbalancers",
];
const REQUESTS: &str = "requests.";
const HUGE_PAGES: &str = "hugepages-";

/// Whether a name is Kubernetes' own: without a domain, or with one of its own.
pub fn is_native(name: &str) -> bool {
    !name.contains('/') || name.contains("kubernetes.io/")
}

/// `hugepages-2Mi`
pub fn is_huge_pages(name: &str) -> bool {
    name.starts_with(HUGE_PAGES)
}

/// Huge pages as quotas name them: also `requests.hugepages-2Mi`.
pub fn is_huge_pages_of_quota(name: &str) -> bool {
    is_huge_pages(name.strip_prefix(REQUESTS).unwrap_or(name))
}

/// Whether a name is a device's or another that nodes advertise: `nvidia.com/gpu`. Quotas bound it as `requests.nvidia.com/gpu`.
pub fn is_extended(name: &str) -> bool {
    !is_native(name) && !name.starts_with(REQUESTS) && qualified_name_problems(&format!("{REQUESTS}{name}")).is_empty()
}

pub(crate) fn is_of_containers(name: &str) -> bool {
    OF_CONTAINERS.contains(&name) || is_huge_pages(name)
}

pub(crate) fn is_of_quotas(name: &str) -> bool {
    OF_QUOTAS.contains(&name) || COUNTS.contains(&name) || is_huge_pages_of_quota(name)
}

/// Whether a plain name is known at all.
pub(crate) fn is_standard(name: &str) -> bool {
    name == "storage" || is_of_quotas(name)
}

/// Whether there are only whole ones.
pub(crate) fn is_whole(name: &str) -> bool {
    COUNTS.contains(&name) || is_extended(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_belong_where_upstream_has_them() {
        let told = |name: &str| {
            [is_native(name), is_extended(name), is_of_containers(name), is_of_quotas(name), is_whole(name)]
        };
        for (name, want) in [
            ("cpu", [true, false, true, true, false]),
            ("pods", [true, false, false, true, true]),
            ("storage", [true, false, false, false, false]),
            ("limits.cpu", [true, false, false, true, false]),
            ("hugepages-2Mi", [true, false, true, true, false]),
            ("requests.hugepages-2Mi", [true, false, false, true, false]),
            ("nvidia.com/gpu", [false, true, false, false, true]),
            ("requests.nvidia.com/gpu", [false, false, false, false, false]),
            ("x.kubernetes.io/a", [true, false, false, false, false]),
            ("count/widgets.example.com", [false, true, false, false, true]),
        ] {
            assert_eq!(told(name), want, "{name}");
        }
    }
}
