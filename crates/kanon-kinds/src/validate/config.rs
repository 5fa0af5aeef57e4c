//! Configuration and the smaller kinds.

use std::sync::LazyLock;

use base64::{Engine, engine::general_purpose::STANDARD};
use kanon_schema::{FieldError, FieldPath};
use regex::Regex;
use serde_json::Value;

use super::{
    MAX_DATA,
    field::{Errors, Field},
    selector, workload,
};
use crate::names::{SUBDOMAIN_MAX, too_long, whole};

const KEY_TEXT: &str = "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')";
static KEY: LazyLock<Regex> = LazyLock::new(|| whole("[-._a-zA-Z0-9]+"));

/// Keys that secrets of a type must hold.
const SECRET_KEYS: [(&str, &[&str]); 4] = [
    ("kubernetes.io/tls", &["tls.crt", "tls.key"]),
    ("kubernetes.io/dockerconfigjson", &[".dockerconfigjson"]),
    ("kubernetes.io/dockercfg", &[".dockercfg"]),
    ("kubernetes.io/ssh-auth", &["ssh-privatekey"]),
];

pub(super) fn config_map(root: &Field<'_>, errors: &mut Errors) {
    let mut size = 0;
    let data = root.get("data");
    for (key, value) in data.entries() {
        config_key(&data.key(key), key, errors);
        if root.get("binaryData").value().get(key).is_some() {
            let detail = format!("duplicate of key present in binaryData: {key:?}");
            data.key(key).invalid_value(errors, key, detail);
        }
        size += value.as_str().unwrap_or_default().len();
    }
    let binary = root.get("binaryData");
    for (key, value) in binary.entries() {
        config_key(&binary.key(key), key, errors);
        size += decoded(&binary.key(key), value, errors);
    }
    if size > MAX_DATA {
        // Upstream blames a nameless member of the object.
        errors.push(FieldError::too_long(&FieldPath::of("[]"), MAX_DATA as u64));
    }
}

pub(super) fn secret(root: &Field<'_>, errors: &mut Errors) {
    let mut size = 0;
    let data = root.get("data");
    for (key, value) in data.entries() {
        config_key(&data.key(key), key, errors);
        size += decoded(&data.key(key), value, errors);
    }
    if size > MAX_DATA {
        data.too_long(errors, MAX_DATA);
    }
    let kind = root.get("type");
    for (_, keys) in SECRET_KEYS.iter().filter(|(name, _)| *name == kind.text()) {
        for key in keys.iter().filter(|it| data.value().get(**it).is_none()) {
            data.key(key).required(errors, "");
        }
    }
    for name in [".dockerconfigjson", ".dockercfg"] {
        let text = data.value().get(name).and_then(Value::as_str).and_then(|it| STANDARD.decode(it).ok());
        let is_held = SECRET_KEYS.iter().any(|(it, keys)| *it == kind.text() && keys.contains(&name));
        if let Some(Err(problem)) = text.filter(|_| is_held).map(|it| serde_json::from_slice::<Value>(&it)) {
            data.key(name).invalid_value(errors, "<secret contents redacted>", problem.to_string());
        }
    }
    if kind.text() == "kubernetes.io/basic-auth"
        && ["username", "password"].iter().all(|it| data.value().get(it).is_none())
    {
        data.key("username").required(errors, "");
        data.key("password").required(errors, "");
    }
}

/// The size of a value in base64.
fn decoded(at: &Field<'_>, value: &Value, errors: &mut Errors) -> usize {
    let decoded = STANDARD.decode(value.as_str().unwrap_or_default());
    if decoded.is_err() {
        at.invalid(errors, "must be base64");
    }
    decoded.map_or(0, |it| it.len())
}

fn config_key(at: &Field<'_>, key: &str, errors: &mut Errors) {
    if key.len() > SUBDOMAIN_MAX {
        at.invalid_value(errors, key, too_long(SUBDOMAIN_MAX));
    }
    if !KEY.is_match(key) {
        at.invalid_value(errors, key, KEY_TEXT);
    } else if key == "." || key.starts_with("..") {
        let found = if key == "." || key == ".." {
            format!("may not be '{key}'")
        } else {
            "may not start with '..'".to_owned()
        };
        at.invalid_value(errors, key, found);
    }
}

/// Once immutable, always immutable.
pub(super) fn immutable(root: &Field<'_>, old: &Field<'_>, members: &[&str], errors: &mut Errors) {
    if !old.get("immutable").is_true() {
        return;
    }
    if !root.get("immutable").is_true() {
        root.get("immutable").forbidden(errors, "field is immutable when `immutable` is set");
    }
    for member in members {
        if root.get(member).value() != old.get(member).value() {
            root.get(member).forbidden(errors, "field is immutable when `immutable` is set");
        }
    }
}

pub(super) fn event(root: &Field<'_>, errors: &mut Errors) {
    let (metadata, about) = (root.get("metadata"), root.get("involvedObject"));
    let namespace = about.get("namespace");
    let own = metadata.get("namespace").text();
    let fine =
        if namespace.is_empty() { matches!(own, "" | "default" | "kube-system") } else { namespace.text() == own };
    if !fine {
        namespace.invalid_value(errors, namespace.text(), "does not match event.namespace");
    }
}

pub(super) fn budget(spec: &Field<'_>, errors: &mut Errors) {
    let (least, most) = (spec.get("minAvailable"), spec.get("maxUnavailable"));
    if !least.is_absent() && !most.is_absent() {
        spec.invalid(errors, "minAvailable and maxUnavailable cannot be both set");
    }
    for share in [&least, &most] {
        workload::share(share, errors);
        workload::at_most_all(share, errors);
    }
    selector::validate(&spec.get("selector"), errors);
}

pub(super) fn autoscaler(spec: &Field<'_>, errors: &mut Errors) {
    let (least, most) = (spec.get("minReplicas"), spec.get("maxReplicas"));
    if least.int().is_some_and(|it| it < 1) {
        least.invalid(errors, "must be greater than or equal to 1");
    }
    let wanted = most.int().unwrap_or_default();
    if wanted < 1 {
        most.invalid_value(errors, wanted, "must be greater than 0");
    }
    if least.int().is_some_and(|it| wanted < it) {
        most.invalid_value(errors, wanted, "must be greater than or equal to `minReplicas`");
    }
    let target = spec.get("scaleTargetRef");
    target.get("kind").present(errors, "");
    target.get("name").present(errors, "");
}

pub(super) fn lease(spec: &Field<'_>, errors: &mut Errors) {
    let seconds = spec.get("leaseDurationSeconds");
    if seconds.int().is_some_and(|it| it <= 0) {
        seconds.invalid(errors, "must be greater than 0");
    }
    spec.get("leaseTransitions").not_negative(errors);
}

/// The highest priority that users may give.
const PRIORITY_MAX: i64 = 1_000_000_000;
/// Priority classes of the system: users may neither make others that are called so nor other ones of these.
const SYSTEM_CLASSES: [(&str, i64); 2] =
    [("system-cluster-critical", 2_000_000_000), ("system-node-critical", 2_000_001_000)];

pub(super) fn priority_class(root: &Field<'_>, errors: &mut Errors) {
    let (metadata, value) = (root.get("metadata"), root.get("value"));
    let name = metadata.get("name");
    if !name.text().starts_with("system-") {
        if value.int().is_some_and(|it| it > PRIORITY_MAX) {
            let problem = format!("maximum allowed value of a user defined priority is {PRIORITY_MAX}");
            value.forbidden(errors, &problem);
        }
        return;
    }
    let problem = match SYSTEM_CLASSES.iter().find(|(it, _)| *it == name.text()) {
        None => format!("{} is not a known system priority class", name.text()),
        Some((known, wanted)) if value.int() != Some(*wanted) => {
            format!("value of {known} PriorityClass must be {wanted}")
        }
        Some((known, _)) if root.get("globalDefault").is_true() => {
            format!("globalDefault of {known} PriorityClass must be false")
        }
        Some(_) => return,
    };
    let problem =
        format!("priority class names with 'system-' prefix are reserved for system use only. error: {problem}");
    name.forbidden(errors, &problem);
}

pub(super) fn priority_class_update(root: &Field<'_>, old: &Field<'_>, errors: &mut Errors) {
    for member in ["value", "preemptionPolicy"] {
        if root.get(member).value() != old.get(member).value() {
            root.get(member).forbidden(errors, "may not be changed in an update.");
        }
    }
}

pub(super) fn storage_class_update(root: &Field<'_>, old: &Field<'_>, errors: &mut Errors) {
    for member in ["parameters", "provisioner", "reclaimPolicy"] {
        if root.get(member).value() != old.get(member).value() {
            root.get(member).forbidden(errors, &format!("updates to {member} are forbidden."));
        }
    }
    root.get("volumeBindingMode").unchanged(&old.get("volumeBindingMode"), errors);
}
