//! The status of a definition: its names are accepted when nobody else has them, and then it is served.

use std::collections::BTreeMap;

use serde_json::{Value, json};

/// Names in use in one API group, by name, each with the definition (or `builtin`) that has it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TakenNames {
    /// Plural, singular and short names: they share one space.
    resources: BTreeMap<String, String>,
    /// Kinds and list kinds.
    kinds: BTreeMap<String, String>,
}

impl TakenNames {
    /// Notes the accepted names of a definition; others of its group only.
    pub fn add(&mut self, crd: &Value) {
        let owner = crd["metadata"]["name"].as_str().unwrap_or_default();
        self.add_names(owner, &crd["status"]["acceptedNames"]);
    }

    /// Notes the names of a built-in kind.
    pub fn add_names(&mut self, owner: &str, names: &Value) {
        for name in resource_names(names) {
            self.resources.entry(name.to_owned()).or_insert_with(|| owner.to_owned());
        }
        for name in kind_names(names) {
            self.kinds.entry(name.to_owned()).or_insert_with(|| owner.to_owned());
        }
    }
}

fn resource_names(names: &Value) -> impl Iterator<Item = &str> {
    let short = names["shortNames"].as_array().into_iter().flatten();
    [&names["plural"], &names["singular"]]
        .into_iter()
        .chain(short)
        .filter_map(Value::as_str)
        .filter(|it| !it.is_empty())
}

fn kind_names(names: &Value) -> impl Iterator<Item = &str> {
    [&names["kind"], &names["listKind"]].into_iter().filter_map(Value::as_str).filter(|it| !it.is_empty())
}

/// Whether a definition's objects are served.
pub fn is_established(crd: &Value) -> bool {
    condition(&crd["status"], "Established").is_some_and(|it| it["status"] == "True")
}

/// Whether a definition's objects are being deleted with it.
pub fn is_terminating(crd: &Value) -> bool {
    condition(&crd["status"], "Terminating").is_some_and(|it| it["status"] == "True")
}

fn condition<'v>(status: &'v Value, kind: &str) -> Option<&'v Value> {
    status["conditions"].as_array()?.iter().find(|it| it["type"] == kind)
}

/// Puts a condition in place of the one of its type. The transition time stays when the status does.
pub(super) fn set_condition(status: &mut Value, mut new: Value) {
    if !status.is_object() {
        *status = json!({});
    }
    if !status["conditions"].is_array() {
        status["conditions"] = json!([]);
    }
    let Some(list) = status["conditions"].as_array_mut() else { return };
    match list.iter_mut().find(|it| it["type"] == new["type"]) {
        Some(old) => {
            if old["status"] == new["status"] {
                new["lastTransitionTime"] = old["lastTransitionTime"].take();
            }
            *old = new;
        }
        None => list.push(new),
    }
}

/// The status that a definition should have, if it differs from the one it has. `taken` holds the names of all other
/// definitions and built-in kinds of its group; `now` is RFC 3339.
pub fn establish(crd: &Value, taken: &TakenNames, now: &str) -> Option<Value> {
    let owner = crd["metadata"]["name"].as_str().unwrap_or_default();
    let mut status = if crd["status"].is_object() { crd["status"].clone() } else { json!({}) };
    let wanted = &crd["spec"]["names"];
    let (accepted, problem) = accept(wanted, &status["acceptedNames"], taken, owner);
    status["acceptedNames"] = accepted;
    let names = match &problem {
        None => {
            json!({"type": "NamesAccepted", "status": "True", "reason": "NoConflicts", "message": "no conflicts found", "lastTransitionTime": now})
        }
        Some((reason, message)) => {
            json!({"type": "NamesAccepted", "status": "False", "reason": reason, "message": message, "lastTransitionTime": now})
        }
    };
    set_condition(&mut status, names);
    let was = condition(&status, "Established").is_some_and(|it| it["status"] == "True");
    if !was {
        let established = match problem {
            None => {
                json!({"type": "Established", "status": "True", "reason": "InitialNamesAccepted", "message": "the initial names have been accepted", "lastTransitionTime": now})
            }
            Some(_) => {
                json!({"type": "Established", "status": "False", "reason": "NotAccepted", "message": "not all names are accepted", "lastTransitionTime": now})
            }
        };
        set_condition(&mut status, established);
    }
    if let Some(condition) = super::approval::condition(crd, now) {
        set_condition(&mut status, condition);
    }
    (status != crd["status"]).then_some(status)
}

/// The names that are free, and the last clash.
fn accept(wanted: &Value, had: &Value, taken: &TakenNames, owner: &str) -> (Value, Option<(&'static str, String)>) {
    let mut accepted = json!({});
    let mut problem = None;
    let mut claim = |field: &'static str,
                     reason: &'static str,
                     value: &Value,
                     names: Vec<&str>,
                     space: &BTreeMap<String, String>| {
        let is_taken = |name: &&&str| space.get(**name).is_some_and(|it| it != owner);
        let clashes: Vec<String> =
            names.iter().filter(is_taken).map(|name| format!("{name:?} is already in use")).collect();
        let message = match clashes.as_slice() {
            [] => {
                if !value.is_null() {
                    accepted[field] = value.clone();
                }
                return;
            }
            [one] => one.clone(),
            more => format!("[{}]", more.join(", ")),
        };
        if !had[field].is_null() {
            accepted[field] = had[field].clone();
        }
        problem = Some((reason, message));
    };
    for (field, reason) in [("plural", "PluralConflict"), ("singular", "SingularConflict")] {
        let value = &wanted[field];
        claim(field, reason, value, value.as_str().into_iter().collect(), &taken.resources);
    }
    let short = &wanted["shortNames"];
    let list = short.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    claim("shortNames", "ShortNamesConflict", short, list, &taken.resources);
    for (field, reason) in [("kind", "KindConflict"), ("listKind", "ListKindConflict")] {
        let value = &wanted[field];
        claim(field, reason, value, value.as_str().into_iter().collect(), &taken.kinds);
    }
    if !wanted["categories"].is_null() {
        accepted["categories"] = wanted["categories"].clone();
    }
    (accepted, problem)
}
