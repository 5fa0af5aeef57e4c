//! A rule is edited, among a hundred others: how long until a request is answered by the new text. Against `kanon up` in a process
//! of its own, from outside, over HTTPS.

use std::time::Instant;

use kanon_core::Object;
use kanon_kube::{Api, Source};
use serde_json::{Value, json};

use super::process::Up;
use crate::{median, report};

/// How many edits.
const EDITS: usize = 300;
/// How many other rules are in force.
const OTHERS: usize = 100;
const RULES: &str = "/apis/portal.io/v1alpha1/portalclusterrules";
const TRIAL: &str = "/api/v1/namespaces/default/configmaps";

fn rule(name: &str, kind: &str, text: &str) -> Object {
    Object::from_value(
        &json!({"apiVersion": "portal.io/v1alpha1", "kind": "PortalClusterRule", "metadata": {"name": name},
        "spec": {"name": name, "enabled": true, "mode": ["admission"], "enforcementAction": "deny", "rule": text,
            "match": {"gvk": [{"group": "", "version": "v1", "kind": kind}]}}}),
    )
}

/// Prints the figures.
pub(crate) async fn run() -> anyhow::Result<()> {
    let up = Up::start()?;
    let api = Api::connect(&Source::File(up.kubeconfig.clone())).await?;
    for n in 0..OTHERS {
        let text = format!("container.image.tag == 'v{n}' && metadata.name != 'web'");
        api.create(RULES, &rule(&format!("other-{n}"), "Pod", &text)).await?;
    }
    api.create(RULES, &rule("edited", "ConfigMap", &about(0))).await?;
    until_denied(&api, 0).await?;
    let (mut answered, mut sent) = (Vec::new(), Vec::new());
    for n in 1..=EDITS {
        let patch: Value = json!({"spec": {"rule": about(n)}});
        let begin = Instant::now();
        api.merge(&format!("{RULES}/edited"), &patch).await?;
        let durable = Instant::now();
        until_denied(&api, n).await?;
        answered.push(durable.elapsed().as_secs_f64() * 1e3);
        sent.push(begin.elapsed().as_secs_f64() * 1e3);
    }
    let figure =
        |times: Vec<f64>| format!("median {:.1} ms, p99 {:.1} ms", median(times.clone()), percentile(times, 99));
    let what = format!("a rule's edit, {OTHERS} others, acknowledged to enforced");
    report(&what, &figure(answered), "p99 ≤ 50 ms", "-");
    report("  the same from when it is sent", &figure(sent), "-", "-");
    Ok(())
}

fn about(n: usize) -> String {
    format!("metadata.labels?.trial == '{n}'")
}

/// Tries to create what the newest text denies until it is denied.
async fn until_denied(api: &Api, n: usize) -> anyhow::Result<()> {
    let trial = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"generateName": "trial-", "labels": {"trial": n.to_string()}}});
    let (trial, begin) = (Object::from_value(&trial), Instant::now());
    loop {
        match api.create(TRIAL, &trial).await {
            Err(error) if error.code() == Some(403) => return Ok(()),
            Ok(_) => {}
            Err(error) => return Err(error.into()),
        }
        anyhow::ensure!(begin.elapsed().as_secs() < 30, "edit {n} is not enforced after 30 s");
    }
}

fn percentile(mut values: Vec<f64>, part: usize) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() * part / 100).copied().unwrap_or(f64::NAN)
}
