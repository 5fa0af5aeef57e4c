//! `kanon check`: rules against manifests, offline. The same decisions as in a cluster: admission's, as if the manifests were
//! sent, or audit's and the network's, as if they were stored; they are first what the API server would make of them.

mod field;
pub(crate) mod manifests;
pub(crate) mod network;
pub(crate) mod positions;
pub(crate) mod render;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::Arc,
};

use kanon_core::{
    Change, GroupVersionKind, Input, Now, Object, Operation, Outcome, PolicyFile, Resource, Review, Scope, UserInfo,
    Verdict,
};
use kanon_lang::LanguageId;
use kanon_plane::{Lookups, ObjectStore, Plane, Settings, Views};
use kanon_rules::{Mode, Picture, Rule, Rules};
use kanon_runtime::{Clock, read_folder};

use crate::{
    cli::check::{CheckArgs, CheckMode, CheckOperation},
    exit::{Exit, Failure},
    families, languages,
};
use manifests::Manifest;
use positions::{Positions, Step, show};
use render::{Checked, Finding, Report};

/// Checks every manifest; ends with 3 when something would be denied, or is violated in audit.
pub(crate) fn run(args: CheckArgs) -> Result<Exit, Failure> {
    let now = Clock::start().now();
    let mut policies = Policies::load(&args.rules, now)?;
    policies.warn_unless_asked(args.mode);
    let mut manifests = Vec::new();
    for path in &args.manifests {
        manifests.extend(manifests::read(path)?);
    }
    let mut report = Report { mode: args.mode.as_str(), checked: Vec::new(), findings: Vec::new() };
    let clustered = policies.clustered(&manifests);
    let reviews: Vec<_> = manifests.iter().map(|it| review(&it.object, &clustered, &args)).collect();
    let others = Others::of(reviews.iter().filter_map(|it| Some((&it.kind, it.subject_object()?))));
    let network = Picture::of_manifests(&others);
    for (manifest, review) in manifests.iter().zip(&reviews) {
        let subject = review.subject().to_string();
        report.checked.push(Checked { file: manifest.file.name.clone(), subject: subject.clone() });
        let verdicts = match args.mode {
            CheckMode::Admission => policies.admission(review, &others, now),
            CheckMode::Audit => policies.audit(review, &others, now),
            CheckMode::Network => policies.network(review, &network, &others, now),
        };
        for verdict in verdicts.into_iter().filter(|it| it.outcome != Outcome::Allow) {
            report.findings.push(policies.finding(manifest, &subject, verdict, args.mode));
        }
    }
    report.print(args.output)?;
    Ok(if report.failing() > 0 { Exit::Findings } else { Exit::Fine })
}

/// What lookups find: the manifests of the same run, and nothing else. So all of it is known.
struct Others(ObjectStore);

impl Others {
    fn of<'o>(objects: impl IntoIterator<Item = (&'o GroupVersionKind, &'o Object)>) -> Others {
        let mut store = ObjectStore::default();
        for (kind, object) in objects {
            store.apply(kind, Change::Applied, object);
        }
        Others(store)
    }
}

impl Lookups for Others {
    fn get(&self, kind: &GroupVersionKind, namespace: &str, name: &str) -> Option<&Object> {
        self.0.get(kind, namespace, name)
    }

    fn list(&self, kind: &GroupVersionKind, namespace: &str) -> Vec<&Object> {
        self.0.list(kind, namespace)
    }

    fn is_synced(&self, _: &GroupVersionKind) -> bool {
        true
    }
}

/// Custom kinds whose objects have no namespace: group and kind.
type Clustered = BTreeSet<(String, String)>;

/// Rule files, put through the families that decide in a cluster.
struct Policies {
    views: Views,
    rules: Arc<Rules>,
    /// Kinds of policies that have no namespace.
    clustered: Clustered,
    /// Of files in which something was found.
    positions: BTreeMap<String, Positions>,
}

impl Policies {
    /// Reads rule files. A rule that does not compile is a failure: what it would find is unknown.
    fn load(paths: &[PathBuf], now: Now) -> Result<Policies, Failure> {
        let mut files = Vec::new();
        for path in paths {
            files.extend(rule_files(path)?);
        }
        let languages = languages::all();
        let language = Arc::clone(&languages[&LanguageId::EXPR]);
        let (rules, problems) =
            Rules::from_documents(&files, language, kanon_rules::Settings::default(), kanon_actions::all());
        let named = |it: &kanon_rules::Problem| format!("rule `{}` ({}): {}", it.rule, it.place, it.message);
        let broken: Vec<_> = problems.iter().filter(|it| !it.warning).map(named).collect();
        if !broken.is_empty() {
            return Err(Failure::new(broken.join("\n")));
        }
        if rules.is_empty() {
            return Err(Failure::new("there is no rule in what --rules names"));
        }
        for problem in problems {
            warn(&named(&problem));
        }
        let mut plane = Plane::new(families::all(&languages, &families::Settings::default()), Settings::default());
        plane.handle(&Input::Folder { files }, now);
        let clustered = plane.kinds().into_iter().filter(|it| it.scope == Scope::Cluster);
        let clustered = clustered.map(|it| (it.gvk.group, it.gvk.kind)).collect();
        Ok(Policies { views: plane.views().clone(), rules, clustered, positions: BTreeMap::new() })
    }

    /// The custom kinds without a namespace: those of policies, and those that the manifests define.
    fn clustered(&self, manifests: &[Manifest]) -> Clustered {
        let definitions = manifests.iter().map(|it| &it.object);
        let definitions = definitions.filter(|it| it.str_at(&["kind"]) == "CustomResourceDefinition");
        let clustered = definitions.filter(|it| it.str_at(&["spec", "scope"]) == "Cluster");
        let defined = clustered
            .map(|it| (it.str_at(&["spec", "group"]).to_owned(), it.str_at(&["spec", "names", "kind"]).to_owned()));
        self.clustered.iter().cloned().chain(defined).collect()
    }

    /// A mode that no rule has finds nothing, which nobody should take for a pass.
    fn warn_unless_asked(&self, mode: CheckMode) {
        if !self.rules.active().any(|it| it.modes.contains(&mode.of_rules())) {
            warn(&format!("no rule is active in mode `{}`", mode.as_str()));
        }
    }

    /// What admission would say. Other families than the rules' have their say about their own kinds.
    fn admission(&self, review: &Review, others: &Others, now: Now) -> Vec<Verdict> {
        let reviewed = self.views.review(review, others, now).reviewed;
        reviewed.into_iter().flat_map(|(_, it)| it.verdicts).collect()
    }

    /// What audit would say.
    fn audit(&self, review: &Review, others: &Others, now: Now) -> Vec<Verdict> {
        let objects = review.subject_object().into_iter();
        objects.flat_map(|it| self.rules.review_among(it, &[Mode::Audit], others, now)).collect()
    }

    /// What the network loop would say.
    fn network(&self, review: &Review, network: &Picture<'_>, others: &Others, now: Now) -> Vec<Verdict> {
        let objects = review.subject_object().into_iter();
        objects.flat_map(|it| self.rules.review_network(it, network, others, now)).collect()
    }

    fn finding(&mut self, manifest: &Manifest, subject: &str, verdict: Verdict, mode: CheckMode) -> Finding {
        let rule = self.rule(&verdict).cloned();
        let field = rule.as_deref().map(|it| field::offending(it, &verdict, &manifest.object)).unwrap_or_default();
        let file = &manifest.file;
        let positions = self.positions.entry(file.name.clone()).or_insert_with(|| Positions::read(&file.text));
        let path: Vec<Step> = manifest.path.iter().chain(&field).cloned().collect();
        let (word, fails) = match (mode, verdict.outcome) {
            (CheckMode::Audit | CheckMode::Network, Outcome::DryRun) => ("violation", true),
            (_, outcome) => (outcome.as_str(), outcome == Outcome::Deny),
        };
        Finding {
            manifest: manifest.place.clone(),
            file: file.name.clone(),
            position: positions.find(manifest.document, &path),
            field: show(&field),
            subject: subject.to_owned(),
            policy: verdict.policy.name,
            severity: rule.and_then(|it| it.severity),
            outcome: verdict.outcome,
            word,
            fails,
            message: verdict.message,
            part: verdict.evidence.part,
        }
    }

    fn rule(&self, verdict: &Verdict) -> Option<&Arc<Rule>> {
        if verdict.family != kanon_rules::FAMILY {
            return None;
        }
        let home = &verdict.policy.namespace;
        self.rules.active().find(|it| it.name == verdict.policy.name && it.home.as_deref().unwrap_or_default() == home)
    }
}

fn warn(text: &str) {
    use std::io::Write;
    let _ = writeln!(anstream::stderr(), "warning: {text}");
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

/// The admission request that the manifest would make.
fn review(object: &Object, clustered: &Clustered, args: &CheckArgs) -> Review {
    let kind = kind_of(object);
    let object = as_stored(object, &kind, clustered, &args.namespace);
    let text = |name: &str| object.str_at(&["metadata", name]).to_owned();
    let plural = kanon_kinds::by_kind(&kind).map(|it| it.plural.to_owned()).unwrap_or_default();
    let (operation, new, old) = match args.operation {
        CheckOperation::Create => (Operation::Create, Some(object.clone()), None),
        CheckOperation::Update => (Operation::Update, Some(object.clone()), None),
        CheckOperation::Delete => (Operation::Delete, None, Some(object.clone())),
    };
    Review {
        uid: String::new(),
        operation,
        resource: Resource { group: kind.group.clone(), version: kind.version.clone(), resource: plural },
        namespace: text("namespace"),
        name: text("name"),
        kind,
        sub_resource: String::new(),
        user: UserInfo { username: args.user.clone(), groups: args.groups.clone(), ..UserInfo::default() },
        object: new,
        old_object: old,
        options: None,
        dry_run: true,
    }
}

fn kind_of(object: &Object) -> GroupVersionKind {
    GroupVersionKind::from_api_version(object.str_at(&["apiVersion"]), object.str_at(&["kind"]))
}

/// The manifest as the API server hands it to admission: in a namespace where its kind has one, with the defaults of its kind.
fn as_stored(object: &Object, kind: &GroupVersionKind, clustered: &Clustered, namespace: &str) -> Object {
    let builtin = kanon_kinds::by_kind(kind);
    let mut value = object.to_value();
    if let Some(kind) = builtin {
        kanon_kinds::default(kind, &mut value);
    }
    let is_namespaced = match builtin {
        Some(kind) => kind.scope == Scope::Namespaced,
        None => !clustered.contains(&(kind.group.clone(), kind.kind.clone())),
    };
    if let (true, Some(root)) = (is_namespaced, value.as_object_mut()) {
        let metadata = root.entry("metadata").or_insert_with(|| serde_json::json!({}));
        let own = metadata["namespace"].as_str().unwrap_or_default();
        if own.is_empty()
            && let Some(metadata) = metadata.as_object_mut()
        {
            metadata.insert("namespace".to_owned(), namespace.into());
        }
    }
    Object::from_value(&value)
}
