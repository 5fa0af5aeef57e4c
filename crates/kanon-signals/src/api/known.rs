//! Members of the input documents, for people who misspell one: at the top it reaches the policy as it is, further down it
//! reaches nobody, and nothing else says so.

use kanon_lang::did_you_mean;
use serde_json::Value;

use super::{ApprovalInput, ClassificationInput, read::kind};

/// Members by the path of what holds them; those below others are told from free maps by being listed.
type Known = &'static [(&'static str, &'static [&'static str])];

const CLASSIFICATION: Known = &[
    ("", &["namespace", "signal", "workload", "owner_chain"]),
    ("namespace", &["name", "labels", "annotations"]),
    ("signal", &["severity", "type", "source", "labels", "name", "annotations"]),
    ("workload", &["kind", "name", "labels", "annotations"]),
    ("owner_chain", &["kind", "name", "namespace"]),
];

const APPROVAL: Known = &[
    ("", &super::approval::MEMBERS),
    ("target_resource", &["kind", "name", "namespace"]),
    ("remediation_target", &["kind", "name", "namespace"]),
    (
        "detected_labels",
        &[
            "git_ops_managed",
            "git_ops_tool",
            "pdb_protected",
            "hpa_enabled",
            "stateful",
            "helm_managed",
            "network_isolated",
            "service_mesh",
            "gitOpsManaged",
            "gitOpsTool",
            "pdbProtected",
            "hpaEnabled",
            "helmManaged",
            "networkIsolated",
            "serviceMesh",
        ],
    ),
    (
        "business_classification",
        &[
            "business_unit",
            "service_owner",
            "criticality",
            "sla_requirement",
            "businessUnit",
            "serviceOwner",
            "slaRequirement",
        ],
    ),
];

impl ClassificationInput {
    /// A sentence about each member of an input document that is none of its members. Objects of Kubernetes have none here.
    pub fn unknown_members(value: &Value) -> Vec<String> {
        unknown(value, CLASSIFICATION)
    }
}

impl ApprovalInput {
    /// A sentence about each member of an input document that is none of its members. Objects of Kubernetes have none here.
    pub fn unknown_members(value: &Value) -> Vec<String> {
        unknown(value, APPROVAL)
    }
}

fn unknown(value: &Value, known: Known) -> Vec<String> {
    let mut found = Vec::new();
    if kind(value).is_some() {
        return found;
    }
    for (path, names) in known {
        let holder = if path.is_empty() { Some(value) } else { value.get(path) };
        let holders = match holder {
            Some(Value::Array(items)) => items.as_slice(),
            Some(one) => std::slice::from_ref(one),
            None => &[],
        };
        for name in holders.iter().filter_map(Value::as_object).flat_map(|it| it.keys()) {
            if names.contains(&name.as_str()) {
                continue;
            }
            let (place, fate) = match *path {
                "" => (name.clone(), "it reaches the policy as it is"),
                path => (format!("{path}.{name}"), "it does not reach the policy"),
            };
            let help = did_you_mean(name, names.iter().copied()).map(|it| format!("; {it}")).unwrap_or_default();
            found.push(format!("`{place}` is no member of the input: {fate}{help}"));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn members_that_nobody_knows_are_named() {
        let document =
            json!({"namespce": {}, "namespace": {"name": "a", "label": {}}, "owner_chain": [{"kinds": "x"}]});
        assert_eq!(
            ClassificationInput::unknown_members(&document),
            [
                "`namespce` is no member of the input: it reaches the policy as it is; did you mean `namespace`?",
                "`namespace.label` is no member of the input: it does not reach the policy; did you mean `labels`?",
                "`owner_chain.kinds` is no member of the input: it does not reach the policy; did you mean `kind`?",
            ]
        );
        let document = json!({"kubernetes": {"namespace": "a"}, "detected_labels": {"pdbProtected": true}});
        assert_eq!(
            ApprovalInput::unknown_members(&document),
            ["`kubernetes` is no member of the input: it reaches the policy as it is"]
        );
        let object = json!({"apiVersion": "kubernaut.ai/v1alpha1", "kind": "AIAnalysis", "spec": {}});
        assert_eq!(ApprovalInput::unknown_members(&object), [""; 0]);
    }

    /// What the tables list is what is read: a member that is read does not take just anything.
    #[test]
    fn the_tables_list_what_is_read() {
        let odd = json!([[{"odd": [1]}]]);
        let check = |known: Known, fails: &dyn Fn(&Value) -> bool| {
            for (path, names) in known {
                for name in *names {
                    let inner = json!({*name: odd});
                    let document = match *path {
                        "" => inner,
                        "owner_chain" => json!({*path: [inner]}),
                        path => json!({path: inner}),
                    };
                    assert!(fails(&document), "{path} {name}");
                }
            }
        };
        check(CLASSIFICATION, &|it| ClassificationInput::read(it).is_err());
        check(APPROVAL, &|it| ApprovalInput::read(it).is_err());
    }
}
