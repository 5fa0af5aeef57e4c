//! Rights as manifests: an account, a ClusterRole, a Role in each namespace, and their bindings. Pure. In YAML every line says what it is for.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use kanon_plane::{Need, Needs};
use serde_json::{Value, json};

use super::process::Process;

/// Reasons that one line names; of more it says how many.
const REASONS_MAX: usize = 6;
const GROUP: &str = "rbac.authorization.k8s.io";

/// One manifest.
pub(super) struct Manifest {
    kind: &'static str,
    name: String,
    namespace: Option<String>,
    body: Body,
}

enum Body {
    Account,
    Role(Vec<Line>),
    Binding { role: &'static str, account_namespace: String },
}

/// One rule of a role.
struct Line {
    group: String,
    resource: String,
    verbs: BTreeSet<&'static str>,
    names: Vec<String>,
    reasons: Vec<String>,
}

/// The manifests, in the order in which they are to be applied.
pub(super) fn manifests(process: &Process, needs: &Needs) -> Vec<Manifest> {
    let mut places: BTreeMap<Option<&str>, Vec<&Need>> = BTreeMap::new();
    for need in &needs.rights {
        places.entry(need.namespace.as_deref()).or_default().push(need);
    }
    let name = &process.name;
    let account = Manifest {
        kind: "ServiceAccount",
        name: name.clone(),
        namespace: Some(process.namespace.clone()),
        body: Body::Account,
    };
    let mut made = vec![account];
    for (place, needs) in places {
        let (role, binding) =
            if place.is_some() { ("Role", "RoleBinding") } else { ("ClusterRole", "ClusterRoleBinding") };
        let namespace = place.map(str::to_owned);
        let lines = Body::Role(lines(&needs));
        made.push(Manifest { kind: role, name: name.clone(), namespace: namespace.clone(), body: lines });
        let body = Body::Binding { role, account_namespace: process.namespace.clone() };
        made.push(Manifest { kind: binding, name: name.clone(), namespace, body });
    }
    made
}

/// What a line is about: group, resource, names.
type About<'n> = (&'n str, String, &'n [String]);

/// One line for each resource and limitation.
fn lines(needs: &[&Need]) -> Vec<Line> {
    let mut verbs: BTreeMap<About<'_>, BTreeSet<&'static str>> = BTreeMap::new();
    let mut reasons: BTreeMap<About<'_>, BTreeSet<&str>> = BTreeMap::new();
    for Need { right, names, reason, .. } in needs {
        let slash = if right.part.is_empty() { "" } else { "/" };
        let about = (right.group.as_str(), format!("{}{slash}{}", right.resource, right.part), names.as_slice());
        verbs.entry(about.clone()).or_default().insert(right.verb);
        reasons.entry(about).or_default().extend(Some(reason.as_str()).filter(|it| !it.is_empty()));
    }
    let line = |(verbs, reasons): ((About<'_>, BTreeSet<_>), BTreeSet<&str>)| {
        let ((group, resource, names), verbs) = verbs;
        let reasons = reasons.into_iter().map(str::to_owned).collect();
        Line { group: group.to_owned(), resource, verbs, names: names.to_vec(), reasons }
    };
    // Both have the same keys.
    verbs.into_iter().zip(reasons.into_values()).map(line).collect()
}

impl Line {
    fn value(&self) -> Value {
        let mut value = json!({"apiGroups": [self.group], "resources": [self.resource], "verbs": self.verbs});
        if !self.names.is_empty() {
            value["resourceNames"] = json!(self.names);
        }
        value
    }

    /// What the line is for.
    fn comment(&self) -> String {
        let more = self.reasons.len().saturating_sub(REASONS_MAX);
        let shown = &self.reasons[..self.reasons.len() - more];
        let text = if shown.is_empty() { "policies, and what all of them read".to_owned() } else { shown.join(", ") };
        // A name may hold anything; a comment ends with its line.
        let text: String = text.chars().map(|it| if it.is_control() { ' ' } else { it }).collect();
        if more > 0 { format!("{text}, and {more} more") } else { text }
    }
}

impl Manifest {
    fn metadata(&self) -> Value {
        let mut metadata = json!({"name": self.name});
        if let Some(namespace) = &self.namespace {
            metadata["namespace"] = json!(namespace);
        }
        metadata
    }

    fn api_version(&self) -> String {
        if self.kind == "ServiceAccount" { "v1".to_owned() } else { format!("{GROUP}/v1") }
    }

    fn value(&self) -> Value {
        let mut value = json!({"apiVersion": self.api_version(), "kind": self.kind, "metadata": self.metadata()});
        match &self.body {
            Body::Account => {}
            Body::Role(lines) => value["rules"] = lines.iter().map(Line::value).collect(),
            Body::Binding { role, account_namespace } => {
                value["roleRef"] = json!({"apiGroup": GROUP, "kind": role, "name": self.name});
                value["subjects"] =
                    json!([{"kind": "ServiceAccount", "name": self.name, "namespace": account_namespace}]);
            }
        }
        value
    }
}

/// All of them as a List.
pub(super) fn list(manifests: &[Manifest]) -> Value {
    json!({"apiVersion": "v1", "kind": "List", "items": manifests.iter().map(Manifest::value).collect::<Vec<_>>()})
}

/// All of them as a stream of YAML documents. Values stand in JSON's notation, which is YAML, too.
pub(super) fn yaml(manifests: &[Manifest]) -> String {
    let mut text = String::new();
    for it in manifests {
        let _ = writeln!(text, "---\napiVersion: {}\nkind: {}\nmetadata: {}", it.api_version(), it.kind, it.metadata());
        match &it.body {
            Body::Account => {}
            Body::Role(lines) => {
                text += "rules:\n";
                for line in lines {
                    let _ = writeln!(text, "# {}\n- {}", line.comment(), line.value());
                }
            }
            Body::Binding { .. } => {
                let value = it.value();
                let _ = writeln!(text, "roleRef: {}\nsubjects: {}", value["roleRef"], value["subjects"]);
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use kanon_plane::Right;

    use super::*;
    use crate::commands::rbac::process::Registration;

    #[test]
    fn rights_are_grouped_by_place_and_resource_and_both_formats_agree() {
        let process = Process {
            name: "portal".into(),
            namespace: "portal-system".into(),
            namespaces: Vec::new(),
            leases: Vec::new(),
            webhook: Registration::None,
            secret: None,
            authors: false,
        };
        let mut needs = Needs::default();
        needs.add(Right::new("list", "", "pods"), "rule a: b\n- x");
        needs.add(Right::new("watch", "", "pods"), "");
        needs.add(Right::evict(), "action evict of rule a");
        needs.rights.insert(Need {
            right: Right::new("get", "coordination.k8s.io", "leases"),
            names: vec!["true".into()],
            namespace: Some("portal-system".into()),
            reason: "the lead".into(),
        });
        let made = manifests(&process, &needs);
        let text = yaml(&made);
        let parsed: Vec<Value> = serde_saphyr::from_multiple(&text).unwrap();
        assert_eq!(json!(parsed), list(&made)["items"]);
        let kinds: Vec<_> = made.iter().map(|it| it.kind).collect();
        assert_eq!(kinds, ["ServiceAccount", "ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"]);
        assert_eq!(
            parsed[1]["rules"][0],
            json!({"apiGroups": [""], "resources": ["pods"], "verbs": ["list", "watch"]})
        );
        assert_eq!(parsed[1]["rules"][1]["resources"], json!(["pods/eviction"]));
        assert_eq!(parsed[3]["rules"][0]["resourceNames"], json!(["true"]));
        assert!(text.contains("# rule a: b - x\n- {"), "{text}");
    }
}
