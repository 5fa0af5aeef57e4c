//! Volumes of pods, persistent volumes and claims.

use std::collections::BTreeSet;

use super::{
    container::relative,
    field::{Errors, Field},
};
use crate::{names::label_problems, quantity};

/// Checks a pod's volumes and gives back their names.
pub(super) fn volumes(volumes: &Field<'_>, errors: &mut Errors) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    volumes.each(|volume| {
        let name = volume.get("name");
        if name.present(errors, "") {
            let problems = label_problems(name.text());
            if problems.is_empty() && !names.insert(name.text().to_owned()) {
                name.duplicate(errors);
            }
            name.problems(errors, problems);
        }
        sources(volume, errors);
    });
    names
}

fn sources(volume: &Field<'_>, errors: &mut Errors) {
    let mut given = volume.entries().filter(|(member, value)| *member != "name" && !value.is_null());
    if given.next().is_none() {
        volume.required(errors, "must specify a volume type");
    }
    for (member, _) in given {
        volume.get(member).forbidden(errors, "may not specify more than 1 volume type");
    }
    let host = volume.get("hostPath");
    if !host.is_absent()
        && host.get("path").present(errors, "")
        && host.get("path").text().split('/').any(|it| it == "..")
    {
        host.get("path").invalid(errors, "must not contain '..'");
    }
    for (source, name) in [("secret", "secretName"), ("configMap", "name"), ("persistentVolumeClaim", "claimName")] {
        let source = volume.get(source);
        if source.is_absent() {
            continue;
        }
        source.get(name).present(errors, "");
        source.get("defaultMode").within(errors, 0, 0o777);
        source.get("items").each(|item| {
            item.get("key").present(errors, "");
            if item.get("path").present(errors, "") {
                relative(&item.get("path"), errors);
            }
            item.get("mode").within(errors, 0, 0o777);
        });
    }
}

/// A claim's spec.
pub(super) fn claim(spec: &Field<'_>, errors: &mut Errors) {
    spec.get("accessModes").present(errors, "at least 1 access mode is required");
    let resources = spec.get("resources");
    let requests = resources.get("requests");
    let storage = requests.get("storage");
    if storage.is_absent() {
        requests.key("storage").required(errors, "");
    } else if quantity::parse(storage.value()).is_some_and(|it| it.nanos() <= 0) {
        requests.key("storage").invalid(errors, "must be greater than zero");
    }
    let selector = spec.get("selector");
    if !selector.is_absent() {
        super::selector::validate(&selector, errors);
    }
}

/// A claim is fixed, but for its size and, until it is bound, its volume and class.
pub(super) fn claim_update(spec: &Field<'_>, old: &Field<'_>, errors: &mut Errors) {
    const FREE: [&str; 4] = ["resources", "volumeName", "storageClassName", "volumeAttributesClassName"];
    let differs =
        |(member, value): (&str, &serde_json::Value)| !FREE.contains(&member) && old.value().get(member) != Some(value);
    let bound = !old.get("volumeName").is_empty();
    let moved = bound && spec.get("volumeName").value() != old.get("volumeName").value();
    if moved || spec.entries().any(differs) {
        spec.forbidden(
            errors,
            "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims",
        );
    }
    let size = |at: &Field<'_>| quantity::parse(&at.value()["resources"]["requests"]["storage"]);
    if let (Some(new), Some(before)) = (size(spec), size(old))
        && new.nanos() < before.nanos()
    {
        let resources = spec.get("resources");
        let requests = resources.get("requests");
        requests.get("storage").forbidden(errors, "field can not be less than previous value");
    }
}

/// A persistent volume's spec.
pub(super) fn persistent(spec: &Field<'_>, errors: &mut Errors) {
    spec.get("accessModes").present(errors, "");
    if spec.get("capacity").get("storage").is_absent() {
        spec.get("capacity").required(errors, "");
    }
}
