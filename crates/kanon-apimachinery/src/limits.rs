//! Limit ranges: what they fill in for containers that say nothing, and what they refuse (upstream: the admission plugin
//! `LimitRanger`). Filled in before mutating webhooks, and again after they changed something; judged before validating ones.
//!
//! Looks at new pods and at claims. Amounts are `amounts`'s; that limit ranges themselves are sound is `kanon_kinds`'s to say.

use std::sync::Arc;

use kanon_core::{Node, Object, Operation};
use kanon_kinds::BuiltinKind;
use kanon_lang::kubernetes::Quantity;
use kanon_store::{Entry, ListOptions, Memory};
use serde_json::{Map, Value, json};

use crate::{
    amounts::{self, Amounts, list, of_container, of_pod, text},
    meta,
    status::{ApiError, Result},
    write::{Context, Part, Prepared},
};

/// Where limit ranges are stored.
const PREFIX: &str = "core/limitranges/";
/// Where a pod tells what was filled in.
const ANNOTATION: &str = "kubernetes.io/limit-ranger";

/// The limit ranges that a write is under, of one moment. Most are under none.
#[derive(Clone, Debug, Default)]
pub struct LimitRanges {
    ranges: Vec<Arc<Entry>>,
    /// The kind whose defaults follow from what is filled in.
    kind: Option<&'static BuiltinKind>,
}

/// Whether limit ranges say anything about a prepared write. A pod's containers do not change, and what goes is not judged any
/// more.
pub fn concern(ctx: &Context<'_>, prepared: &Prepared) -> bool {
    let is_new = prepared.operation == Operation::Create;
    let is_bounded = (is_new && ctx.resource.is_core("Pod")) || ctx.resource.is_core("PersistentVolumeClaim");
    let goes = || prepared.old.as_ref().is_some_and(|it| meta::is_deleting(&it.value));
    is_bounded && prepared.part == Part::Object && !goes()
}

impl LimitRanges {
    /// Those that a write is under that they [`concern()`].
    pub fn of(memory: &Memory, ctx: &Context<'_>) -> LimitRanges {
        // Most clusters have none at all, which is told at once.
        if memory.count(PREFIX) == 0 {
            return LimitRanges::default();
        }
        let prefix = [PREFIX, ctx.address.object_namespace(), "/"].concat();
        // The current state is never compacted away.
        let page = memory.list(&prefix, ListOptions::default());
        let kind = ctx.resource.builtin_kind().filter(|_| ctx.resource.is_core("Pod"));
        LimitRanges { ranges: page.map(|it| it.entries).unwrap_or_default(), kind }
    }

    /// Gives a pod's containers the requests and limits that they lack, and notes that. `changed`: whether webhooks changed the
    /// object, which may have brought containers without their defaults.
    pub fn fill(&self, object: &mut Value, changed: bool) {
        let Some(kind) = self.kind.filter(|_| !self.ranges.is_empty()) else { return };
        if changed {
            kanon_kinds::default(kind, object);
        }
        for range in &self.ranges {
            fill(object, &range.object);
        }
    }

    /// Refuses what is out of a limit range.
    ///
    /// # Errors
    /// 403, for the first range that it is out of, with all that this range says.
    pub fn check(&self, ctx: &Context<'_>, object: &Value) -> Result<()> {
        if self.ranges.is_empty() {
            return Ok(());
        }
        let read = Object::from_value(object);
        for range in &self.ranges {
            let mut problems: Vec<String> = Vec::new();
            for item in items(&range.object) {
                let found = match item.get("type").and_then(Node::as_plain_str) {
                    Some("PersistentVolumeClaim") if self.kind.is_none() => claim(item, read.root()),
                    Some("Container") if self.kind.is_some() => containers(item, read.root()),
                    Some("Pod") if self.kind.is_some() => pod(item, read.root()),
                    _ => Vec::new(),
                };
                problems.extend(found);
            }
            let mut told: Vec<String> = Vec::new();
            for problem in problems {
                if !told.contains(&problem) {
                    told.push(problem);
                }
            }
            let why = match told.as_slice() {
                [] => continue,
                [one] => one.clone(),
                more => format!("[{}]", more.join(", ")),
            };
            return Err(ApiError::forbidden(&ctx.resource.group_resource(), meta::text(object, "name"), &why));
        }
        Ok(())
    }
}

fn items(range: &Object) -> impl Iterator<Item = Node<'_>> {
    range.at(&["spec", "limits"]).into_iter().flat_map(Node::elements)
}

/// Fills in what one range says.
fn fill(pod: &mut Value, range: &Object) {
    let mut defaults = [("limits", Map::new()), ("requests", Map::new())];
    for item in items(range).filter(|it| it.get("type").and_then(Node::as_plain_str) == Some("Container")) {
        for ((_, known), member) in defaults.iter_mut().zip(["default", "defaultRequest"]) {
            if let Some(Value::Object(amounts)) = item.get(member).map(Node::to_value) {
                known.extend(amounts);
            }
        }
    }
    let mut notes = Vec::new();
    for (member, what) in [("containers", "container"), ("initContainers", "init container")] {
        let containers = pod.get_mut("spec").and_then(|it| it.get_mut(member)).and_then(Value::as_array_mut);
        for container in containers.into_iter().flatten() {
            let [limits, requests] = defaults.each_ref().map(|(list, known)| match known.is_empty() {
                true => Vec::new(),
                false => add(container, list, known),
            });
            let name = container["name"].as_str().unwrap_or_default();
            for (given, list) in [(requests, "request"), (limits, "limit")] {
                if !given.is_empty() {
                    notes.push(format!("{} {list} for {what} {name}", given.join(", ")));
                }
            }
        }
    }
    if !notes.is_empty() {
        let annotations = meta::meta_mut(pod).entry("annotations").or_insert_with(|| json!({}));
        if let Value::Object(annotations) = annotations {
            annotations.insert(ANNOTATION.to_owned(), format!("LimitRanger plugin set: {}", notes.join("; ")).into());
        }
    }
}

/// Adds the amounts that a container's list lacks; says which.
fn add(container: &mut Value, list: &str, known: &Map<String, Value>) -> Vec<String> {
    let mut given = Vec::new();
    let Some(amounts) = member(container, "resources").and_then(|it| member(it, list)).and_then(Value::as_object_mut)
    else {
        return given;
    };
    for (name, amount) in known.iter().filter(|(name, _)| !amounts.contains_key(*name)).collect::<Vec<_>>() {
        amounts.insert(name.clone(), amount.clone());
        given.push(name.clone());
    }
    given.sort();
    given
}

/// A member, made where there is none. What a webhook made of it is refused later, if it is of another type.
fn member<'v>(of: &'v mut Value, name: &str) -> Option<&'v mut Value> {
    let member = of.as_object_mut()?.entry(name).or_insert(Value::Null);
    if member.is_null() {
        *member = json!({});
    }
    Some(member)
}

/// What a range says of each container.
fn containers(item: Node<'_>, pod: Node<'_>) -> Vec<String> {
    let mut problems = Vec::new();
    for member in ["containers", "initContainers"] {
        for container in pod.get("spec").into_iter().flat_map(|it| list(it, member)) {
            let limits = of_container(container, "limits");
            problems.extend(bounds(item, "Container", &of_container(container, "requests"), &limits));
        }
    }
    problems
}

fn pod(item: Node<'_>, pod: Node<'_>) -> Vec<String> {
    let Some(spec) = pod.get("spec") else { return Vec::new() };
    bounds(item, "Pod", &of_pod(spec, "requests"), &of_pod(spec, "limits"))
}

/// A claim has no limits: its requests alone are bounded.
fn claim(item: Node<'_>, claim: Node<'_>) -> Vec<String> {
    let kind = "PersistentVolumeClaim";
    let requests = amounts::read(claim.at(&["spec", "resources", "requests"]));
    let mut problems = Vec::new();
    for (name, least) in amounts::read(item.get("min")) {
        let bound = format!("minimum {name} usage per {kind} is {}", text(least));
        problems.extend(at_least(&bound, least, requests.get(&name), None));
    }
    for (name, most) in amounts::read(item.get("max")) {
        let bound = format!("maximum {name} usage per {kind} is {}", text(most));
        problems.extend(match requests.get(&name) {
            None => Some(format!("{bound}.  No request is specified")),
            Some(request) => is_over(*request, most).then(|| but(&bound, "request", *request)),
        });
    }
    problems
}

fn bounds(item: Node<'_>, kind: &str, requests: &Amounts, limits: &Amounts) -> Vec<String> {
    let mut problems = Vec::new();
    for (name, least) in amounts::read(item.get("min")) {
        let bound = format!("minimum {name} usage per {kind} is {}", text(least));
        problems.extend(at_least(&bound, least, requests.get(&name), limits.get(&name)));
    }
    for (name, most) in amounts::read(item.get("max")) {
        let bound = format!("maximum {name} usage per {kind} is {}", text(most));
        problems.extend(at_most(&bound, most, requests.get(&name), limits.get(&name)));
    }
    for (name, ratio) in amounts::read(item.get("maxLimitRequestRatio")) {
        let bound = format!("{name} max limit to request ratio per {kind} is {}", text(ratio));
        problems.extend(within(&bound, ratio, requests.get(&name), limits.get(&name)));
    }
    problems
}

fn is_over(amount: Quantity, most: Quantity) -> bool {
    amount.order(&most).is_gt()
}

fn but(bound: &str, what: &str, amount: Quantity) -> String {
    format!("{bound}, but {what} is {}", text(amount))
}

fn at_least(bound: &str, least: Quantity, request: Option<&Quantity>, limit: Option<&Quantity>) -> Option<String> {
    match (request, limit) {
        (None, _) => Some(format!("{bound}.  No request is specified")),
        (Some(request), _) if is_over(least, *request) => Some(but(bound, "request", *request)),
        (_, Some(limit)) if is_over(least, *limit) => Some(but(bound, "limit", *limit)),
        _ => None,
    }
}

fn at_most(bound: &str, most: Quantity, request: Option<&Quantity>, limit: Option<&Quantity>) -> Option<String> {
    match (limit, request) {
        (None, _) => Some(format!("{bound}.  No limit is specified")),
        (Some(limit), _) if is_over(*limit, most) => Some(but(bound, "limit", *limit)),
        (_, Some(request)) if is_over(*request, most) => Some(but(bound, "request", *request)),
        _ => None,
    }
}

fn within(bound: &str, most: Quantity, request: Option<&Quantity>, limit: Option<&Quantity>) -> Option<String> {
    // In thousandths, which are whole: a quotient of those is as exact as upstream's.
    let thousandths = |it: Option<&Quantity>| (it.map_or(0.0, |it| it.to_float()) * 1000.0).round();
    let (request, limit) = (thousandths(request), thousandths(limit));
    if request == 0.0 {
        return Some(format!("{bound}, but no request is specified or request is 0"));
    }
    if limit == 0.0 {
        return Some(format!("{bound}, but no limit is specified or limit is 0"));
    }
    let ratio = limit / request;
    (ratio * 1000.0 > thousandths(Some(&most))).then(|| format!("{bound}, but provided ratio is {ratio:.6}"))
}

#[cfg(test)]
mod tests;
