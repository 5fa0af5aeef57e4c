//! Webhook configurations.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{
    field::{Errors, Field},
    selector,
};
use crate::names::{label_1035_problems, qualified_name_problems, subdomain_problems};

/// Versions of the review that this server can send.
const REVIEWS: [&str; 2] = ["v1", "v1beta1"];

/// Most conditions of a webhook.
const CONDITIONS_MAX: usize = 64;

pub(super) fn webhooks(webhooks: &Field<'_>, errors: &mut Errors) {
    let mut names = BTreeSet::new();
    webhooks.each(|webhook| {
        let name = webhook.get("name");
        if !name.is_empty() && !names.insert(name.text().to_owned()) {
            name.duplicate(errors);
        }
        one(webhook, errors);
    });
}

fn one(webhook: &Field<'_>, errors: &mut Errors) {
    let name = webhook.get("name");
    if name.present(errors, "") {
        name.problems(errors, subdomain_problems(name.text()));
        if name.text().split('.').count() < 3 {
            name.invalid(errors, "should be a domain with at least three segments separated by dots");
        }
    }
    webhook.get("rules").each(|it| rule(it, errors));
    let effects = webhook.get("sideEffects");
    if effects.present(errors, "must specify one of None, NoneOnDryRun") {
        effects.one_of(errors, &["None", "NoneOnDryRun"]);
    }
    if webhook.get("timeoutSeconds").int().is_some_and(|it| !(1..=30).contains(&it)) {
        webhook.get("timeoutSeconds").invalid(errors, "the timeout value must be between 1 and 30 seconds");
    }
    for member in ["namespaceSelector", "objectSelector"] {
        selector::validate(&webhook.get(member), errors);
    }
    versions(&webhook.get("admissionReviewVersions"), errors);
    client(&webhook.get("clientConfig"), errors);
    conditions(&webhook.get("matchConditions"), errors);
}

fn rule(rule: &Field<'_>, errors: &mut Errors) {
    for member in ["operations", "apiGroups", "apiVersions", "resources"] {
        let list = rule.get(member);
        list.present(errors, "");
        let star = |it: &Value| it == "*";
        let all = list.value().as_array().map(Vec::as_slice).unwrap_or_default();
        if member != "resources" && all.len() > 1 && all.iter().any(star) {
            let what = if member == "operations" {
                "operations"
            } else if member == "apiGroups" {
                "API groups"
            } else {
                "API versions"
            };
            list.invalid(errors, format!("if '*' is present, must not specify other {what}"));
        }
        if member == "apiVersions" {
            list.each(|it| {
                it.present(errors, "");
            });
        }
    }
    resources(&rule.get("resources"), errors);
}

/// Wildcards leave nothing to say beside them: `*/*` of all, `*` of resources, `a/*` and `*/b` of their subresources.
fn resources(list: &Field<'_>, errors: &mut Errors) {
    let (mut of_resource, mut of_sub) = (BTreeSet::new(), BTreeSet::new());
    let all: Vec<&str> = list.value().as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    list.each(|it| {
        let Some((resource, sub)) = it.text().split_once('/') else {
            it.present(errors, "");
            return;
        };
        if of_resource.contains(resource) {
            it.invalid(errors, format!("if '{resource}/*' is present, must not specify {}", it.text()));
        }
        if of_sub.contains(sub) {
            it.invalid(errors, format!("if '*/{sub}' is present, must not specify {}", it.text()));
        }
        if sub == "*" {
            of_resource.insert(resource.to_owned());
        }
        if resource == "*" {
            of_sub.insert(sub.to_owned());
        }
    });
    if all.len() > 1 && all.contains(&"*/*") {
        list.invalid(errors, "if '*/*' is present, must not specify other resources");
    }
    if all.contains(&"*") && all.iter().any(|it| *it != "*" && !it.is_empty() && !it.contains('/')) {
        list.invalid(errors, "if '*' is present, must not specify other resources without subresources");
    }
}

fn versions(versions: &Field<'_>, errors: &mut Errors) {
    if !versions.present(errors, "must specify one of v1, v1beta1") {
        return;
    }
    let mut seen = BTreeSet::new();
    let mut known = false;
    versions.each(|it| {
        if !seen.insert(it.text().to_owned()) {
            it.invalid(errors, "duplicate version");
        }
        for problem in label_1035_problems(it.text()) {
            it.invalid(errors, problem);
        }
        known |= REVIEWS.contains(&it.text());
    });
    if !known {
        versions.invalid(errors, "must include at least one of v1, v1beta1");
    }
}

fn client(config: &Field<'_>, errors: &mut Errors) {
    let (url, service) = (config.get("url"), config.get("service"));
    match (url.is_absent(), service.is_absent()) {
        (false, true) => web_address(&url, errors),
        (true, false) => {
            service.get("name").present(errors, "service name is required");
            service.get("namespace").present(errors, "service namespace is required");
            let port = service.get("port");
            if port.int().is_some_and(|it| !(1..=65_535).contains(&it)) {
                port.invalid(errors, "port is not valid: must be between 1 and 65535, inclusive");
            }
            service_path(&service.get("path"), errors);
        }
        _ => config.required(errors, "exactly one of url or service is required"),
    }
}

fn web_address(url: &Field<'_>, errors: &mut Errors) {
    const FORM: &str = "; desired format: https://host[/path]";
    let (scheme, rest) = url.text().split_once("://").unwrap_or(("", url.text()));
    if scheme != "https" {
        url.invalid_value(errors, scheme, format!("'https' is the only allowed URL scheme{FORM}"));
    }
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if host.is_empty() {
        url.invalid_value(errors, "", format!("host must be specified{FORM}"));
    }
    if let Some((user, _)) = host.split_once('@') {
        url.invalid_value(errors, user, "user information is not permitted in the URL");
    }
    for (mark, what) in [('#', "fragments"), ('?', "query parameters")] {
        if let Some((_, part)) = rest.split_once(mark) {
            url.invalid_value(errors, part, format!("{what} are not permitted in the URL"));
        }
    }
}

fn service_path(path: &Field<'_>, errors: &mut Errors) {
    if path.is_absent() || path.text() == "/" {
        return;
    }
    if !path.text().starts_with('/') {
        path.invalid(errors, "must start with a '/'");
        return;
    }
    for (index, step) in path.text().trim_start_matches('/').trim_end_matches('/').split('/').enumerate() {
        if step.is_empty() {
            path.invalid(errors, format!("segment[{index}] may not be empty"));
            return;
        }
        for problem in subdomain_problems(step) {
            path.invalid(errors, format!("segment[{index}]: {problem}"));
        }
    }
}

fn conditions(conditions: &Field<'_>, errors: &mut Errors) {
    if conditions.len() > CONDITIONS_MAX {
        conditions.too_many(errors, CONDITIONS_MAX);
    }
    let mut names = BTreeSet::new();
    conditions.each(|it| {
        let name = it.get("name");
        it.get("expression").present(errors, "");
        if !name.present(errors, "") {
            return;
        }
        name.problems(errors, qualified_name_problems(name.text()));
        if !names.insert(name.text().to_owned()) {
            name.duplicate(errors);
        }
    });
}
