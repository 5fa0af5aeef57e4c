//! Reviews: questions posted as objects (spec/kubernetes-api.md 4.12). They are answered and not stored: 201, with a status.

use std::collections::BTreeMap;

use kanon_core::UserInfo;
use serde_json::{Value, json};

use crate::{
    meta,
    rbac::{Attributes, PolicyRule, ResourceAttributes, Rules},
    resource::Resource,
    shape,
    status::{ApiError, Result},
};

/// Who knows the answers.
pub struct Knowledge<'a> {
    /// What is granted.
    pub rules: &'a Rules,
    /// The user of a bearer token with the audiences asked for (none: the server's own); for TokenReview.
    pub authenticate: &'a dyn Fn(&str, &[String]) -> Option<Token>,
}

/// What is known of a valid token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// Whose it is.
    pub user: UserInfo,
    /// Those of the audiences asked for that it is meant for.
    pub audiences: Vec<String>,
}

/// Whether a resource's objects are questions that [`answer`] answers.
pub fn is_review(resource: &Resource) -> bool {
    matches!(resource.gvk.group.as_str(), "authorization.k8s.io" | "authentication.k8s.io")
        && resource.gvk.kind.ends_with("Review")
        && resource.builtin_kind().is_some()
}

/// Answers a review: the body, with its status. `body` has been decoded, pruned and defaulted; `namespace` is the request's, for
/// LocalSubjectAccessReview. Ask for the permission to create it first.
///
/// # Errors
/// 422 for a question that is none; 400 for a namespace that is not the request's; 405 for kinds that are no reviews.
pub fn answer(
    resource: &Resource,
    mut body: Value,
    user: &UserInfo,
    namespace: &str,
    known: &Knowledge<'_>,
) -> Result<Value> {
    let (causes, _) = shape::validate(resource, &body, None);
    if !causes.is_empty() {
        return Err(ApiError::invalid(&resource.gvk, meta::text(&body, "name"), causes));
    }
    let spec = &body["spec"];
    let status = match resource.gvk.kind.as_str() {
        "SubjectAccessReview" => access(known.rules, &subject(spec), spec),
        "LocalSubjectAccessReview" => {
            check_local(spec, namespace)?;
            access(known.rules, &subject(spec), spec)
        }
        "SelfSubjectAccessReview" => access(known.rules, user, spec),
        "SelfSubjectRulesReview" => rules(known.rules, user, text(spec, "namespace"))?,
        "SelfSubjectReview" => json!({"userInfo": user}),
        "TokenReview" => token(known, spec)?,
        _ => return Err(ApiError::method_not_allowed()),
    };
    body["status"] = status;
    Ok(body)
}

fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value[name].as_str().unwrap_or_default()
}

fn texts(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

/// The user that a review asks about.
fn subject(spec: &Value) -> UserInfo {
    let extra = spec["extra"].as_object().into_iter().flatten();
    let extra: BTreeMap<String, Vec<String>> = extra.map(|(key, values)| (key.clone(), texts(values))).collect();
    UserInfo {
        username: text(spec, "user").to_owned(),
        uid: text(spec, "uid").to_owned(),
        groups: texts(&spec["groups"]),
        extra,
    }
}

fn check_local(spec: &Value, namespace: &str) -> Result<()> {
    if text(&spec["resourceAttributes"], "namespace") == namespace {
        return Ok(());
    }
    Err(ApiError::bad_request(format!("spec.resourceAttributes.namespace must match namespace: {namespace}")))
}

fn access(rules: &Rules, user: &UserInfo, spec: &Value) -> Value {
    let decision = rules.authorize(user, &attributes(spec));
    let mut status = json!({"allowed": decision.allowed});
    if !decision.reason.is_empty() {
        status["reason"] = decision.reason.into();
    }
    status
}

fn attributes(spec: &Value) -> Attributes {
    let resource = &spec["resourceAttributes"];
    if !resource.is_object() {
        let path = &spec["nonResourceAttributes"];
        return Attributes::Path { verb: text(path, "verb").to_owned(), path: text(path, "path").to_owned() };
    }
    let member = |name: &str| text(resource, name).to_owned();
    Attributes::Resource(ResourceAttributes {
        verb: member("verb"),
        namespace: member("namespace"),
        group: member("group"),
        version: member("version"),
        resource: member("resource"),
        subresource: member("subresource"),
        name: member("name"),
    })
}

fn rules(rules: &Rules, user: &UserInfo, namespace: &str) -> Result<Value> {
    if namespace.is_empty() {
        return Err(ApiError::bad_request("no namespace on request"));
    }
    let held = rules.of_user(user, namespace);
    let resources = held.iter().filter(|it| !it.resources.is_empty()).map(|it| it.resource_rule());
    let paths = held.iter().filter(|it| !it.paths.is_empty()).map(|it| it.path_rule());
    let (mut resources, paths): (Vec<Value>, Vec<Value>) = (resources.collect(), paths.collect());
    // Masters hold everything without a binding; normally they have one too.
    if user.groups.iter().any(|it| it == crate::rbac::MASTERS) && resources.is_empty() {
        let all = || vec!["*".to_owned()];
        let rule = PolicyRule { verbs: all(), api_groups: all(), resources: all(), ..PolicyRule::default() };
        resources.push(rule.resource_rule());
    }
    Ok(json!({"resourceRules": resources, "nonResourceRules": paths, "incomplete": false}))
}

fn token(known: &Knowledge<'_>, spec: &Value) -> Result<Value> {
    let given = text(spec, "token");
    if given.is_empty() {
        return Err(ApiError::bad_request("token is required for TokenReview in authentication"));
    }
    Ok(match (known.authenticate)(given, &texts(&spec["audiences"])) {
        Some(Token { user, audiences }) => {
            let mut status = json!({"authenticated": true, "user": user});
            if !audiences.is_empty() {
                status["audiences"] = json!(audiences);
            }
            status
        }
        None => json!({"user": {}, "error": "invalid bearer token"}),
    })
}

#[cfg(test)]
mod tests {
    use kanon_core::GroupVersionKind;

    use super::*;

    fn check(kind: &str, spec: Value, want: Result<Value, (u16, &str)>) {
        let group = if ["TokenReview", "SelfSubjectReview"].contains(&kind) {
            "authentication.k8s.io"
        } else {
            "authorization.k8s.io"
        };
        let gvk = GroupVersionKind::new(group, "v1", kind);
        let resource = Resource::builtin(kanon_kinds::by_kind(&gvk).expect("built in"));
        assert!(is_review(&resource));
        let rule = json!({"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]});
        let paths = json!({"nonResourceURLs": ["/metrics"], "verbs": ["get"]});
        let rules = Rules::compile(
            &[],
            &[json!({"metadata": {"name": "view"}, "rules": [rule, paths]})],
            &[],
            &[json!({"metadata": {"name": "al"}, "roleRef": {"kind": "ClusterRole", "name": "view"},
                "subjects": [{"kind": "User", "name": "alice"}]})],
        );
        let alice = UserInfo { username: "alice".to_owned(), groups: vec!["dev".to_owned()], ..UserInfo::default() };
        let known = Knowledge {
            rules: &rules,
            authenticate: &|token, audiences| {
                (token == "good").then(|| Token { user: alice.clone(), audiences: audiences.to_vec() })
            },
        };
        let body = json!({"apiVersion": gvk.api_version(), "kind": kind, "metadata": {}, "spec": spec});
        let got = answer(&resource, body.clone(), &alice, "shop", &known);
        match (got, want) {
            (Ok(got), Ok(status)) => {
                assert_eq!(got["status"], status, "{kind} {spec}");
                assert_eq!(got["spec"], spec);
            }
            (Err(error), Err((code, text))) => {
                assert_eq!(error.code, code, "{kind} {spec}");
                assert!(error.message.contains(text), "{error}");
            }
            (got, want) => panic!("{kind} {spec}: {got:?}, not {want:?}"),
        }
    }

    #[test]
    fn reviews_are_answered() {
        let pods = |verb: &str, namespace: &str| json!({"verb": verb, "resource": "pods", "namespace": namespace});
        let reason = r#"RBAC: allowed by ClusterRoleBinding "al" of ClusterRole "view" to User "alice""#;
        let yes = || Ok(json!({"allowed": true, "reason": reason}));
        let no = || Ok(json!({"allowed": false}));
        let about = |user: &str, attributes: Value| json!({"user": user, "resourceAttributes": attributes});
        check("SubjectAccessReview", about("alice", pods("get", "")), yes());
        check("SubjectAccessReview", about("bob", pods("get", "")), no());
        check(
            "SubjectAccessReview",
            json!({"groups": ["system:masters"], "resourceAttributes": pods("get", "")}),
            Ok(json!({"allowed": true})),
        );
        check(
            "SubjectAccessReview",
            json!({"user": "alice", "nonResourceAttributes": {"verb": "get", "path": "/metrics"}}),
            yes(),
        );
        check("SubjectAccessReview", json!({"user": "alice"}), Err((422, "exactly one of")));
        check("SelfSubjectAccessReview", json!({"resourceAttributes": pods("get", "x")}), yes());
        check("SelfSubjectAccessReview", json!({"resourceAttributes": pods("list", "x")}), no());
        check("LocalSubjectAccessReview", about("alice", pods("get", "shop")), yes());
        check(
            "LocalSubjectAccessReview",
            about("alice", pods("get", "other")),
            Err((400, "must match namespace: shop")),
        );
        let held = json!({"resourceRules": [{"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]}],
            "nonResourceRules": [{"verbs": ["get"], "nonResourceURLs": ["/metrics"]}], "incomplete": false});
        check("SelfSubjectRulesReview", json!({"namespace": "shop"}), Ok(held));
        check("SelfSubjectRulesReview", json!({}), Err((400, "no namespace on request")));
        let alice = json!({"username": "alice", "groups": ["dev"]});
        check("SelfSubjectReview", Value::Null, Ok(json!({"userInfo": alice})));
        check("TokenReview", json!({"token": "good"}), Ok(json!({"authenticated": true, "user": alice})));
        check(
            "TokenReview",
            json!({"token": "good", "audiences": ["a"]}),
            Ok(json!({"authenticated": true, "user": alice, "audiences": ["a"]})),
        );
        check("TokenReview", json!({"token": "bad"}), Ok(json!({"user": {}, "error": "invalid bearer token"})));
        check("TokenReview", json!({}), Err((400, "token is required")));
    }
}
