//! Reading documents: mistakes name their field, members that nobody knows are kept.

use serde::{Deserialize, Deserializer, de::DeserializeOwned};
use serde_json::{Map, Value};

/// Why a document is no input.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InputError {
    /// A member has another type than the input document's.
    #[error("`{path}`: {problem}")]
    Field {
        /// Path of the member.
        path: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The document is of a kind that is not asked about.
    #[error("`kind`: `{found}` is not `{wanted}`: give a {wanted}, or the policy's input document")]
    Kind {
        /// The kind that would do.
        wanted: &'static str,
        /// The kind that is there.
        found: String,
    },
    /// The document is no object.
    #[error("the input is not an object")]
    NotAnObject,
    /// An analysis that has nothing to approve.
    #[error("`status.selectedWorkflow` is missing: approval is decided after a workflow was selected")]
    NoWorkflow,
    /// A threshold that would mean nothing.
    #[error("`confidence_threshold`: {0} is not above 0 and at most 1")]
    Threshold(String),
}

/// A typed document; the path of a mistake is part of its error.
pub(super) fn typed<T: DeserializeOwned>(value: &Value) -> Result<T, InputError> {
    serde_path_to_error::deserialize(value).map_err(|error| {
        let path = error.path().to_string();
        InputError::Field { path, problem: error.into_inner().to_string() }
    })
}

/// Members that the typed document does not have: extensions, which a policy may know.
pub(super) fn others(value: &Value, known: &[&str]) -> Map<String, Value> {
    let members = value.as_object().into_iter().flatten();
    let others = members.filter(|(name, _)| !known.contains(&name.as_str()));
    others.map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// `null` reads as absent.
pub(super) fn or_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(from: D) -> Result<T, D::Error> {
    Ok(Option::<T>::deserialize(from)?.unwrap_or_default())
}

/// The kind of a manifest; none for an input document.
pub(super) fn kind(value: &Value) -> Option<&str> {
    value.get("apiVersion")?;
    value.get("kind")?.as_str()
}
