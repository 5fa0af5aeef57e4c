//! The two CustomResourceDefinitions: what the seed and the reference accept, tightened as spec/rules 1.5 says.

use kanon_events::Class;
use serde_json::{Value, json};

use super::{CLUSTER_RULE, GROUP, RULE, VERSION};
use crate::{
    narrow::{CONTAINER_TYPES, OPERATIONS},
    rule::{Enforcement, ExceptionScope, Mode, OnError, Preexisting, Severity},
};

/// `rateLimit` (spec/rules 8.3): blanks around the parts and any case are allowed.
const RATE_PATTERN: &str = r"^\s*[1-9][0-9]*\s*/\s*([sS]|[sS][eE][cC]([oO][nN][dD][sS]?)?|[mM]|[mM][iI][nN]([uU][tT][eE][sS]?)?|[hH]|[hH][rR]|[hH][oO][uU][rR][sS]?)\s*$";

/// Such as `90s`, `10m`, `1h30m`.
const DURATION_PATTERN: &str = "^([0-9]+(h|m|s|ms))+$";

/// Longest `name` (spec/rules 1.5).
pub(crate) const NAME_LEN_MAX: usize = 253;
/// Longest expression (spec/rules 1.5).
pub(crate) const EXPRESSION_LEN_MAX: usize = 32_768;
/// Most `match.gvk` entries (spec/rules 1.5).
pub(crate) const KINDS_MAX: usize = 64;
/// Most cases in `tests`.
const TESTS_MAX: usize = 64;
/// Most actions (spec/rules 1.5).
pub(crate) const ACTIONS_MAX: usize = 32;

/// PortalClusterRule, PortalRule, the exceptions from them, and the reports of their findings, as manifests.
pub fn crds() -> Vec<Value> {
    let mut crds =
        vec![crd(CLUSTER_RULE, "portalclusterrule", "pcr", "Cluster"), crd(RULE, "portalrule", "pr", "Namespaced")];
    crds.extend(super::exceptions::crds());
    crds.extend(super::reports::crds());
    crds
}

/// A rule's definition.
fn crd(kind: &str, singular: &str, short: &str, scope: &str) -> Value {
    let description = "A rule whose expression is true for objects that violate it.";
    definition([kind, singular, short, scope], description, &columns(), [spec(), status()])
}

/// A definition of this group's, whose objects have `spec` and `status`: its kind, singular, short name and scope.
pub(super) fn definition(
    [kind, singular, short, scope]: [&str; 4],
    description: &str,
    columns: &Value,
    [spec, status]: [Value; 2],
) -> Value {
    let plural = format!("{singular}s");
    json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("{plural}.{GROUP}")},
        "spec": {
            "group": GROUP,
            "scope": scope,
            "names": {
                "kind": kind, "listKind": format!("{kind}List"), "plural": plural, "singular": singular,
                "shortNames": [short], "categories": ["kanon"],
            },
            "versions": [{
                "name": VERSION, "served": true, "storage": true,
                "subresources": {"status": {}},
                "additionalPrinterColumns": columns,
                "schema": {"openAPIV3Schema": {
                    "type": "object",
                    "description": description,
                    "required": ["spec"],
                    "properties": {
                        "apiVersion": {"type": "string"},
                        "kind": {"type": "string"},
                        "metadata": {"type": "object"},
                        "spec": spec,
                        "status": status,
                    },
                }},
            }],
        },
    })
}

/// Printer columns (spec/rules 1.1).
fn columns() -> Value {
    json!([
        {"name": "Enabled", "type": "boolean", "jsonPath": ".spec.enabled"},
        {"name": "Severity", "type": "string", "jsonPath": ".spec.severity"},
        {"name": "Mode", "type": "string", "jsonPath": ".status.activeOn"},
        {"name": "Action", "type": "string", "jsonPath": ".spec.enforcementAction"},
        {"name": "Ready", "type": "string", "jsonPath": ".status.conditions[?(@.type==\"Ready\")].status"},
        {"name": "Violations", "type": "integer", "jsonPath": ".status.violationCount"},
        {"name": "Error", "type": "string", "jsonPath": ".status.parseError", "priority": 1},
        {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
    ])
}

fn spec() -> Value {
    json!({
        "type": "object",
        "required": ["enabled", "match", "name", "rule"],
        "properties": {
            "name": {
                "type": "string", "minLength": 1, "maxLength": NAME_LEN_MAX,
                "description": "Logical identifier; labels metrics, alerts, reports and deny messages.",
            },
            "enabled": {"type": "boolean", "description": "Kill switch: false parks the rule."},
            "severity": {"type": "string", "enum": Severity::WORDS, "description": "How bad a violation is."},
            "mode": modes("Loops that evaluate the rule."),
            "enforcementAction": {
                "type": "string", "enum": Enforcement::WORDS,
                "description": "What admission does about a violation; without it violations are only reported.",
            },
            "match": matcher(),
            "rule": {
                "type": "string", "minLength": 1, "maxLength": EXPRESSION_LEN_MAX,
                "description": "expr-lang expression of boolean type; true means violation.",
            },
            "alert": {"type": "string", "description": "Shorthand for one alertmanager action with this template."},
            "actions": actions(),
            "message": {
                "type": "string", "maxLength": 4096,
                "description": "Text of a finding; {{ expression }} parts are evaluated (Kanon extension).",
            },
            "onError": {
                "type": "string", "enum": OnError::WORDS,
                "description": "What a failed evaluation means in admission; skip by default (Kanon extension).",
            },
            "containerTypes": {
                "type": "array", "x-kubernetes-list-type": "set",
                "items": {"type": "string", "enum": CONTAINER_TYPES},
                "description": "The containers that the rule is asked about; all by default (Kanon extension).",
            },
            "preexisting": {
                "type": "string", "enum": Preexisting::WORDS,
                "description": "What becomes of the update of an object that violated the rule before; enforce by default (Kanon extension).",
            },
            "resolveAfter": {
                "type": "string", "maxLength": 32, "pattern": DURATION_PATTERN,
                "description": "How long an object must be clean before its finding ends, such as 10m; at once by default (Kanon extension).",
            },
            "exceptions": {
                "type": "string", "enum": ExceptionScope::WORDS,
                "description": "Whose exceptions count: those of the cluster, or those of namespaces, too; cluster by default (Kanon extension).",
            },
            "runtime": runtime(),
            "tests": {
                "type": "array", "maxItems": TESTS_MAX,
                "description": "Cases of `kanon policy test`; nothing else looks at them (Kanon extension).",
                "items": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
            },
        },
    })
}

fn modes(description: &str) -> Value {
    json!({
        "type": "array", "x-kubernetes-list-type": "set", "description": description,
        "items": {"type": "string", "enum": Mode::WORDS},
    })
}

pub(super) fn matcher() -> Value {
    let names = |description: &str| json!({"type": "array", "items": {"type": "string"}, "description": description});
    json!({
        "type": "object", "required": ["gvk"], "description": "Which objects the rule is about.",
        "properties": {
            "gvk": {
                "type": "array", "minItems": 1, "maxItems": KINDS_MAX,
                "description": "Kinds, compared exactly; the core group is the empty string, * stands for any (Kanon extension).",
                "items": {
                    "type": "object", "required": ["group", "kind", "version"],
                    "properties": {
                        "group": {"type": "string"}, "version": {"type": "string"}, "kind": {"type": "string"},
                    },
                },
            },
            "namespaces": {
                "type": "object", "description": "Namespaces; exclude wins over include.",
                "properties": {
                    "include": names("Only these namespaces."), "exclude": names("Not these namespaces."),
                },
            },
            "labelSelector": selector("Only objects with such labels (Kanon extension)."),
            "namespaceSelector": selector("Only objects in namespaces with such labels (Kanon extension)."),
            "names": names("Only objects of these names; * and ? stand for text (Kanon extension)."),
            "operations": {
                "type": "array", "x-kubernetes-list-type": "set",
                "items": {"type": "string", "enum": OPERATIONS},
                "description": "Only these operations, in admission (Kanon extension).",
            },
            "subjects": {
                "type": "object", "description": "Who asks, in admission; exclude wins over include (Kanon extension).",
                "properties": {"include": subjects(), "exclude": subjects()},
            },
        },
    })
}

fn selector(description: &str) -> Value {
    let texts = json!({"type": "array", "items": {"type": "string"}});
    json!({
        "type": "object", "description": description,
        "properties": {
            "matchLabels": {"type": "object", "additionalProperties": {"type": "string"}},
            "matchExpressions": {
                "type": "array",
                "items": {
                    "type": "object", "required": ["key", "operator"],
                    "properties": {"key": {"type": "string"}, "operator": {"type": "string"}, "values": texts},
                },
            },
        },
    })
}

fn subjects() -> Value {
    let names = |description: &str| json!({"type": "array", "items": {"type": "string"}, "description": description});
    json!({
        "type": "object",
        "properties": {
            "users": names("User names; * and ? stand for text."), "groups": names("Groups."),
            "serviceAccounts": names("Service accounts as namespace/name."),
        },
    })
}

/// No enumeration of classes: an unknown one is told in `parseError`, as a mistake in the expression is (spec/rules 1.5).
fn runtime() -> Value {
    json!({
        "type": "object", "description": "Which events mode runtime is asked about (Kanon extension).",
        "properties": {
            "events": {
                "type": "array", "x-kubernetes-list-type": "set", "maxItems": 32, "items": {"type": "string"},
                "description": format!("Classes of events, all when empty: {}.", Class::WORDS.join(", ")),
            },
            "includeDenied": {
                "type": "boolean", "description": "Ask about requests that were refused or failed, too.",
            },
        },
    })
}

/// The item keeps unknown fields, so that parameters written beside `type` are not pruned (spec/rules 1.4).
fn actions() -> Value {
    json!({
        "type": "array", "maxItems": ACTIONS_MAX, "description": "Response actions, run in order.",
        "items": {
            "type": "object", "required": ["type"], "x-kubernetes-preserve-unknown-fields": true,
            "properties": {
                "type": {"type": "string", "description": "A registered action type."},
                "on": modes("Loops whose violations run the action; empty means all."),
                "rateLimit": {"type": "string", "pattern": RATE_PATTERN, "description": "Such as 5/min."},
                "params": {
                    "type": "object", "x-kubernetes-preserve-unknown-fields": true,
                    "description": "Parameters; they win over those written beside type.",
                },
            },
        },
    })
}

fn status() -> Value {
    let count = |description: &str| json!({"type": "integer", "format": "int64", "description": description});
    json!({
        "type": "object",
        "properties": {
            "evalCount": count("Evaluations of this generation."),
            "violationCount": count("How many of them were violations."),
            "lastApplied": {
                "type": "string", "format": "date-time", "description": "When the rule index picked up this version.",
            },
            "parseError": {"type": "string", "description": "Why the newest revision is not in force."},
            "activeOn": {
                "type": "array", "items": {"type": "string"}, "description": "Loops the rule is active in.",
            },
            "observedGeneration": count("The generation this status is about."),
            "lastEvalError": {
                "type": "object", "description": "The last failed evaluation of this generation.",
                "properties": {
                    "message": {"type": "string"},
                    "time": {"type": "string", "format": "date-time"},
                    "object": {"type": "string", "description": "Kind, namespace and name of the object."},
                    "count": count("Failed evaluations of this generation."),
                },
            },
            "conditions": conditions(),
        },
    })
}

pub(super) fn conditions() -> Value {
    json!({
        "type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"],
        "items": {
            "type": "object", "required": ["type", "status", "lastTransitionTime", "reason", "message"],
            "properties": {
                "type": {"type": "string"},
                "status": {"type": "string", "enum": ["True", "False", "Unknown"]},
                "observedGeneration": {"type": "integer", "format": "int64"},
                "lastTransitionTime": {"type": "string", "format": "date-time"},
                "reason": {"type": "string"},
                "message": {"type": "string"},
            },
        },
    })
}
