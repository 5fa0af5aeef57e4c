//! Input documents out of the family's objects (spec/signal-approval 4.3, 4.4).

use serde_json::{Map, Value, json};

use super::{
    approval::ApprovalInput,
    classification::ClassificationInput,
    read::{InputError, typed},
};

/// The classification input of a SignalProcessing object: its signal, and what enrichment found so far.
pub(super) fn signal(object: &Value) -> Result<ClassificationInput, InputError> {
    let signal = &object["spec"]["signal"];
    let context = &object["status"]["kubernetesContext"];
    let document = json!({
        "namespace": context["namespace"],
        "signal": {
            "severity": signal["severity"], "type": signal["type"], "source": signal["source"],
            "labels": signal["labels"], "name": signal["name"], "annotations": signal["annotations"],
        },
        "workload": context["workload"],
        "owner_chain": context["ownerChain"],
    });
    typed(&document)
}

/// The approval input of an AIAnalysis object.
pub(super) fn analysis(object: &Value) -> Result<ApprovalInput, InputError> {
    let context = &object["spec"]["analysisRequest"]["signalContext"];
    let enrichment = &context["enrichmentResults"];
    let status = &object["status"];
    let detected = &status["postRCAContext"]["detectedLabels"];
    let Value::Object(workflow) = &status["selectedWorkflow"] else { return Err(InputError::NoWorkflow) };
    // With a look at the target all eight labels are there, even when none was found.
    let labels = detected.as_object().map(|found| {
        let mut labels: Map<_, _> = found.clone();
        labels.remove("failedDetections");
        labels.entry("gitOpsManaged").or_insert(Value::Bool(false));
        labels
    });
    let document = json!({
        "signal_type": context["signalName"], "severity": context["severity"], "environment": context["environment"],
        "business_priority": context["businessPriority"], "target_resource": context["targetResource"],
        "remediation_target": status["rootCauseAnalysis"]["remediationTarget"],
        "detected_labels": labels, "failed_detections": detected["failedDetections"],
        "custom_labels": enrichment["kubernetesContext"]["customLabels"],
        "business_classification": enrichment["businessClassification"],
        "confidence": workflow.get("confidence"),
        "warnings": status["warnings"],
    });
    let mut input = ApprovalInput::part(&document)?;
    // No warnings are none at all.
    input.warnings = input.warnings.filter(|it| !it.is_empty());
    Ok(input)
}
