//! The schema of Pipeline (1.1).

use serde_json::{Value, json};

use super::schema::{
    DNS_LABEL, boolean, conditions, duration, int, list, list_by, map, name, object, one_of, or, reference, text, time,
    whole,
};

pub(super) fn schema() -> Value {
    whole(spec(), status())
}

fn spec() -> Value {
    let mut environments = list_by("name", environment());
    environments["minItems"] = json!(1);
    object(
        &["git", "environments"],
        [
            ("git", git()),
            ("environments", environments),
            ("policyGates", list(reference())),
            ("paused", or(boolean(), json!(false))),
            ("historyLimit", or(int(Some(1)), json!(50))),
            ("policyNamespaces", list(text())),
            ("maxConcurrentPromotions", or(int(Some(0)), json!(0))),
            ("supersede", one_of(&["Newest", "HoldDuringSoak", "Queue"])),
        ],
    )
}

fn git() -> Value {
    object(
        &["url"],
        [
            ("url", name()),
            ("branch", text()),
            ("layout", or(one_of(&["directory", "branch"]), json!("directory"))),
            (
                "provider",
                or(
                    one_of(&["github", "gitlab", "forgejo", "gitea", "bitbucket", "azuredevops", "local"]),
                    json!("github"),
                ),
            ),
            ("secretRef", reference()),
            // Documented by the source, absent from its schema: accepted.
            ("sourceBranch", text()),
            ("branchPrefix", text()),
            ("webhookMode", text()),
            ("pollInterval", text()),
        ],
    )
}

fn environment() -> Value {
    let mut env_name = name();
    env_name["maxLength"] = json!(63);
    env_name["pattern"] = json!(DNS_LABEL);
    let webhook = object(
        &["url"],
        [("url", name()), ("timeoutSeconds", or(int(Some(1)), json!(300))), ("secretRef", reference())],
    );
    let step = object(&["uses"], [("uses", name()), ("webhook", webhook)]);
    object(
        &["name"],
        [
            ("name", env_name),
            ("path", text()),
            ("approval", or(one_of(&["auto", "pr-review"]), json!("auto"))),
            ("update", update()),
            ("health", health()),
            ("delivery", object(&[], [("delegate", or(one_of(&["none", "argoRollouts", "flagger"]), json!("none")))])),
            ("dependsOn", list(name())),
            ("wave", int(Some(1))),
            ("shard", text()),
            ("autoRollback", object(&[], [("failureThreshold", or(int(None), json!(3)))])),
            (
                "bake",
                object(
                    &["minutes"],
                    [
                        ("minutes", int(Some(1))),
                        ("policy", or(one_of(&["reset-on-alarm", "fail-on-alarm"]), json!("reset-on-alarm"))),
                    ],
                ),
            ),
            ("onHealthFailure", or(one_of(&["rollback", "abort", "none"]), json!("none"))),
            ("layout", or(one_of(&["directory", "branch"]), json!("directory"))),
            ("steps", list(step)),
            ("promotionTemplate", reference()),
            ("waitForMergeTimeout", duration()),
            ("stepTimeoutSeconds", int(Some(1))),
            ("regions", list(text())),
            ("labels", map()),
            ("pr", boolean()),
            ("renderManifests", boolean()),
            ("rollbackAutoMerge", boolean()),
        ],
    )
}

fn update() -> Value {
    let helm = object(
        &[],
        [("imagePathTemplate", or(text(), json!(".image.tag"))), ("valuesFile", or(text(), json!("values.yaml")))],
    );
    let argocd = object(
        &["application"],
        [
            ("application", name()),
            ("namespace", or(text(), json!("argocd"))),
            ("imageKey", or(text(), json!("image.tag"))),
        ],
    );
    object(
        &[],
        [
            ("strategy", or(one_of(&["kustomize", "helm", "argocd"]), json!("kustomize"))),
            ("helm", helm),
            ("argocd", argocd),
        ],
    )
}

fn health() -> Value {
    let named = || object(&[], [("name", text()), ("namespace", text())]);
    object(
        &[],
        [
            // `deployment` is what samples of the source write for `resource`.
            ("type", one_of(&["resource", "argocd", "flux", "argoRollouts", "flagger", "deployment"])),
            ("timeout", or(duration(), json!("10m"))),
            ("cluster", text()),
            ("labelSelector", map()),
            (
                "resource",
                object(&[], [("kind", or(text(), json!("Deployment"))), ("name", text()), ("namespace", text())]),
            ),
            ("argocd", named()),
            ("flux", named()),
            ("argoRollouts", named()),
            ("flagger", named()),
        ],
    )
}

fn status() -> Value {
    let metrics = object(
        &[],
        [
            ("rolloutsLast30Days", int(None)),
            ("p50CommitToProdMinutes", int(None)),
            ("p90CommitToProdMinutes", int(None)),
            ("autoRollbackRateMillis", int(None)),
            ("operatorInterventionRateMillis", int(None)),
            ("staleProdDays", int(None)),
            ("sampleSize", int(None)),
            ("computedAt", time()),
        ],
    );
    object(
        &[],
        [
            ("phase", or(one_of(&["Ready", "Degraded", "Unknown"]), json!("Unknown"))),
            ("conditions", conditions()),
            ("deploymentMetrics", metrics),
        ],
    )
}
