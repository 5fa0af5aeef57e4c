//! What one object uses, by the names that quotas bound, and what scopes ask of it (upstream: the evaluators of `pkg/quota`).
//!
//! A [`Fact`] is all that a quota may ever ask about an object: it stays when the quotas change.

use jiff::{SignedDuration, Timestamp};
use kanon_core::{Node, Object};
use kanon_kinds::{is_extended, is_huge_pages, is_huge_pages_of_quota, is_native};
use kanon_lang::kubernetes::Quantity;

use crate::amounts::{self, Amounts, list, number, of_container, of_pod};

const PODS: &str = "core/pods/";
const SERVICES: &str = "core/services/";
const CLAIMS: &str = "core/persistentvolumeclaims/";
/// Before the quota of one storage class: `gold.storageclass.storage.k8s.io/requests.storage`.
const OF_CLASS: &str = ".storageclass.storage.k8s.io/";
/// What of containers is counted by plain names.
const COMPUTE: [&str; 3] = ["cpu", "memory", "ephemeral-storage"];
/// What containers must say where it is bounded. Upstream regrets the rule and keeps it.
const MUST_SAY: [&str; 6] = ["cpu", "memory", "requests.cpu", "requests.memory", "limits.cpu", "limits.memory"];

/// What quotas may ask about an object.
#[derive(Clone, Debug, Default)]
pub(super) struct Fact {
    pub(super) usage: Amounts,
    /// What scopes ask; none but pods are in a scope.
    pub(super) pod: Option<PodFact>,
    /// When less will be used, without a change of the object.
    pub(super) until: Option<Timestamp>,
}

/// What scopes ask about a pod.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct PodFact {
    pub(super) has_deadline: bool,
    pub(super) is_best_effort: bool,
    /// Empty without one.
    pub(super) priority_class: String,
    /// Its affinity looks at other namespaces.
    pub(super) crosses_namespaces: bool,
    /// What its containers do not say of what they must, and which.
    unsaid: Vec<(&'static str, String)>,
}

impl PodFact {
    /// What containers must say and do not, of what is bounded.
    pub(super) fn unsaid(&self, is_bounded: impl Fn(&str) -> bool) -> Option<String> {
        let mut names: Vec<&str> = self.unsaid.iter().map(|it| it.0).filter(|it| is_bounded(it)).collect();
        names.sort_unstable();
        names.dedup();
        let told = |name: &&str| {
            let mut containers: Vec<&str> =
                self.unsaid.iter().filter(|it| it.0 == *name).map(|it| it.1.as_str()).collect();
            containers.sort_unstable();
            containers.dedup();
            format!("{name} for: {}", containers.join(","))
        };
        (!names.is_empty()).then(|| format!("must specify {}", names.iter().map(told).collect::<Vec<_>>().join("; ")))
    }
}

/// The collection whose objects use what is called so (`core/pods/`); none where nothing does.
pub(super) fn collection_of(name: &str) -> Option<String> {
    if let Some(counted) = name.strip_prefix("count/") {
        let (plural, group) = counted.split_once('.').unwrap_or((counted, "core"));
        return Some(format!("{group}/{plural}/"));
    }
    let suffix = |name: &str| matches!(name, "requests.storage" | "persistentvolumeclaims");
    let collection = match name {
        "pods" => PODS,
        "services" | "services.nodeports" | "services.loadbalancers" => SERVICES,
        "configmaps" | "secrets" | "replicationcontrollers" | "resourcequotas" => return Some(format!("core/{name}/")),
        _ if suffix(name) || name.split_once(OF_CLASS).is_some_and(|it| suffix(it.1)) => CLAIMS,
        _ if COMPUTE.contains(&plain(name)) || is_huge_pages_of_quota(name) => PODS,
        _ if name.starts_with("requests.") && !is_native(name) => PODS,
        _ => return None,
    };
    Some(collection.to_owned())
}

fn plain(name: &str) -> &str {
    name.strip_prefix("requests.").or_else(|| name.strip_prefix("limits.")).unwrap_or(name)
}

/// What an object of a collection uses.
pub(super) fn measure(collection: &str, object: &Object, now: Timestamp) -> Fact {
    let one = number(1);
    let mut usage = Amounts::new();
    let parts = collection.trim_end_matches('/').split_once('/').unwrap_or_default();
    let (group, plural) = parts;
    let count = if group == "core" { format!("count/{plural}") } else { format!("count/{plural}.{group}") };
    usage.insert(count, one);
    match collection {
        PODS => return pod(usage, object, now),
        SERVICES => service(&mut usage, object),
        CLAIMS => claim(&mut usage, object),
        _ if group == "core" => {
            // Names from before there were counts of everything.
            usage.insert(plural.to_owned(), one);
        }
        _ => {}
    }
    Fact { usage, ..Fact::default() }
}

fn service(usage: &mut Amounts, service: &Object) {
    let ports = || service.at(&["spec", "ports"]).into_iter().flat_map(Node::elements);
    let asked = |it: &Node<'_>| it.get("nodePort").and_then(Node::as_i64).unwrap_or_default() != 0;
    let all_have = service.at(&["spec", "allocateLoadBalancerNodePorts"]).and_then(Node::as_bool).unwrap_or(true);
    let kind = service.str_at(&["spec", "type"]);
    let node_ports = match kind {
        "NodePort" => ports().count(),
        "LoadBalancer" if all_have => ports().count(),
        "LoadBalancer" => ports().filter(asked).count(),
        _ => 0,
    };
    usage.insert("services".to_owned(), number(1));
    usage.insert("services.nodeports".to_owned(), number(node_ports));
    usage.insert("services.loadbalancers".to_owned(), number(usize::from(kind == "LoadBalancer")));
}

fn claim(usage: &mut Amounts, claim: &Object) {
    let class = match claim.at(&["metadata", "annotations", "volume.beta.kubernetes.io/storage-class"]) {
        Some(class) => class.as_str().unwrap_or_default().into_owned(),
        None => claim.str_at(&["spec", "storageClassName"]).to_owned(),
    };
    let storage = |path: &[&str]| claim.at(path).and_then(amounts::quantity);
    let wanted = storage(&["spec", "resources", "requests", "storage"]);
    let given = storage(&["status", "allocatedResources", "storage"]);
    let size = wanted.map(|wanted| given.filter(|it| it.order(&wanted).is_gt()).unwrap_or(wanted));
    let used = [("persistentvolumeclaims", Some(number(1))), ("requests.storage", size)];
    for (name, amount) in used.into_iter().filter_map(|(name, amount)| Some((name, amount?))) {
        usage.insert(name.to_owned(), amount);
        if !class.is_empty() {
            usage.insert(format!("{class}{OF_CLASS}{name}"), amount);
        }
    }
}

fn pod(mut usage: Amounts, pod: &Object, now: Timestamp) -> Fact {
    let spec = pod.at(&["spec"]);
    let Some(spec) = spec else { return Fact { usage, ..Fact::default() } };
    let fact = PodFact {
        has_deadline: spec.get("activeDeadlineSeconds").and_then(Node::as_i64).is_some_and(|it| it >= 0),
        is_best_effort: is_best_effort(pod),
        priority_class: pod.str_at(&["spec", "priorityClassName"]).to_owned(),
        crosses_namespaces: crosses_namespaces(spec),
        unsaid: unsaid(spec),
    };
    let end = stuck_from(pod);
    let is_over = matches!(pod.str_at(&["status", "phase"]), "Failed" | "Succeeded");
    // What has ended uses nothing but its place in the store; so does what should be gone and hangs.
    if is_over || end.is_some_and(|it| it < now) {
        return Fact { usage, pod: Some(fact), until: None };
    }
    let overhead = amounts::read(spec.get("overhead"));
    let mut requests = of_pod(spec, "requests");
    amounts::add(&mut requests, &overhead);
    let mut limits = of_pod(spec, "limits");
    let limited = overhead.into_iter().filter(|(name, _)| limits.contains_key(name)).collect();
    amounts::add(&mut limits, &limited);
    usage.extend(by_quota_name(&requests, &limits));
    Fact { usage, pod: Some(fact), until: end }
}

/// Requests and limits by the names that quotas have for them.
fn by_quota_name(requests: &Amounts, limits: &Amounts) -> Amounts {
    let mut usage = Amounts::from([("pods".to_owned(), number(1))]);
    let mut put = |name: String, amount: &Quantity| usage.insert(name, *amount);
    for (name, amount) in requests {
        if COMPUTE.contains(&name.as_str()) || is_huge_pages(name) {
            put(name.clone(), amount);
            put(format!("requests.{name}"), amount);
        } else if is_extended(name) {
            put(format!("requests.{name}"), amount);
        }
    }
    for (name, amount) in limits.iter().filter(|it| COMPUTE.contains(&it.0.as_str())) {
        put(format!("limits.{name}"), amount);
    }
    usage
}

/// When a pod that is being deleted should be gone for as long as it had to stop: from then on it hangs.
fn stuck_from(pod: &Object) -> Option<Timestamp> {
    let end: Timestamp = pod.str_at(&["metadata", "deletionTimestamp"]).parse().ok()?;
    let grace = pod.at(&["metadata", "deletionGracePeriodSeconds"]).and_then(Node::as_i64)?;
    end.checked_add(SignedDuration::from_secs(grace)).ok()
}

fn is_best_effort(pod: &Object) -> bool {
    match pod.str_at(&["status", "qosClass"]) {
        "" => kanon_kinds::quality_of_service(&pod.to_value()) == "BestEffort",
        class => class == "BestEffort",
    }
}

fn crosses_namespaces(spec: Node<'_>) -> bool {
    let crosses = |term: Node<'_>| {
        let selector = term.get("namespaceSelector").is_some_and(|it| !it.is_null());
        selector || term.get("namespaces").is_some_and(|it| it.elements().next().is_some())
    };
    ["podAffinity", "podAntiAffinity"].into_iter().filter_map(|it| spec.at(&["affinity", it])).any(|affinity| {
        let mut preferred = list(affinity, "preferredDuringSchedulingIgnoredDuringExecution");
        list(affinity, "requiredDuringSchedulingIgnoredDuringExecution").any(crosses)
            || preferred.any(|it| it.get("podAffinityTerm").is_some_and(crosses))
    })
}

/// What each container leaves unsaid of what may have to be said.
fn unsaid(spec: Node<'_>) -> Vec<(&'static str, String)> {
    let mut unsaid = Vec::new();
    for container in ["containers", "initContainers"].into_iter().flat_map(|it| list(spec, it)) {
        let said = by_quota_name(&of_container(container, "requests"), &of_container(container, "limits"));
        let name = container.get("name").and_then(Node::as_plain_str).unwrap_or_default();
        let missing = MUST_SAY.into_iter().filter(|it| !said.contains_key(*it));
        unsaid.extend(missing.map(|it| (it, name.to_owned())));
    }
    unsaid
}
