//! The wire form of exceptions from rules: `ClusterRuleException`, which the platform grants, and `RuleException`, which is granted in
//! a namespace, for its objects (docs/decisions/0011). Both have the same `spec` and the same `status`.

use kanon_core::Kind;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    GROUP, MatcherSpec, VERSION,
    crds::{conditions, definition, matcher},
};

/// The cluster-wide kind.
pub const CLUSTER_EXCEPTION: &str = "ClusterRuleException";
/// The namespaced kind.
pub const EXCEPTION: &str = "RuleException";

/// Most entries of a list.
pub(crate) const ENTRIES_MAX: usize = 64;
/// Longest `reason`.
pub(crate) const REASON_LEN_MAX: usize = 1024;

/// ClusterRuleException with its path.
pub fn cluster_exception() -> Kind {
    Kind::cluster(GROUP, VERSION, CLUSTER_EXCEPTION, "clusterruleexceptions")
}

/// RuleException with its path.
pub fn exception() -> Kind {
    Kind::namespaced(GROUP, VERSION, EXCEPTION, "ruleexceptions")
}

/// Whether a kind is one of the two.
pub fn is_exception(kind: &Kind) -> bool {
    kind.gvk.group == GROUP && [CLUSTER_EXCEPTION, EXCEPTION].contains(&kind.gvk.kind.as_str())
}

/// `spec` of an exception.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct ExceptionSpec {
    /// Names of rules, with `*` and `?`; `KIND/NAME` means rules of one kind.
    pub rules: Vec<String>,
    /// Which objects and requests; everything that the rules are about where it says nothing.
    #[serde(rename = "match")]
    pub matcher: MatcherSpec,
    /// Names of containers, with `*` and `?`.
    pub containers: Vec<String>,
    /// Their images as written, with `*` and `?`.
    pub images: Vec<String>,
    /// Why it is granted.
    pub reason: String,
    /// Who answers for it.
    pub owner: String,
    /// When it ends, RFC 3339; never where it says nothing.
    pub expires: String,
}

/// The two definitions.
pub(super) fn crds() -> Vec<Value> {
    let columns = json!([
        {"name": "Rules", "type": "string", "jsonPath": ".spec.rules"},
        {"name": "Owner", "type": "string", "jsonPath": ".spec.owner"},
        {"name": "Expires", "type": "string", "jsonPath": ".spec.expires"},
        {"name": "Valid", "type": "string", "jsonPath": ".status.conditions[?(@.type==\"Valid\")].status"},
        {"name": "Expired", "type": "string", "jsonPath": ".status.conditions[?(@.type==\"Expired\")].status"},
        {"name": "Matched", "type": "integer", "jsonPath": ".status.matched"},
        {"name": "Reason", "type": "string", "jsonPath": ".spec.reason", "priority": 1},
        {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
    ]);
    let names = [
        [CLUSTER_EXCEPTION, "clusterruleexception", "crex", "Cluster"],
        [EXCEPTION, "ruleexception", "rex", "Namespaced"],
    ];
    let description = "Violations of rules that are let be, and why.";
    names.into_iter().map(|it| definition(it, description, &columns, [spec(), status()])).collect()
}

fn spec() -> Value {
    let names = |description: &str| {
        json!({"type": "array", "maxItems": ENTRIES_MAX, "items": {"type": "string", "minLength": 1, "maxLength": 512},
            "description": description})
    };
    let mut rules = names("Names of rules; * and ? stand for text, KIND/NAME means rules of one kind.");
    rules["minItems"] = json!(1);
    let mut matcher = matcher();
    matcher["description"] = json!("Which objects and requests; all that the rules are about where it says nothing.");
    if let Some(matcher) = matcher.as_object_mut() {
        matcher.remove("required");
    }
    matcher["properties"]["gvk"]["minItems"] = json!(0);
    json!({
        "type": "object",
        "required": ["reason", "rules"],
        "properties": {
            "rules": rules,
            "match": matcher,
            "containers": names("Only these containers, of rules that are asked about containers; * and ? stand for text."),
            "images": names("Only containers with these images, as written; * and ? stand for text."),
            "reason": {
                "type": "string", "minLength": 1, "maxLength": REASON_LEN_MAX,
                "description": "Why it is granted; shown wherever a violation is skipped because of it.",
            },
            "owner": {"type": "string", "maxLength": 253, "description": "Who answers for it."},
            "expires": {
                "type": "string", "format": "date-time",
                "description": "When it ends, such as 2027-01-31T00:00:00Z; never without it.",
            },
        },
    })
}

fn status() -> Value {
    json!({
        "type": "object",
        "properties": {
            "observedGeneration": {"type": "integer", "format": "int64", "description": "The generation this status is about."},
            "matched": {"type": "integer", "format": "int64", "description": "Violations of stored objects that it covers now."},
            "rules": {"type": "array", "items": {"type": "string"}, "description": "Rules that it may cover."},
            "conditions": conditions(),
        },
    })
}
