//! The input document of approval (spec/signal-approval 3.2). Every member is always there, unknown ones as `null`, but for
//! `confidence_threshold`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Number, Value};

use super::{
    AI_ANALYSIS,
    read::{InputError, kind, or_default, others, typed},
    resources,
};

/// What stands for an environment that classification did not give.
const UNKNOWN_ENVIRONMENT: &str = "unknown";
/// What stands for a priority that classification did not give.
const USUAL_PRIORITY: &str = "P2";
/// Members of the document.
pub(super) const MEMBERS: [&str; 13] = [
    "signal_type",
    "severity",
    "environment",
    "business_priority",
    "target_resource",
    "remediation_target",
    "detected_labels",
    "failed_detections",
    "custom_labels",
    "business_classification",
    "confidence",
    "confidence_threshold",
    "warnings",
];

/// What the approval policy is asked about.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ApprovalInput {
    /// Name of the signal, normalised by its mode.
    #[serde(deserialize_with = "or_default")]
    pub signal_type: String,
    /// Severity, normalised.
    #[serde(deserialize_with = "or_default")]
    pub severity: String,
    /// Environment; `unknown` when none was given.
    pub environment: String,
    /// Priority; `P2` when none was given.
    pub business_priority: String,
    /// What the signal pointed at.
    #[serde(deserialize_with = "or_default")]
    pub target_resource: Resource,
    /// What the remediation would change; none when the analysis found nothing.
    pub remediation_target: Option<Resource>,
    /// What was found out about the target; none without a look at it, which reads as `{}`.
    #[serde(with = "detected")]
    pub detected_labels: Option<DetectedLabels>,
    /// What could not be found out, in camel case.
    pub failed_detections: Option<Vec<String>>,
    /// The operator's labels.
    #[serde(deserialize_with = "or_default")]
    pub custom_labels: BTreeMap<String, Vec<String>>,
    /// What the workload means to the business.
    pub business_classification: Option<Business>,
    /// Confidence in the selected workflow.
    pub confidence: Number,
    /// The operator's threshold, if there is one: above 0, at most 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub confidence_threshold: Option<Number>,
    /// What the analysis warned of.
    pub warnings: Option<Vec<String>>,
    /// Members that only a policy knows.
    #[serde(skip)]
    pub others: Map<String, Value>,
}

impl Default for ApprovalInput {
    fn default() -> ApprovalInput {
        ApprovalInput {
            signal_type: String::new(),
            severity: String::new(),
            environment: UNKNOWN_ENVIRONMENT.to_owned(),
            business_priority: USUAL_PRIORITY.to_owned(),
            target_resource: Resource::default(),
            remediation_target: None,
            detected_labels: None,
            failed_detections: None,
            custom_labels: BTreeMap::new(),
            business_classification: None,
            confidence: Number::from(0),
            confidence_threshold: None,
            warnings: None,
            others: Map::new(),
        }
    }
}

/// An object by kind and name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Resource {
    /// Its kind.
    #[serde(deserialize_with = "or_default")]
    pub kind: String,
    /// Its name.
    #[serde(deserialize_with = "or_default")]
    pub name: String,
    /// Its namespace.
    #[serde(deserialize_with = "or_default")]
    pub namespace: String,
}

/// What was found out about the target: all eight members, or none at all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[allow(clippy::struct_excessive_bools, reason = "eight independent findings, as the document has them")]
pub struct DetectedLabels {
    /// Managed by a GitOps tool.
    #[serde(alias = "gitOpsManaged", deserialize_with = "or_default")]
    pub git_ops_managed: bool,
    /// `argocd`, `flux`, or nothing.
    #[serde(alias = "gitOpsTool", deserialize_with = "or_default")]
    pub git_ops_tool: String,
    /// A disruption budget selects it.
    #[serde(alias = "pdbProtected", deserialize_with = "or_default")]
    pub pdb_protected: bool,
    /// An autoscaler scales it.
    #[serde(alias = "hpaEnabled", deserialize_with = "or_default")]
    pub hpa_enabled: bool,
    /// It keeps state.
    #[serde(deserialize_with = "or_default")]
    pub stateful: bool,
    /// Installed by Helm.
    #[serde(alias = "helmManaged", deserialize_with = "or_default")]
    pub helm_managed: bool,
    /// A network policy selects it.
    #[serde(alias = "networkIsolated", deserialize_with = "or_default")]
    pub network_isolated: bool,
    /// `istio`, `linkerd`, or nothing.
    #[serde(alias = "serviceMesh", deserialize_with = "or_default")]
    pub service_mesh: String,
}

/// What the workload means to the business: only what is known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Business {
    /// Who pays.
    #[serde(alias = "businessUnit", deserialize_with = "or_default", skip_serializing_if = "String::is_empty")]
    pub business_unit: String,
    /// Who answers.
    #[serde(alias = "serviceOwner", deserialize_with = "or_default", skip_serializing_if = "String::is_empty")]
    pub service_owner: String,
    /// How bad an outage is.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "String::is_empty")]
    pub criticality: String,
    /// What was promised.
    #[serde(alias = "slaRequirement", deserialize_with = "or_default", skip_serializing_if = "String::is_empty")]
    pub sla_requirement: String,
}

impl ApprovalInput {
    /// Reads an AIAnalysis object or the input document itself. What is missing stands as the document says: empty texts,
    /// `null`, environment `unknown`, priority `P2`, confidence 0.
    ///
    /// # Errors
    /// A member of the wrong type, a manifest of another kind, an analysis without workflow, a threshold outside (0, 1].
    pub fn read(value: &Value) -> Result<ApprovalInput, InputError> {
        let input = match kind(value) {
            Some(AI_ANALYSIS) => resources::analysis(value)?,
            Some(found) => return Err(InputError::Kind { wanted: AI_ANALYSIS, found: found.to_owned() }),
            None => ApprovalInput { others: others(value, &MEMBERS), ..ApprovalInput::part(value)? },
        };
        match &input.confidence_threshold {
            Some(it) if it.as_f64().is_none_or(|it| it <= 0.0 || it > 1.0) => {
                Err(InputError::Threshold(it.to_string()))
            }
            _ => Ok(input),
        }
    }

    /// The typed members; those that are `null` or empty where the document never is stand as if they were absent.
    pub(super) fn part(value: &Value) -> Result<ApprovalInput, InputError> {
        let Value::Object(members) = value else { return Err(InputError::NotAnObject) };
        let mut members = members.clone();
        for name in ["environment", "business_priority", "confidence"] {
            if members.get(name).is_some_and(|it| it.is_null() || *it == "") {
                members.remove(name);
            }
        }
        typed(&Value::Object(members))
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

/// No labels are written as `{}`, and read from `{}` or `null`.
mod detected {
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};
    use serde_json::Value;

    use super::DetectedLabels;

    pub(super) fn serialize<S: Serializer>(labels: &Option<DetectedLabels>, to: S) -> Result<S::Ok, S::Error> {
        match labels {
            Some(labels) => labels.serialize(to),
            None => serde_json::Map::new().serialize(to),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<DetectedLabels>, D::Error> {
        match Option::<Value>::deserialize(from)? {
            None => Ok(None),
            Some(Value::Object(members)) if members.is_empty() => Ok(None),
            Some(value) => DetectedLabels::deserialize(value).map(Some).map_err(D::Error::custom),
        }
    }
}
