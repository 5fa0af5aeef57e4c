//! Server-side apply and field ownership (spec/kubernetes-api.md 4.6).
//!
//! [`apply`] merges a configuration into an object, takes away what its manager applied before and applies no more, and
//! refuses to change what others own. [`update_managed_fields`] keeps the books for all other writes. Time is an argument.

mod element;
mod fresh;
mod managers;
mod set;
mod typed;
mod walk;

use std::fmt;

use serde_json::{Map, Value};

pub use element::Element;
pub use managers::{ManagerEntry, Operation, managers};
pub use set::FieldSet;

use crate::{gotext, schema::Schema};
use managers::{is_reset, remove_managers, unowned, without_managers, write_fresh, write_managers};
use typed::Place;
use walk::{Changes, merge, remove, to_set};

/// kubectl's name as a field manager of server-side apply.
const KUBECTL: &str = "kubectl";
/// Where client-side `kubectl apply` keeps what it applied last.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// Who writes, through what, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Writer<'a> {
    /// The field manager.
    pub manager: &'a str,
    /// Version of the kind in the request.
    pub api_version: &'a str,
    /// The subresource; empty for the object itself.
    pub subresource: &'a str,
    /// RFC 3339 in UTC, to the second.
    pub now: &'a str,
}

/// Why a configuration was not applied.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ApplyError {
    /// Others own fields that it would change. Retry with force, or leave the fields out.
    #[error("{0}")]
    Conflicts(Conflicts),
    /// It holds what the schema does not declare, or holds it twice. Upstream puts `failed to create typed patch object
    /// (<ns>/<name>; <gv>, Kind=<Kind>): ` before this text.
    #[error("{0}")]
    Typed(String),
    /// It holds `metadata.managedFields`.
    #[error("metadata.managedFields must be nil")]
    ManagedFields,
}

/// Fields that others own, sorted by manager.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Conflicts(pub Vec<Conflict>);

/// One field that another manager owns.
#[derive(Clone, Debug, PartialEq)]
pub struct Conflict {
    /// The other manager.
    pub manager: String,
    /// How it wrote the field.
    pub operation: Operation,
    /// In which version.
    pub api_version: String,
    /// Through which subresource; empty for the object itself.
    pub subresource: String,
    /// The field: `.spec.containers[name="a"].image`.
    pub path: String,
}

impl Conflict {
    /// The other manager as causes name it: `"ci"`, `"ci" using apps/v1`, `"ci" with subresource "status"`.
    pub fn owner(&self) -> String {
        let mut text = gotext::quote(&self.manager);
        if !self.subresource.is_empty() {
            text.push_str(&format!(" with subresource {}", gotext::quote(&self.subresource)));
        }
        if self.operation == Operation::Update {
            text.push_str(&format!(" using {}", self.api_version));
        }
        text
    }
}

/// The failure's message, as kube-apiserver writes it.
impl fmt::Display for Conflicts {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let [one] = self.0.as_slice() {
            return write!(out, "Apply failed with 1 conflict: conflict with {}: {}", one.owner(), one.path);
        }
        write!(out, "Apply failed with {} conflicts: ", self.0.len())?;
        let mut last = None;
        for conflict in &self.0 {
            let owner = conflict.owner();
            let separator = if last.is_none() { "" } else { "\n" };
            if last.as_ref() != Some(&owner) {
                write!(out, "{separator}conflicts with {owner}:")?;
            }
            write!(out, "\n- {}", conflict.path)?;
            last = Some(owner);
        }
        Ok(())
    }
}

/// Applies a configuration: gives the object with its new `managedFields`. Defaults are the caller's, after this. Applying
/// what is already so gives `live` back unchanged, times included.
///
/// # Errors
/// See [`ApplyError`]. With `force`, fields of others are taken from them instead of a conflict.
pub fn apply(
    schema: &Schema,
    live: Option<&Value>,
    config: &Value,
    writer: &Writer<'_>,
    force: bool,
) -> Result<Value, ApplyError> {
    if config.pointer("/metadata/managedFields").is_some_and(|it| !it.is_null()) {
        return Err(ApplyError::ManagedFields);
    }
    let place = Place::root(schema);
    let config = without_null_times(config);
    check(place, &config)?;
    let bare = live.map_or_else(|| Value::Object(Map::new()), without_managers);
    // Entries that cannot be read own nothing.
    let mut entries = live.and_then(|it| managers(it).ok()).unwrap_or_default();
    let own = entries.iter().position(|it| it.is_of(writer, Operation::Apply)).map(|at| entries.remove(at));

    let wanted = to_set(place, &config);
    let merged = merge(place, &bare, &config);
    let mut result = match &own {
        Some(own) => {
            let keep = entries.iter().fold(wanted.clone(), |keep, it| keep.union(&it.fields));
            remove(place, merged, &own.fields, &keep)
        }
        None => merged,
    };
    let changes = Changes::between(place, &bare, &result);
    let conflicts = conflicts(&entries, &changes);
    if !force && !conflicts.0.is_empty() && !was_last_applied(place, &bare, writer, &entries, &changes) {
        return Err(ApplyError::Conflicts(conflicts));
    }
    disown(&mut entries, &changes);
    update_last_applied(&mut result, &config, writer);
    let fields = wanted.difference(unowned());
    // An apply that changes nothing but who owns what leaves times as they are: a new owner has none, as upstream has it.
    let time = match own {
        own if result == bare => own.and_then(|it| it.time),
        _ => Some(writer.now.to_owned()),
    };
    entries.push(ManagerEntry {
        manager: writer.manager.to_owned(),
        operation: Operation::Apply,
        api_version: writer.api_version.to_owned(),
        time,
        subresource: writer.subresource.to_owned(),
        fields,
    });
    write_managers(&mut result, entries);
    Ok(result)
}

/// Writes the `managedFields` of an object after any write but apply: what `writer` added or changed is its own now, and no
/// one's else. Entries in the request replace those of the old object; `[{}]` forgets them all, `[]` says nothing; through a
/// subresource they are ignored.
pub fn update_managed_fields(schema: &Schema, old: Option<&Value>, new: &mut Value, writer: &Writer<'_>) {
    let place = Place::root(schema);
    let mut entries = entries_before(old, new, writer);
    remove_managers(new);
    if old.is_none() && entries.is_empty() {
        let fields = fresh::fields_v1(place, new, Some(unowned()));
        write_fresh(new, fields, writer);
        return;
    }
    let old = old.map_or_else(|| Value::Object(Map::new()), without_managers);
    let changes = Changes::between(place, &old, new);
    disown(&mut entries, &changes);
    let taken = changes.into_taken().difference(unowned());
    if !taken.is_empty() {
        let before = entries.iter().position(|it| it.is_of(writer, Operation::Update)).map(|at| entries.remove(at));
        entries.push(ManagerEntry {
            manager: writer.manager.to_owned(),
            operation: Operation::Update,
            api_version: writer.api_version.to_owned(),
            time: Some(writer.now.to_owned()),
            subresource: writer.subresource.to_owned(),
            fields: match before {
                Some(before) => before.fields.union(&taken),
                None => taken,
            },
        });
    }
    write_managers(new, entries);
}

fn entries_before(old: Option<&Value>, new: &Value, writer: &Writer<'_>) -> Vec<ManagerEntry> {
    let stored = || old.and_then(|it| managers(it).ok()).unwrap_or_default();
    if !writer.subresource.is_empty() {
        return stored();
    }
    if is_reset(new) {
        return Vec::new();
    }
    managers(new).ok().filter(|it| !it.is_empty()).unwrap_or_else(stored)
}

fn check(place: Place<'_>, config: &Value) -> Result<(), ApplyError> {
    let errors = place.check(config);
    match errors.as_slice() {
        [] => Ok(()),
        [one] => Err(ApplyError::Typed(one.clone())),
        several => Err(ApplyError::Typed(format!("errors:\n  {}", several.join("\n  ")))),
    }
}

/// Typed clients write `creationTimestamp: null`, which means nothing.
fn without_null_times(config: &Value) -> Value {
    let mut config = without_managers(config);
    if let Some(metadata) = config.get_mut("metadata").and_then(Value::as_object_mut)
        && metadata.get("creationTimestamp").is_some_and(Value::is_null)
    {
        metadata.remove("creationTimestamp");
    }
    config
}

fn conflicts(others: &[ManagerEntry], changes: &Changes) -> Conflicts {
    if others.is_empty() {
        return Conflicts::default();
    }
    let changed = changes.set();
    let mut found = Vec::new();
    for other in others {
        for path in other.fields.intersection(&changed).paths() {
            found.push(Conflict {
                manager: other.manager.clone(),
                operation: other.operation,
                api_version: other.api_version.clone(),
                subresource: other.subresource.clone(),
                path,
            });
        }
    }
    found.sort_by(|a, b| (&a.manager, a.operation).cmp(&(&b.manager, b.operation)));
    Conflicts(found)
}

/// Takes changed and removed fields from all entries.
fn disown(entries: &mut [ManagerEntry], changes: &Changes) {
    if entries.is_empty() {
        return;
    }
    let changed = changes.set();
    for entry in entries {
        entry.fields = entry.fields.difference(&changed).difference(&changes.removed);
    }
}

/// kubectl going from client-side to server-side apply: what conflicts only with its own last client-side configuration is
/// no conflict.
fn was_last_applied(
    place: Place<'_>,
    live: &Value,
    writer: &Writer<'_>,
    others: &[ManagerEntry],
    changes: &Changes,
) -> bool {
    if writer.manager != KUBECTL {
        return false;
    }
    let annotation = live.pointer("/metadata/annotations").and_then(|it| it.get(LAST_APPLIED)).and_then(Value::as_str);
    let Some(last) = annotation.and_then(|it| serde_json::from_str::<Value>(it).ok()) else { return false };
    if last.get("apiVersion").and_then(Value::as_str) != Some(writer.api_version) {
        return false;
    }
    let allowed = to_set(place, &last);
    let changed = changes.set();
    others.iter().all(|it| it.fields.intersection(&changed).difference(&allowed).is_empty())
}

/// Keeps kubectl's annotation true while objects go back and forth between both kinds of apply.
fn update_last_applied(object: &mut Value, config: &Value, writer: &Writer<'_>) {
    let annotations = object.pointer_mut("/metadata/annotations").and_then(Value::as_object_mut);
    if let Some(annotation) = annotations.and_then(|it| it.get_mut(LAST_APPLIED))
        && writer.manager == KUBECTL
        && writer.subresource.is_empty()
    {
        *annotation = format!("{config}\n").into();
    }
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
