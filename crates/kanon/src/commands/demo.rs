//! `kanon up --demo`: applies a small cluster through the API server, as any user would, and compares what happened with
//! what each manifest expects.

use std::{path::Path, time::Duration};

use kanon_core::{GroupVersionKind, Kind, Node, Object, ObjectRef};
use kanon_kube::{Api, Error, resources};
use kanon_runtime::log;

use super::check::manifests::{self, Manifest};
use crate::{exit::Failure, output::table};

const NAMESPACES: &str = include_str!("../../demo/namespaces.yaml");
const POLICIES: &str = include_str!("../../demo/policies.yaml");
const WORKLOADS: &str = include_str!("../../demo/workloads.yaml");

/// Says what should happen to a workload: `allow`, or `deny`, `warn`, `dryrun` and the rule.
const EXPECT: [&str; 3] = ["metadata", "annotations", "demo.kanon.dev/expect"];
/// How often and how long to look for the policies to be in force: 500 × 20 ms.
const LOOKS: u32 = 500;
const LOOK_PAUSE: Duration = Duration::from_millis(20);

/// What became of one workload.
struct Outcome {
    subject: String,
    expected: String,
    seen: String,
    why: String,
}

/// The demo's result.
pub(crate) struct Report {
    /// A table for people.
    pub(crate) text: String,
    /// Whether every expected outcome was seen.
    pub(crate) as_expected: bool,
}

/// Applies everything and tells what happened. The demo can be run again on the same data: what it makes is replaced.
pub(crate) async fn run(api: &Api, log_dir: &Path) -> Result<Report, Failure> {
    for manifest in manifests::parse("namespaces.yaml", NAMESPACES)? {
        let kind = kind_of(api, &manifest.object).await?;
        api.apply(&path(&kind, &manifest.object), &manifest.object.to_value()).await?;
    }
    let policies = manifests::parse("policies.yaml", POLICIES)?;
    for manifest in &policies {
        let kind = kind_of(api, &manifest.object).await?;
        api.apply(&path(&kind, &manifest.object), &manifest.object.to_value()).await?;
    }
    wait_in_force(api, &policies).await?;
    let mut outcomes = Vec::new();
    for Manifest { object, .. } in manifests::parse("workloads.yaml", WORKLOADS)? {
        outcomes.push(create(api, &object, log_dir).await?);
    }
    let as_expected = outcomes.iter().all(|it| it.expected == it.seen);
    let row = |it: &Outcome| {
        let mark = if it.expected == it.seen { "as expected" } else { "NOT EXPECTED" };
        vec![it.subject.clone(), it.seen.clone(), mark.to_owned(), it.why.clone()]
    };
    let rows: Vec<_> = outcomes.iter().map(row).collect();
    let mut text = table(&["SUBJECT", "OUTCOME", "", "WHY"], &rows);
    text += &format!("\n{}", broken(api, &policies).await?);
    Ok(Report { text, as_expected })
}

async fn kind_of(api: &Api, object: &Object) -> Result<Kind, Failure> {
    let gvk = GroupVersionKind::from_api_version(object.str_at(&["apiVersion"]), object.str_at(&["kind"]));
    let plurals = resources(api, [gvk.clone()]).await?;
    let Some(plural) = plurals.get(&gvk) else {
        return Err(Failure::new(format!("the API server does not serve `{gvk}`")));
    };
    let (group, version, kind) = (gvk.group.as_str(), gvk.version.as_str(), gvk.kind.as_str());
    let namespaced = !object.str_at(&["metadata", "namespace"]).is_empty();
    let make = if namespaced { Kind::namespaced } else { Kind::cluster };
    Ok(make(group, version, kind, plural))
}

fn path(kind: &Kind, object: &Object) -> String {
    format!("{}/{}", kind.path(object.str_at(&["metadata", "namespace"])), object.str_at(&["metadata", "name"]))
}

/// Waits until every rule says in its status that it is live, and the webhook is asked about pods and deployments.
async fn wait_in_force(api: &Api, policies: &[Manifest]) -> Result<(), Failure> {
    let mut waiting = String::new();
    for _ in 0..LOOKS {
        waiting = not_in_force(api, policies).await?;
        if waiting.is_empty() {
            return Ok(());
        }
        tokio::time::sleep(LOOK_PAUSE).await;
    }
    Err(Failure::new(format!("{waiting} is not in force after ten seconds")))
}

async fn not_in_force(api: &Api, policies: &[Manifest]) -> Result<String, Failure> {
    for Manifest { object, .. } in policies {
        let kind = kind_of(api, object).await?;
        let live = api.get(&path(&kind, object)).await?;
        let has_status = live.as_ref().and_then(|it| it.at(&["status", "conditions"])).is_some();
        if !has_status {
            return Ok(format!("{} `{}`", kind.gvk.kind, object.str_at(&["metadata", "name"])));
        }
    }
    let hooks = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/kanon";
    let hooks = api.get(hooks).await?;
    let hooks = hooks.as_ref().map(|it| String::from_utf8_lossy(it.text()).into_owned()).unwrap_or_default();
    let covered = ["\"pods\"", "\"deployments\""].iter().all(|it| hooks.contains(it));
    Ok(if covered { String::new() } else { "the admission webhook".to_owned() })
}

async fn create(api: &Api, object: &Object, log_dir: &Path) -> Result<Outcome, Failure> {
    let kind = kind_of(api, object).await?;
    // From an earlier run on the same data.
    match api.call(http::Method::DELETE, &path(&kind, object), None).await {
        Ok(_) | Err(Error::Status { code: 404, .. }) => {}
        Err(error) => return Err(error.into()),
    }
    let made = api.create(&kind.path(object.str_at(&["metadata", "namespace"])), object).await;
    let (seen, why) = match made {
        Ok((made, warnings)) if warnings.is_empty() => recorded(&made, log_dir).await?,
        Ok((_, warnings)) => (format!("warn {}", rule_of(&warnings[0])), warnings.join("; ")),
        Err(Error::Status { code: 403, message, .. }) => {
            let reasons = message.split_once("denied the request: ").map_or(message.as_str(), |(_, it)| it);
            (format!("deny {}", rule_of(reasons)), message.clone())
        }
        Err(error) => return Err(error.into()),
    };
    let subject = ObjectRef {
        gvk: kind.gvk,
        namespace: object.str_at(&["metadata", "namespace"]).to_owned(),
        name: object.str_at(&["metadata", "name"]).to_owned(),
        uid: String::new(),
    };
    Ok(Outcome { subject: subject.to_string(), expected: object.str_at(&EXPECT).to_owned(), seen, why })
}

/// `<rule>: <message>` begins every reason.
fn rule_of(reason: &str) -> &str {
    reason.split_once(':').map_or(reason, |(rule, _)| rule)
}

/// What only the decision log tells: a dryrun rule leaves no other trace.
async fn recorded(made: &Object, log_dir: &Path) -> Result<(String, String), Failure> {
    let uid = made.str_at(&["metadata", "uid"]);
    let of_this = |it: &log::Entry| it.record["subject"]["uid"] == uid && it.record["kind"] == "decision";
    // The webhook answers without waiting for the disk; the record follows within a moment.
    for _ in 0..50 {
        if let Some(entry) = log::entries(log_dir, of_this)?.pop() {
            let text = |key: &str| entry.record[key].as_str().unwrap_or_default().to_owned();
            let (outcome, message) = (text("outcome"), text("message"));
            let rule = entry.record["policy"]["name"].as_str().unwrap_or_default();
            return Ok(match outcome.as_str() {
                "dryrun" => (format!("dryrun {rule}"), format!("{rule}: {message} (decision {})", entry.id)),
                _ => ("allow".to_owned(), message),
            });
        }
        if made.str_at(&EXPECT).starts_with("allow") {
            break;
        }
        tokio::time::sleep(LOOK_PAUSE).await;
    }
    Ok(("allow".to_owned(), String::new()))
}

/// The rules that do not compile, as their status says.
async fn broken(api: &Api, policies: &[Manifest]) -> Result<String, Failure> {
    let mut text = String::new();
    for Manifest { object, .. } in policies {
        let kind = kind_of(api, object).await?;
        let Some(live) = api.get(&path(&kind, object)).await? else { continue };
        let error = live.at(&["status", "parseError"]).and_then(Node::as_str).unwrap_or_default();
        if !error.is_empty() {
            text += &format!("{} `{}`: {error}\n", kind.gvk.kind, object.str_at(&["metadata", "name"]));
        }
    }
    Ok(text)
}
