//! `kanon check`: rules against manifests, offline. The same decision as admission's: the manifests are reviewed as if they
//! were created.

pub(crate) mod manifests;

use std::path::{Path, PathBuf};

use kanon_core::{Input, Now, Object, Operation, Outcome, PolicyFile, Resource, Review, UserInfo};
use kanon_plane::{NoLookups, Plane, Settings, Views};
use kanon_runtime::{Clock, read_folder};
use serde_json::json;

use crate::{
    cli::CheckArgs,
    exit::{Exit, Failure},
    families, languages,
    output::{Format, print, print_data, table},
};
use manifests::Manifest;

/// What a policy said about a manifest.
struct Finding {
    manifest: String,
    subject: String,
    policy: String,
    outcome: Outcome,
    message: String,
    part: String,
}

/// Checks every manifest; ends with 3 when something would be denied.
pub(crate) fn run(args: CheckArgs) -> Result<Exit, Failure> {
    let clock = Clock::start();
    let views = load(&args.rules, clock.now())?;
    let mut findings = Vec::new();
    let mut checked = 0;
    for path in &args.manifests {
        for manifest in manifests::read(path)? {
            checked += 1;
            findings.extend(check(&views, &manifest, &args.namespace, clock.now()));
        }
    }
    let denied = findings.iter().filter(|it| it.outcome == Outcome::Deny).count();
    match args.output {
        Format::Table => {
            let row = |it: &Finding| {
                let outcome = it.outcome.as_str().to_owned();
                vec![it.subject.clone(), it.policy.clone(), outcome, it.part.clone(), it.message.clone()]
            };
            let rows: Vec<_> = findings.iter().map(row).collect();
            if !rows.is_empty() {
                print(&table(&["SUBJECT", "POLICY", "OUTCOME", "PART", "MESSAGE"], &rows))?;
            }
            print(&format!("{checked} manifests checked, {} findings, {denied} denied\n", findings.len()))?;
        }
        Format::Json | Format::Yaml => {
            let finding = |it: &Finding| {
                json!({"manifest": it.manifest, "subject": it.subject, "policy": it.policy, "part": it.part,
                    "outcome": it.outcome.as_str(), "message": it.message})
            };
            let findings: Vec<_> = findings.iter().map(finding).collect();
            print_data(args.output, &json!({"checked": checked, "denied": denied, "findings": findings}))?;
        }
    }
    Ok(if denied > 0 { Exit::Findings } else { Exit::Fine })
}

/// The views of all families over these rule files. A rule that does not compile is a failure: what it would find is unknown.
fn load(paths: &[PathBuf], now: Now) -> Result<Views, Failure> {
    let mut files = Vec::new();
    for path in paths {
        files.extend(rule_files(path)?);
    }
    let mut plane = Plane::new(families::all(&languages::all(), "", families::looked_at()), Settings::default());
    plane.handle(&Input::Folder { files }, now);
    // Other families have policies without any file.
    let views = plane.views().iter().filter(|view| view.family() == kanon_rules::FAMILY);
    let policies = views.flat_map(|view| view.policies()).collect::<Vec<_>>();
    let broken = policies.iter().filter(|it| !it.problem.is_empty());
    let broken: Vec<_> = broken.map(|it| format!("rule `{}`: {}", it.name, it.problem)).collect();
    if !broken.is_empty() {
        return Err(Failure::new(broken.join("\n")));
    }
    if policies.is_empty() {
        return Err(Failure::new("there is no rule in what --rules names"));
    }
    Ok(plane.views().clone())
}

fn rule_files(path: &Path) -> Result<Vec<PolicyFile>, Failure> {
    let prefixed = |it: PolicyFile| PolicyFile { path: path.join(&it.path).display().to_string(), ..it };
    if path.is_dir() {
        return Ok(read_folder(path)?.into_iter().map(prefixed).collect());
    }
    let text = std::fs::read(path);
    let text = text.map_err(|error| Failure::new(format!("failed to read `{}`: {error}", path.display())))?;
    Ok(vec![PolicyFile { path: path.display().to_string(), text: text.into() }])
}

fn check(views: &Views, manifest: &Manifest, namespace: &str, now: Now) -> Vec<Finding> {
    let review = review(&manifest.object, namespace);
    let subject = review.subject().to_string();
    let verdicts = views.review(&review, &NoLookups, now).reviewed.into_iter().flat_map(|(_, it)| it.verdicts);
    let finding = |it: kanon_core::Verdict| Finding {
        manifest: manifest.place.clone(),
        subject: subject.clone(),
        policy: it.policy.name,
        outcome: it.outcome,
        message: it.message,
        part: it.evidence.part,
    };
    verdicts.filter(|it| it.outcome != Outcome::Allow).map(finding).collect()
}

/// The admission request that creating this object would make.
fn review(object: &Object, namespace: &str) -> Review {
    let kind = kanon_core::GroupVersionKind::from_api_version(object.str_at(&["apiVersion"]), object.str_at(&["kind"]));
    let own = object.str_at(&["metadata", "namespace"]);
    let name = object.str_at(&["metadata", "name"]).to_owned();
    Review {
        uid: String::new(),
        operation: Operation::Create,
        resource: Resource { group: kind.group.clone(), version: kind.version.clone(), resource: String::new() },
        kind,
        sub_resource: String::new(),
        namespace: if own.is_empty() { namespace.to_owned() } else { own.to_owned() },
        name,
        user: UserInfo::default(),
        object: Some(object.clone()),
        old_object: None,
        options: None,
        dry_run: true,
    }
}
