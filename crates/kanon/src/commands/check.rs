//! `kanon check`: rules against manifests, offline. The same decisions as in a cluster: admission's, as if the manifests were
//! sent, or audit's and the network's, as if they were stored; they are first what the API server would make of them.

mod explain;
mod field;
pub(crate) mod manifests;
pub(crate) mod network;
mod others;
pub(crate) mod positions;
pub(crate) mod render;
pub(crate) mod request;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use kanon_core::{
    GroupVersionKind, Input, Kind, Now, Object, Operation, Outcome, PolicyFile, Review, Scope, UserInfo, Verdict,
};
use kanon_lang::LanguageId;
use kanon_plane::{Plane, Settings};
use kanon_rules::{Mode, Picture, PodShapes, Rule, Rules, Sources};
use kanon_runtime::{Clock, Meant, read_folder};

use crate::{
    cli::check::{CheckArgs, CheckMode, CheckOperation, CheckOptions},
    exit::{Exit, Failure},
    families, languages,
};
pub(crate) use explain::run as explain;
use manifests::Manifest;
pub(crate) use others::Others;
use positions::{Positions, Step, show};
use render::{Checked, Finding, Report};
use request::{Clustered, as_stored, request};

/// Checks every manifest; ends with 3 when something would be denied, or is violated in audit.
pub(crate) fn run(args: CheckArgs) -> Result<Exit, Failure> {
    let now = Clock::start().now();
    let mode = args.options.mode;
    let mut asked = Asked::read(&args, now)?;
    asked.policies.warn_unless_asked(mode);
    let mut report = Report { mode: mode.as_str(), checked: Vec::new(), findings: Vec::new() };
    let network = Picture::of_manifests(&asked.others);
    for (manifest, review) in &asked.reviews {
        let subject = review.subject().to_string();
        report.checked.push(Checked { file: manifest.file.name.clone(), subject: subject.clone() });
        let verdicts = match mode {
            CheckMode::Admission => asked.policies.admission(review, &asked.others, now),
            CheckMode::Audit => asked.policies.audit(review, &asked.others, now),
            CheckMode::Network => asked.policies.network(review, &network, &asked.others, now),
        };
        for verdict in verdicts.into_iter().filter(|it| it.outcome != Outcome::Allow) {
            report.findings.push(asked.policies.finding(manifest, &subject, verdict, mode));
        }
    }
    report.print(args.options.output)?;
    Ok(if report.failing() > 0 { Exit::Findings } else { Exit::Fine })
}

/// What a command is about: rules, manifests as requests, and what lookups find.
struct Asked {
    policies: Policies,
    reviews: Vec<(Manifest, Review)>,
    others: Others,
}

impl Asked {
    fn read(args: &CheckArgs, now: Now) -> Result<Asked, Failure> {
        let mut manifests = Vec::new();
        for path in &args.manifests {
            manifests.extend(manifests::read(path)?);
        }
        let mut policies = Policies::load(&args.rules, &args.options.shapes.shapes(), &served(&manifests), now)?;
        let options = &args.options;
        let clustered = policies.clustered(&manifests);
        let reviews = manifests.into_iter().map(|it| {
            let review = review(&it.object, &clustered, options);
            (it, review)
        });
        let reviews: Vec<_> = reviews.collect();
        let mut others = match options.cluster {
            true => Others::of_cluster(&options.which, &mut policies.plane)?,
            false => Others::default(),
        };
        for path in &options.fixtures {
            for manifest in manifests::read(path)? {
                others.add(&review(&manifest.object, &clustered, options));
            }
        }
        reviews.iter().for_each(|(_, review)| others.add(review));
        Ok(Asked { policies, reviews, others })
    }
}

/// The kinds of manifests that Kubernetes does not have: what `*` means in a rule besides the kinds that every cluster has.
fn served(manifests: &[Manifest]) -> Vec<Kind> {
    let mut kinds: Vec<Kind> = Vec::new();
    for manifest in manifests {
        let text = |name: &str| manifest.object.str_at(&[name]);
        let gvk = GroupVersionKind::from_api_version(text("apiVersion"), text("kind"));
        let builtin = kanon_kinds::by_kind(&gvk);
        let plural = builtin.map_or_else(|| gvk.kind.to_ascii_lowercase() + "s", |it| it.plural.to_owned());
        let scope = builtin.map_or(Scope::Namespaced, |it| it.scope);
        if kinds.iter().all(|it| it.gvk != gvk) {
            kinds.push(Kind { gvk, plural, scope });
        }
    }
    kinds
}

/// Rule files, put through the families that decide in a cluster.
struct Policies {
    plane: Plane,
    rules: Arc<Rules>,
    /// Kinds of policies that have no namespace.
    clustered: Clustered,
    /// Of files in which something was found.
    positions: BTreeMap<String, Positions>,
}

impl Policies {
    /// Reads rule files. A rule that does not compile is a failure: what it would find is unknown.
    fn load(paths: &[PathBuf], shapes: &PodShapes, served: &[Kind], now: Now) -> Result<Policies, Failure> {
        let mut files = Vec::new();
        for path in paths {
            files.extend(rule_files(path)?);
        }
        let languages = languages::all();
        let language = Arc::clone(&languages[&LanguageId::EXPR]);
        let settings = kanon_rules::Settings { shapes: shapes.clone(), ..kanon_rules::Settings::default() };
        let sources = Sources { files: &files, served, ..Sources::default() };
        let (rules, problems) = Rules::from_sources(&sources, language, settings, kanon_actions::all());
        let broken: Vec<_> = problems.iter().filter(|it| !it.warning).map(ToString::to_string).collect();
        if !broken.is_empty() {
            return Err(Failure::new(broken.join("\n")));
        }
        if rules.is_empty() {
            return Err(Failure::new("there is no rule in what --rules names"));
        }
        for problem in problems.into_iter().chain(rules.expired_exceptions(now.wall)) {
            warn(&problem.to_string());
        }
        let settings = families::Settings { shapes: shapes.clone(), ..families::Settings::default() };
        let mut plane = Plane::new(families::all(&languages, &settings), Settings::default());
        if !served.is_empty() {
            plane.handle(&Input::Resources { kinds: served.into() }, now);
        }
        plane.handle(&Input::Folder { files, unreadable: Vec::new() }, now);
        let clustered = plane.kinds().into_iter().filter(|it| it.scope == Scope::Cluster);
        let clustered = clustered.map(|it| (it.gvk.group, it.gvk.kind)).collect();
        Ok(Policies { plane, rules, clustered, positions: BTreeMap::new() })
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
        let reviewed = self.plane.views().review(review, others, now).reviewed;
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
        let exception = verdict.evidence.exception.map(|it| *it);
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
            exception,
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

/// A line on standard error.
pub(crate) fn warn(text: &str) {
    use std::io::Write;
    let _ = writeln!(anstream::stderr(), "warning: {text}");
}

pub(crate) fn rule_files(path: &Path) -> Result<Vec<PolicyFile>, Failure> {
    let prefixed = |it: PolicyFile| PolicyFile { path: path.join(&it.path).display().to_string(), ..it };
    if path.is_dir() {
        let content = read_folder(path, Meant::Policies)?;
        if let Some(file) = content.unreadable.first() {
            return Err(Failure::new(format!("`{}`: {}", path.join(&file.path).display(), file.problem)));
        }
        return Ok(content.files.into_iter().map(prefixed).collect());
    }
    let text = std::fs::read(path);
    let text = text.map_err(|error| Failure::new(format!("failed to read `{}`: {error}", path.display())))?;
    Ok(vec![PolicyFile { path: path.display().to_string(), text: text.into() }])
}

/// The admission request that the manifest would make.
fn review(object: &Object, clustered: &Clustered, options: &CheckOptions) -> Review {
    let user = UserInfo { username: options.user.clone(), groups: options.groups.clone(), ..UserInfo::default() };
    let operation = match options.operation {
        CheckOperation::Create => Operation::Create,
        CheckOperation::Update => Operation::Update,
        CheckOperation::Delete => Operation::Delete,
    };
    request(as_stored(object, clustered, &options.namespace), operation, user)
}
