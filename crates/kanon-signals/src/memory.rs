//! What is remembered of the policies: a ConfigMap of Kanon's own beside theirs, with the text in force, its hash, counts
//! and what is wrong. It outlives the process, so that a restart after a broken edit keeps the last good policy, and it
//! lets everybody who may read it see which policy really is in force.

use std::collections::BTreeMap;

use kanon_core::{Digest, Object};
use serde_json::{Map, Value, json};

use crate::{place::Place, policy::Surface, slot::State};

/// Its name.
pub(crate) const STATE_MAP: &str = "kanon-signals-state";

/// What is remembered of one policy.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Remembered {
    /// The text in force; none when nothing good was known.
    pub good: Option<String>,
    /// Digest of the newest text.
    pub newest: Option<Digest>,
    pub reloads: u64,
    pub errors: u64,
    pub loaded_at: String,
    /// Since when the newest text is known to be broken.
    pub since: String,
    place: String,
}

fn report_key(surface: Surface) -> String {
    format!("{}.json", surface.as_str())
}

fn text_key(surface: Surface) -> String {
    format!("{}.rego", surface.as_str())
}

impl Remembered {
    /// Reads what a state map says of a policy; nothing where it makes no sense.
    pub(crate) fn read(map: &Object, surface: Surface) -> Option<Remembered> {
        let text = |key: &str| map.at(&["data", key]).and_then(|it| it.as_str());
        let report: Value = serde_json::from_str(&text(&report_key(surface))?).ok()?;
        let word = |name: &str| report[name].as_str().unwrap_or_default().to_owned();
        let count = |name: &str| report[name].as_u64().unwrap_or_default();
        let hash = Digest::try_from(word("hash")).ok();
        // A text that is not what its hash says is nobody's last good policy.
        let good = text(&text_key(surface)).filter(|it| Some(Digest::of(&[it.as_bytes()])) == hash);
        Some(Remembered {
            good: good.map(std::borrow::Cow::into_owned),
            newest: Digest::try_from(word("newest")).ok(),
            reloads: count("reloads"),
            errors: count("errors"),
            loaded_at: word("loadedAt"),
            since: word("problemSince"),
            place: word("place"),
        })
    }

    /// Whether this is about a place.
    pub(crate) fn is_about(&self, place: &Place) -> bool {
        self.place == place.to_string()
    }
}

/// What is to be remembered of one policy, by key; nothing of one that did not come from a ConfigMap.
pub(crate) fn entry<Q>(surface: Surface, state: &State<Q>) -> Option<(String, BTreeMap<String, String>)> {
    let active = state.active.as_deref();
    let place = state.problem.as_ref().map(|it| &it.place).or(active.map(|it| &it.place))?;
    let Place::ConfigMap { namespace, .. } = place else { return None };
    let mut report = report(state);
    report.insert("place".to_owned(), json!(place.to_string()));
    report.insert("newest".to_owned(), json!(state.newest));
    let mut data = BTreeMap::from([(report_key(surface), format!("{:#}", Value::Object(report)))]);
    if let Some(active) = active {
        data.insert(text_key(surface), active.text.to_string());
    }
    Some((namespace.clone(), data))
}

/// Hash, counts, times and problem of a policy: what `explain -o json` shows too.
pub(crate) fn report<Q>(state: &State<Q>) -> Map<String, Value> {
    let active = state.active.as_deref();
    let problem = state.problem.as_ref();
    let report = json!({
        "hash": active.map(|it| it.hash),
        "source": active.map(|it| it.place.to_string()),
        "sourceGone": state.gone,
        "loadedAt": state.loaded_at,
        "reloads": state.reloads,
        "errors": state.errors,
        "warnings": active.map(|it| it.warnings.clone()).unwrap_or_default(),
        "problem": problem.map(|it| it.message.clone()),
        "problemSource": problem.map(|it| it.place.to_string()),
        "problemHash": problem.and_then(|it| it.hash),
        "problemSince": problem.map(|it| it.since.clone()),
    });
    let Value::Object(members) = report else { return Map::new() };
    members
}

/// The manifest of a state map.
pub(crate) fn manifest(namespace: &str, data: &BTreeMap<String, String>) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": STATE_MAP, "namespace": namespace, "labels": {"app.kubernetes.io/managed-by": "kanon"},
        },
        "data": data,
    })
}
