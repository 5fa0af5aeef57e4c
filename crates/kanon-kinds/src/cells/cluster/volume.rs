//! Rows of volumes, claims and their classes.

use serde_json::Value;

use super::{Row, UNSET, joined, plain, text};

/// Access modes and how they are abbreviated, in printing order.
const MODES: [(&str, &str); 4] =
    [("ReadWriteOnce", "RWO"), ("ReadOnlyMany", "ROX"), ("ReadWriteMany", "RWX"), ("ReadWriteOncePod", "RWOP")];

pub(super) fn volume(row: Row<'_>) -> Vec<Value> {
    let claim =
        row.node(&["spec", "claimRef"]).map(|it| format!("{}/{}", text(it, &["namespace"]), text(it, &["name"])));
    vec![
        row.name(),
        capacity(row, "spec").into(),
        modes(row, "spec").into(),
        row.text(&["spec", "persistentVolumeReclaimPolicy"]).into(),
        phase(row).into(),
        claim.unwrap_or_default().into(),
        row.text(&["spec", "storageClassName"]).into(),
        row.text_or(&["spec", "volumeAttributesClassName"], UNSET),
        row.text(&["status", "reason"]).into(),
        row.age(),
        row.text_or(&["spec", "volumeMode"], UNSET),
    ]
}

pub(super) fn claim(row: Row<'_>) -> Vec<Value> {
    let bound = !row.text(&["spec", "volumeName"]).is_empty();
    let of = |text: String| if bound { text } else { String::new() };
    vec![
        row.name(),
        phase(row).into(),
        row.text(&["spec", "volumeName"]).into(),
        of(capacity(row, "status")).into(),
        of(modes(row, "status")).into(),
        row.text(&["spec", "storageClassName"]).into(),
        row.text_or(&["spec", "volumeAttributesClassName"], UNSET),
        row.age(),
        row.text_or(&["spec", "volumeMode"], UNSET),
    ]
}

fn phase(row: Row<'_>) -> String {
    if row.is_deleted() { "Terminating".to_owned() } else { row.text(&["status", "phase"]) }
}

fn capacity(row: Row<'_>, part: &str) -> String {
    row.node(&[part, "capacity", "storage"]).map(plain).unwrap_or_default()
}

fn modes(row: Row<'_>, part: &str) -> String {
    let given: Vec<String> = row.list(&[part, "accessModes"]).map(|it| text(it, &[])).collect();
    let known = MODES.iter().filter(|(mode, _)| given.iter().any(|it| it == mode));
    joined(known.map(|(_, short)| (*short).to_owned()), ",")
}

pub(super) fn class(row: Row<'_>) -> Vec<Value> {
    let default = row.text(&["metadata", "annotations", "storageclass.kubernetes.io/is-default-class"]) == "true";
    let name = row.text(&["metadata", "name"]);
    vec![
        if default { format!("{name} (default)") } else { name }.into(),
        row.text(&["provisioner"]).into(),
        row.text_or(&["reclaimPolicy"], "Delete"),
        row.text_or(&["volumeBindingMode"], "Immediate"),
        super::super::flag(row.root, &["allowVolumeExpansion"]).into(),
        row.age(),
    ]
}
