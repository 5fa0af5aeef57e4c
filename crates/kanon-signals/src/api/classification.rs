//! The input document of classification (spec/signal-approval 1.2). Maps of labels are left out when empty; texts are always
//! there.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{
    SIGNAL_PROCESSING,
    read::{InputError, kind, or_default, others, typed},
    resources,
};

/// What the classification policy is asked about.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ClassificationInput {
    /// The target's namespace; without name where it is not known.
    #[serde(deserialize_with = "or_default")]
    pub namespace: Namespace,
    /// The alert or event.
    #[serde(deserialize_with = "or_default")]
    pub signal: Signal,
    /// The enriched target.
    #[serde(deserialize_with = "or_default")]
    pub workload: Workload,
    /// Owners of the target, nearest first (an extension of Kanon's).
    #[serde(deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub owner_chain: Vec<Owner>,
    /// Members that only a policy knows.
    #[serde(skip)]
    pub others: Map<String, Value>,
}

/// `input.namespace`
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Namespace {
    /// Its name; empty where it is not known.
    #[serde(deserialize_with = "or_default")]
    pub name: String,
    /// Its labels.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Its annotations.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

/// `input.signal`
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Signal {
    /// As the sender spelled it.
    #[serde(deserialize_with = "or_default")]
    pub severity: String,
    /// `alert`, most often.
    #[serde(rename = "type", deserialize_with = "or_default")]
    pub signal_type: String,
    /// `prometheus`, `kubernetes-events`, …
    #[serde(deserialize_with = "or_default")]
    pub source: String,
    /// The sender's labels: not to be trusted.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Name of the alert or reason of the event (an extension of Kanon's).
    #[serde(deserialize_with = "or_default", skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// The sender's annotations (an extension of Kanon's).
    #[serde(deserialize_with = "or_default", skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

/// `input.workload`
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Workload {
    /// Its kind; empty when none was read.
    #[serde(deserialize_with = "or_default")]
    pub kind: String,
    /// Its name.
    #[serde(deserialize_with = "or_default")]
    pub name: String,
    /// Its labels.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Its annotations.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

/// One owner of the target.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Owner {
    /// Its kind.
    #[serde(deserialize_with = "or_default")]
    pub kind: String,
    /// Its name.
    #[serde(deserialize_with = "or_default")]
    pub name: String,
    /// Its namespace, if it has one.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "String::is_empty")]
    pub namespace: String,
}

impl ClassificationInput {
    /// Reads a SignalProcessing object or the input document itself. What is missing reads as unknown; members that are not
    /// part of the document come through as they are.
    ///
    /// # Errors
    /// A member of the wrong type, a manifest of another kind.
    pub fn read(value: &Value) -> Result<ClassificationInput, InputError> {
        match kind(value) {
            Some(SIGNAL_PROCESSING) => resources::signal(value),
            Some(found) => Err(InputError::Kind { wanted: SIGNAL_PROCESSING, found: found.to_owned() }),
            None if !value.is_object() => Err(InputError::NotAnObject),
            None => {
                let mut input: ClassificationInput = typed(value)?;
                input.others = others(value, &["namespace", "signal", "workload", "owner_chain"]);
                Ok(input)
            }
        }
    }

    /// The document that the policy sees.
    pub fn document(&self) -> Value {
        let mut document = serde_json::to_value(self).unwrap_or_default();
        if let Value::Object(members) = &mut document {
            members.extend(self.others.clone());
        }
        document
    }
}
