//! Eviction of a pod: its deletion, unless a disruption budget needs it (spec/kubernetes-api.md 4.1).

use std::sync::Arc;

use http::StatusCode;
use kanon_apimachinery::{
    request::{DeleteOptions, Resolved},
    selector::LabelSelector,
    status::{self, ApiError, GroupResource, Result},
};
use kanon_core::{Node, Object, rfc3339};
use kanon_store::{Change, Draft, Entry, Expect, ListOptions, Write};
use serde_json::{Value, json};

use super::{delete, part::admit, write::Refused};
use crate::{core::Core, reply::Reply, service::Asked};

/// As of the other writes.
const TRIES: usize = 64;
/// Evicted pods that a budget remembers until their deletion was seen.
const REMEMBERED: usize = 2000;

/// POST to a pod's `eviction`.
pub(super) async fn evict(core: &Core, asked: &Asked, target: &Resolved, body: Value) -> Result<Reply> {
    let Resolved { resource, address, .. } = target;
    let key = resource.key(&address.namespace, &address.name);
    let pod = core.storage.get(&key);
    let pod = pod.ok_or_else(|| ApiError::not_found(&resource.group_resource(), &address.name))?;
    let mut options = asked.info.write_options("CreateOptions")?;
    let mut deletion = match &body["deleteOptions"] {
        Value::Object(_) => DeleteOptions::from_value(&body["deleteOptions"])?,
        _ => DeleteOptions::default(),
    };
    options.dry_run |= deletion.dry_run;
    deletion.dry_run = options.dry_run;
    admit(core, (&asked.user, &asked.warnings), (resource, address), &options, &body).await?;
    if let Some(budget) = budget_of(core, &pod.object, &address.namespace)?
        && is_needed(&budget.object, &pod.object)
    {
        take_disruption(core, &budget, &address.name, options.dry_run).await?;
    }
    delete::delete(core, &asked.user, resource, address, &deletion, &asked.warnings).await?;
    Ok(Reply::new(StatusCode::CREATED, "application/json", status::success(None, 201)))
}

/// The budget that counts a pod, if one does. Pods that have ended, have not begun or go already are not counted.
fn budget_of(core: &Core, pod: &Object, namespace: &str) -> Result<Option<Arc<Entry>>> {
    let idle = matches!(pod.str_at(&["status", "phase"]), "Succeeded" | "Failed" | "Pending");
    if idle || pod.at(&["metadata", "deletionTimestamp"]).is_some_and(|it| !it.is_null()) {
        return Ok(None);
    }
    let prefix = format!("policy/poddisruptionbudgets/{namespace}/");
    let page = core.storage.read(|memory| memory.list(&prefix, ListOptions::default()));
    let mut budgets = Vec::new();
    for entry in page.map(|it| it.entries).unwrap_or_default() {
        // Without a selector it selects nothing; with an empty one everything.
        let Some(selector) = entry.object.at(&["spec", "selector"]).filter(|it| !it.is_null()) else { continue };
        if LabelSelector::from_value(&selector.to_value()).is_ok_and(|it| it.matches(pod)) {
            budgets.push(entry);
        }
    }
    if budgets.len() > 1 {
        let text = "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.";
        return Err(ApiError::plain_500(text));
    }
    Ok(budgets.pop())
}

/// Whether a budget would miss the pod. One that is not well is missed only while there are too few that are.
fn is_needed(budget: &Object, pod: &Object) -> bool {
    let conditions = pod.at(&["status", "conditions"]).into_iter().flat_map(Node::elements);
    let text = |it: Node<'_>, name: &str| it.get(name).and_then(Node::as_str).unwrap_or_default().into_owned();
    let mut ready = conditions.filter(|it| text(*it, "type") == "Ready");
    if ready.any(|it| text(it, "status") == "True") {
        return true;
    }
    if budget.str_at(&["spec", "unhealthyPodEvictionPolicy"]) == "AlwaysAllow" {
        return false;
    }
    let number = |name: &str| budget.at(&["status", name]).and_then(Node::as_i64).unwrap_or_default();
    let desired = number("desiredHealthy");
    !(number("currentHealthy") >= desired && desired > 0)
}

/// Takes one of the disruptions that a budget allows, and notes for whom; the disruption controller counts anew.
async fn take_disruption(core: &Core, budget: &Arc<Entry>, pod: &str, dry_run: bool) -> Result<()> {
    let mut current = Some(Arc::clone(budget));
    let resource = core.builtin.preferred("policy", "poddisruptionbudgets").ok_or_else(ApiError::no_such_path)?;
    for _ in 0..TRIES {
        // Without the budget nothing is in the way.
        let Some(entry) = current else { return Ok(()) };
        let value = taken(&entry.object, pod, &rfc3339(core.now().wall))?;
        if dry_run {
            return Ok(());
        }
        let draft = Draft::new(&value).map_err(ApiError::internal)?;
        let write = Write { key: entry.key.clone(), expect: Expect::At(entry.revision), change: Change::Put(draft) };
        match core.store(write).await {
            Ok(_) => return Ok(()),
            Err(Refused::Moved(moved)) => current = moved,
            Err(Refused::Error(error)) => return Err(error),
        }
    }
    Err(ApiError::conflict(&resource.group_resource(), budget.object.str_at(&["metadata", "name"])))
}

/// A budget with one disruption less.
fn taken(budget: &Object, pod: &str, now: &str) -> Result<Value> {
    let name = budget.str_at(&["metadata", "name"]);
    let number = |path: &[&str]| budget.at(path).and_then(Node::as_i64).unwrap_or_default();
    let of_status = |name: &str| number(&["status", name]);
    if of_status("observedGeneration") < number(&["metadata", "generation"]) {
        return Err(ApiError::disruption_budget_unseen(name));
    }
    let allowed = of_status("disruptionsAllowed");
    if allowed <= 0 {
        return Err(ApiError::disruption_budget(name, of_status("desiredHealthy"), of_status("currentHealthy")));
    }
    let mut value = budget.to_value();
    let remembered = value["status"]["disruptedPods"].as_object().map_or(0, serde_json::Map::len);
    if remembered > REMEMBERED {
        let why = "DisruptedPods map too big - too many evictions not confirmed by PDB controller";
        let what = GroupResource::new("policy", "poddisruptionbudgets");
        return Err(ApiError::forbidden(&what, name, why));
    }
    let status = &mut value["status"];
    status["disruptionsAllowed"] = (allowed - 1).into();
    status["disruptedPods"][pod] = now.into();
    if allowed == 1 {
        let conditions = &mut status["conditions"];
        let condition = json!({"type": "DisruptionAllowed", "status": "False", "reason": "InsufficientPods",
            "message": "", "lastTransitionTime": now, "observedGeneration": number(&["metadata", "generation"])});
        match conditions.as_array_mut() {
            Some(list) => {
                list.retain(|it| it["type"] != "DisruptionAllowed");
                list.push(condition);
            }
            None => *conditions = json!([condition]),
        }
    }
    Ok(value)
}
