//! Persistent volume claims: bound as asked for. No volume stands behind them.

use serde_json::{Value, json};

use crate::{Actor, step::Step, value::text};

pub(super) fn plan(step: &mut Step<'_>) {
    let item = step.item;
    let value = item.value();
    if item.deleting || text(&value["status"]["phase"]) != "Pending" {
        return;
    }
    step.actor = Actor::Controller { account: "persistent-volume-binder", component: "persistentvolume-controller" };
    let mut status = value["status"].clone();
    status["phase"] = "Bound".into();
    status["accessModes"] = value["spec"]["accessModes"].clone();
    let capacity = match &value["spec"]["resources"]["requests"] {
        requests @ Value::Object(_) => requests.clone(),
        _ => json!({}),
    };
    status["capacity"] = capacity;
    step.status(item, value, status);
}
