//! Which webhooks a request has to pass: rules, selectors, conditions.
//!
//! `matchPolicy: Equivalent`: a rule that does not name the request's resource may name another one under which the same stored
//! objects are served (another version; `events` of the other group). The webhook then gets the objects in that form, and the
//! request's own in `requestKind` and `requestResource`.

use std::sync::Arc;

use kanon_core::{Object, Operation};
use serde_json::Value;

use super::{
    Attributes, Hook, OnFailure, Surroundings,
    condition::{Facts, Verdict, judge},
    review,
};
use crate::{
    resource::Resource,
    selector::LabelSelector,
    status::{ApiError, Result},
};

/// Kinds that no webhook sees: they could lock out those who would repair them.
const EXEMPT: [&str; 4] = [
    "mutatingwebhookconfigurations",
    "validatingwebhookconfigurations",
    "validatingadmissionpolicies",
    "validatingadmissionpolicybindings",
];
const GROUP: &str = "admissionregistration.k8s.io";

/// A selector, or why it cannot be read.
pub(super) type Selector = std::result::Result<LabelSelector, String>;

pub(super) fn selector(value: &Value) -> Selector {
    LabelSelector::from_value(value)
}

/// What a webhook is for.
#[derive(Clone, Debug, Default)]
pub(super) struct Rule {
    operations: Vec<String>,
    groups: Vec<String>,
    versions: Vec<String>,
    /// Resource and subresource of each.
    resources: Vec<(String, String)>,
    scope: String,
}

/// The objects of a request, in its own version.
#[derive(Clone, Copy, Debug)]
pub(super) struct Objects<'a> {
    pub(super) object: Option<&'a Value>,
    pub(super) old_object: Option<&'a Value>,
}

/// How a webhook sees a request: under which resource.
#[derive(Clone, Debug)]
pub(super) struct View {
    /// None when it is the request's own.
    pub(super) other: Option<Arc<Resource>>,
}

impl Rule {
    pub(super) fn from_value(value: &Value) -> Rule {
        let list = |name: &str| -> Vec<String> {
            value[name].as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
        };
        let split = |it: String| match it.split_once('/') {
            Some((resource, sub)) => (resource.to_owned(), sub.to_owned()),
            None => (it, String::new()),
        };
        Rule {
            operations: list("operations"),
            groups: list("apiGroups"),
            versions: list("apiVersions"),
            resources: list("resources").into_iter().map(split).collect(),
            scope: value["scope"].as_str().unwrap_or("*").to_owned(),
        }
    }

    fn matches(&self, attributes: &Attributes<'_>, resource: &Resource) -> bool {
        let has = |list: &[String], word: &str| list.iter().any(|it| it == "*" || it == word);
        let sub = attributes.address.subresource.as_str();
        self.is_in_scope(attributes)
            && has(&self.operations, attributes.operation.as_str())
            && has(&self.groups, &resource.gvk.group)
            && has(&self.versions, &resource.gvk.version)
            && self.resources.iter().any(|(plural, wanted)| {
                (plural == "*" || *plural == resource.plural) && (wanted == "*" || wanted == sub)
            })
    }

    fn is_in_scope(&self, attributes: &Attributes<'_>) -> bool {
        let is_namespaced = attributes.resource.is_namespaced();
        match self.scope.as_str() {
            "Namespaced" => is_namespaced,
            "Cluster" => !is_namespaced,
            _ => true,
        }
    }
}

/// Whether no webhook sees requests for this.
pub(super) fn is_exempt(resource: &Resource) -> bool {
    resource.gvk.group == GROUP && EXEMPT.contains(&resource.plural.as_str())
}

/// How `hook` sees the request, or `None` when it does not.
///
/// # Errors
/// 403 for conditions that cannot be evaluated while the webhook must not be passed over; 500 for a selector that cannot be read.
pub(super) fn view(
    hook: &Hook,
    attributes: &Attributes<'_>,
    around: &Surroundings<'_>,
    objects: Objects<'_>,
) -> Result<Option<View>> {
    let Some(view) = by_rules(hook, attributes, around) else { return Ok(None) };
    if !in_namespaces(hook, attributes, around, objects)? || !among_objects(hook, objects)? {
        return Ok(None);
    }
    if hook.conditions.is_empty() {
        return Ok(Some(view));
    }
    match judge(&hook.conditions, &facts(attributes, around, &view, objects)) {
        Verdict::Holds => Ok(Some(view)),
        Verdict::Error(problem) if hook.on_failure == OnFailure::Fail => {
            let (what, name) = (attributes.resource.group_resource(), review::name(attributes, objects.object));
            Err(ApiError::forbidden(&what, name, &problem))
        }
        Verdict::Not | Verdict::Error(_) => Ok(None),
    }
}

fn by_rules(hook: &Hook, attributes: &Attributes<'_>, around: &Surroundings<'_>) -> Option<View> {
    let matches = |resource: &Resource| hook.rules.iter().any(|it| it.matches(attributes, resource));
    if matches(attributes.resource) {
        return Some(View { other: None });
    }
    if hook.is_exact {
        return None;
    }
    let own = attributes.resource;
    let equivalent = |it: &&Arc<Resource>| it.prefix == own.prefix && it.gvk != own.gvk;
    let mut others = around.registry.resources().filter(equivalent);
    let other = others.find(|it| matches(it))?;
    // Where a webhook converts, this one is asked about the object as the request has it: it is asked in any case.
    let converts = own.custom().is_some_and(|it| it.converter.is_some());
    Some(View { other: (!converts).then(|| Arc::clone(other)) })
}

fn unreadable(hook: &Hook, problem: &str) -> ApiError {
    ApiError::webhook_failed(&hook.name, problem)
}

/// `namespaceSelector`: the labels of the request's namespace, or of the namespace that the request is about. Cluster-wide objects
/// are in no namespace, so the selector does not exclude them.
fn in_namespaces(
    hook: &Hook,
    attributes: &Attributes<'_>,
    around: &Surroundings<'_>,
    objects: Objects<'_>,
) -> Result<bool> {
    let selector = hook.namespaces.as_ref().map_err(|problem| unreadable(hook, problem))?;
    if selector.is_empty() {
        return Ok(true);
    }
    if attributes.resource.is_core("Namespace") {
        let written = attributes.address.subresource.is_empty()
            && matches!(attributes.operation, Operation::Create | Operation::Update);
        let own = if written { objects.object } else { objects.old_object.or(objects.object) };
        return Ok(selector.matches_value(own.map_or(&Value::Null, |it| &it["metadata"]["labels"])));
    }
    if !attributes.resource.is_namespaced() {
        return Ok(true);
    }
    Ok(selector.matches_labels(around.namespace.and_then(|it| it.at(&["metadata", "labels"]))))
}

/// `objectSelector`: the new object or the old one.
fn among_objects(hook: &Hook, objects: Objects<'_>) -> Result<bool> {
    let selector = hook.objects.as_ref().map_err(|problem| unreadable(hook, problem))?;
    let matches = |it: Option<&Value>| it.is_some_and(|it| selector.matches_value(&it["metadata"]["labels"]));
    Ok(selector.is_empty() || matches(objects.object) || matches(objects.old_object))
}

fn facts<'a>(
    attributes: &'a Attributes<'a>,
    around: &Surroundings<'a>,
    view: &View,
    objects: Objects<'a>,
) -> Facts<'a> {
    let shown = |it: Option<&Value>| match it {
        None => Object::null(),
        Some(value) => Object::from_value(&review::shown(attributes, view, value)),
    };
    Facts {
        object: shown(objects.object),
        old_object: shown(objects.old_object),
        request: Object::from_value(&review::request_facts(attributes, view, objects)),
        attributes,
        name: review::name(attributes, objects.object),
        rules: around.rules,
    }
}
