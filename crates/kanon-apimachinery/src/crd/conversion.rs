//! How objects go from one version to another: what a definition may say about it. `None` changes their apiVersion only; a webhook
//! is asked by `crate::conversion`.

use std::collections::BTreeSet;

use kanon_kinds::label_1035_problems;
use serde_json::Value;

use super::validate::text;
use crate::status::Cause;

/// Versions of ConversionReview there are.
const REVIEWS: [&str; 2] = ["v1", "v1beta1"];
const NOT_WEBHOOK: &str = "should not be set when strategy is not set to Webhook";

pub(super) fn validate(crd: &Value, causes: &mut Vec<Cause>) {
    let conversion = &crd["spec"]["conversion"];
    if !conversion.is_object() {
        return;
    }
    let webhook = &conversion["webhook"];
    let strategy = text(conversion, "strategy");
    match strategy {
        "" => causes.push(Cause::required("spec.conversion.strategy", "")),
        "None" | "Webhook" => {}
        other => causes.push(Cause::not_supported("spec.conversion.strategy", other, &["None", "Webhook"])),
    }
    if strategy != "Webhook" {
        if !webhook["clientConfig"].is_null() {
            causes.push(Cause::forbidden("spec.conversion.webhookClientConfig", NOT_WEBHOOK));
        }
        if webhook["conversionReviewVersions"].as_array().is_some_and(|it| !it.is_empty()) {
            causes.push(Cause::forbidden("spec.conversion.conversionReviewVersions", NOT_WEBHOOK));
        }
        return;
    }
    client(&webhook["clientConfig"], causes);
    reviews(&webhook["conversionReviewVersions"], causes);
}

fn client(config: &Value, causes: &mut Vec<Cause>) {
    let field = "spec.conversion.webhookClientConfig";
    if !config.is_object() {
        causes.push(Cause::required(field, "required when strategy is set to Webhook"));
    } else if config["url"].is_null() == config["service"].is_null() {
        causes.push(Cause::required(field, "exactly one of url or service is required"));
    }
}

fn reviews(list: &Value, causes: &mut Vec<Cause>) {
    let field = "spec.conversion.conversionReviewVersions";
    let names: Vec<&str> = list.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    if names.is_empty() {
        causes.push(Cause::required(field, ""));
        return;
    }
    let mut seen = BTreeSet::new();
    for (at, name) in names.iter().enumerate() {
        if !seen.insert(*name) {
            causes.push(Cause::invalid(&format!("{field}[{at}]"), &(*name).into(), "duplicate version"));
        }
        for problem in label_1035_problems(name) {
            causes.push(Cause::invalid(&format!("{field}[{at}]"), &(*name).into(), &problem));
        }
    }
    if !names.iter().any(|it| REVIEWS.contains(it)) {
        causes.push(Cause::invalid(field, list, &format!("must include at least one of {}", REVIEWS.join(", "))));
    }
}
