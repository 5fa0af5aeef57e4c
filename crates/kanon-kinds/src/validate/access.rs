//! Roles, bindings and access reviews.

use super::{
    field::{Errors, Field},
    selector,
};
use crate::names::NameRule;

/// Group of roles, users and groups.
const RBAC: &str = "rbac.authorization.k8s.io";

pub(super) fn cluster_role(root: &Field<'_>, errors: &mut Errors) {
    rules(&root.get("rules"), false, errors);
    let aggregation = root.get("aggregationRule");
    if aggregation.is_absent() {
        return;
    }
    let selectors = aggregation.get("clusterRoleSelectors");
    selectors.present(errors, "at least one clusterRoleSelector required if aggregationRule is non-nil");
    selectors.each(|it| selector::validate(it, errors));
}

pub(super) fn rules(rules: &Field<'_>, namespaced: bool, errors: &mut Errors) {
    rules.each(|rule| {
        rule.get("verbs").present(errors, "verbs must contain at least one value");
        let urls = rule.get("nonResourceURLs");
        let resources = rule.get("resources");
        if !urls.is_empty() {
            if namespaced {
                urls.invalid(errors, "namespaced rules cannot apply to non-resource URLs");
            }
            if !rule.get("apiGroups").is_empty() || !resources.is_empty() || !rule.get("resourceNames").is_empty() {
                urls.invalid(errors, "rules cannot apply to both regular resources and non-resource URLs");
            }
            return;
        }
        rule.get("apiGroups").present(errors, "resource rules must supply at least one api group");
        resources.present(errors, "resource rules must supply at least one resource");
    });
}

pub(super) fn binding(root: &Field<'_>, kinds: &[&str], errors: &mut Errors) {
    let role = root.get("roleRef");
    role.get("apiGroup").one_of(errors, &[RBAC]);
    role.get("kind").one_of(errors, kinds);
    name(&role.get("name"), errors);
    root.get("subjects").each(|it| subject(it, errors));
}

fn name(name: &Field<'_>, errors: &mut Errors) {
    if name.present(errors, "") {
        name.problems(errors, NameRule::Segment.problems(name.text(), false));
    }
}

fn subject(subject: &Field<'_>, errors: &mut Errors) {
    let name = subject.get("name");
    let group = subject.get("apiGroup");
    name.present(errors, "");
    match subject.get("kind").text() {
        "ServiceAccount" => {
            if !name.is_empty() {
                name.problems(errors, NameRule::Subdomain.problems(name.text(), false));
            }
            if !group.is_empty() {
                group.one_of(errors, &[""]);
            }
            subject.get("namespace").present(errors, "");
        }
        "User" | "Group" => group.one_of(errors, &[RBAC]),
        _ => subject.get("kind").one_of(errors, &["ServiceAccount", "User", "Group"]),
    }
}

/// What an access review asks must be one thing, and about somebody.
pub(super) fn review(kind: &str, root: &Field<'_>, errors: &mut Errors) {
    let spec = root.get("spec");
    if kind == "SelfSubjectRulesReview" {
        return;
    }
    let (resource, path) = (spec.get("resourceAttributes"), spec.get("nonResourceAttributes"));
    if !resource.is_absent() && !path.is_absent() {
        path.invalid(errors, "cannot be specified in combination with resourceAttributes");
    }
    if resource.is_absent() && path.is_absent() {
        resource.invalid_value(
            errors,
            serde_json::Value::Null,
            "exactly one of nonResourceAttributes or resourceAttributes must be specified",
        );
    }
    if kind != "SelfSubjectAccessReview" && spec.get("user").is_empty() && spec.get("groups").is_empty() {
        spec.get("user").invalid_value(errors, "", "at least one of user or group must be specified");
    }
}
