//! `kanon policy diff`: what a change of rules would newly deny or resolve. Every object is asked about twice by the one decision
//! function: by the rules as they are, and as they would be.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use kanon_core::{Change, GroupVersionKind, Keep, Kind, Now, Object, Operation, Outcome, PolicyFile, UserInfo};
use kanon_kube::{Api, Span};
use kanon_plane::{Lookups, ObjectStore};
use kanon_rules::{Mode, Picture, Rules, RulesView, Sources, api};
use kanon_runtime::Clock;
use serde_json::{Value, json};

use super::{rules, world};
use crate::{
    cli::policy::DiffArgs,
    commands::{
        check::{
            Others,
            request::{Clustered, as_stored, kind_of, request},
            warn,
        },
        explain,
    },
    exit::{Exit, Failure},
    output::{Format, print, print_data, table},
    paths::DataDir,
    runtime,
};

/// What one rule says about one object in one loop.
type Saying = (Mode, String, String, String);

/// Both sets of rules, and the objects.
struct Both {
    before: Arc<Rules>,
    after: Arc<Rules>,
    objects: ObjectStore,
}

/// Shows the difference; ends with 3 when something would newly be denied or violated.
pub(crate) fn run(args: DiffArgs) -> Result<Exit, Failure> {
    let now = Clock::start().now();
    let changed = rules::files(&args.rules)?;
    let both = if args.files.is_empty() { live(&args, &changed)? } else { offline(&args, &changed)? };
    let kinds: BTreeSet<_> = both.before.kinds().union(&both.after.kinds()).cloned().collect();
    let others = Others::listed(both.objects.clone());
    let network = if args.files.is_empty() { Picture::of_cluster(&others) } else { Picture::of_manifests(&others) };
    let mut looked_at = 0;
    let mut rows = Vec::new();
    for kind in &kinds {
        for object in both.objects.list(kind, "") {
            looked_at += 1;
            let before = sayings(&both.before, object, &network, &others, now);
            let after = sayings(&both.after, object, &network, &others, now);
            let all: BTreeSet<_> = before.keys().chain(after.keys()).cloned().collect();
            rows.extend(all.into_iter().filter_map(|it| {
                let row = Row { before: before.get(&it).cloned(), after: after.get(&it).cloned(), saying: it };
                row.is_news().then_some(row)
            }));
        }
    }
    rows.sort_by(|a, b| a.saying.cmp(&b.saying));
    show(&rows, looked_at, args.output)?;
    Ok(if rows.iter().any(Row::is_worse) { Exit::Findings } else { Exit::Fine })
}

/// What is said about one object: outcome and message of each.
fn sayings(
    rules: &Arc<Rules>,
    object: &Object,
    network: &Picture<'_>,
    others: &Others,
    now: Now,
) -> BTreeMap<Saying, (Outcome, String)> {
    use kanon_plane::View as _;
    let review = request(object.clone(), Operation::Create, UserInfo::default());
    // Admission is asked through its own door, which passes over what admission passes over.
    let admission = RulesView::new(Arc::clone(rules)).review(&review, others, now).verdicts;
    let audit = rules.review_among(object, &[Mode::Audit], others, now);
    let said = admission.into_iter().map(|it| (Mode::Admission, it));
    let said = said.chain(audit.into_iter().map(|it| (Mode::Audit, it)));
    let reach = rules.review_network(object, network, others, now);
    let said = said.chain(reach.into_iter().map(|it| (Mode::Network, it)));
    let said = said.filter(|(_, it)| it.outcome != Outcome::Allow);
    said.map(|(mode, it)| {
        let subject = review.subject().to_string();
        ((mode, it.policy.name, subject, it.evidence.part), (it.outcome, it.message))
    })
    .collect()
}

/// One thing that would change.
struct Row {
    saying: Saying,
    before: Option<(Outcome, String)>,
    after: Option<(Outcome, String)>,
}

impl Row {
    fn outcomes(&self) -> (Option<Outcome>, Option<Outcome>) {
        (self.before.as_ref().map(|it| it.0), self.after.as_ref().map(|it| it.0))
    }

    fn is_news(&self) -> bool {
        let (before, after) = self.outcomes();
        before != after
    }

    /// Whether somebody is refused, or a violation is found, who was not before.
    fn is_worse(&self) -> bool {
        match self.outcomes() {
            (_, None | Some(Outcome::Error | Outcome::Skip)) => false,
            (before, Some(Outcome::Deny)) => before != Some(Outcome::Deny),
            (before, _) => self.saying.0 != Mode::Admission && !matches!(before, Some(Outcome::DryRun)),
        }
    }

    fn change(&self) -> &'static str {
        match self.outcomes() {
            (Some(_), None) => "resolved",
            _ if self.is_worse() && self.saying.0 == Mode::Admission => "denied",
            _ if self.is_worse() => "violated",
            _ => "changed",
        }
    }
}

/// An outcome's word: in audit a violation is one.
fn word(mode: Mode, outcome: Option<Outcome>) -> &'static str {
    match (mode, outcome) {
        (_, None) => "-",
        (Mode::Audit | Mode::Network, Some(Outcome::DryRun)) => "violation",
        (_, Some(outcome)) => outcome.as_str(),
    }
}

fn show(rows: &[Row], looked_at: usize, output: Format) -> Result<(), Failure> {
    let count = |change: &str| rows.iter().filter(|it| it.change() == change).count();
    if output != Format::Table {
        let row = |it: &Row| {
            let (mode, rule, subject, part) = &it.saying;
            let (before, after) = it.outcomes();
            let message = it.after.as_ref().or(it.before.as_ref()).map(|it| it.1.clone());
            json!({"change": it.change(), "mode": mode, "rule": rule, "subject": subject, "container": part,
                "before": before.map(|it| word(*mode, Some(it))), "after": after.map(|it| word(*mode, Some(it))),
                "message": message})
        };
        let changes: Vec<Value> = rows.iter().map(row).collect();
        return print_data(
            output,
            &json!({"objects": looked_at, "denied": count("denied"), "violated": count("violated"),
                "resolved": count("resolved"), "changes": changes}),
        );
    }
    let row = |it: &Row| {
        let (mode, rule, subject, part) = &it.saying;
        let (before, after) = it.outcomes();
        let message = it.after.as_ref().or(it.before.as_ref()).map(|it| it.1.clone()).unwrap_or_default();
        let cells =
            [it.change(), mode.as_str(), rule, subject, part, word(*mode, before), word(*mode, after), &message];
        cells.map(str::to_owned).to_vec()
    };
    if !rows.is_empty() {
        let columns = ["CHANGE", "MODE", "RULE", "SUBJECT", "PART", "BEFORE", "AFTER", "MESSAGE"];
        print(&table(&columns, &rows.iter().map(row).collect::<Vec<_>>()))?;
    }
    print(&format!(
        "{looked_at} objects looked at: {} newly denied, {} newly violated, {} resolved, {} changed otherwise\n",
        count("denied"),
        count("violated"),
        count("resolved"),
        count("changed"),
    ))
}

/// Rules and objects of files only.
fn offline(args: &DiffArgs, changed: &[PolicyFile]) -> Result<Both, Failure> {
    let known = rules::files(&args.against)?;
    let before = rules::must_compile(&Sources { files: &known, ..Sources::default() }, &args.shapes.shapes())?;
    let after = after(args, Vec::new(), &known, changed, &[])?;
    let mut objects = ObjectStore::default();
    for manifest in world::manifests(&args.files)? {
        let object = as_stored(&manifest.object, &Clustered::default(), "default");
        objects.apply(&kind_of(&object), Change::Applied, &object);
    }
    for kind in before.looked_up().union(&after.looked_up()) {
        objects.synced(kind, &Keep::All);
    }
    Ok(Both { before, after, objects })
}

/// Rules of the cluster, unless files say what they are, and its objects.
fn live(args: &DiffArgs, changed: &[PolicyFile]) -> Result<Both, Failure> {
    let data_dir = DataDir::resolve(args.which.data_dir.clone())?;
    let source = explain::source(args.which.kubeconfig.clone(), &data_dir);
    runtime()?.block_on(async {
        let api = Api::connect(&source).await?;
        let served = kanon_kube::discover(&api).await?;
        let mut known = Vec::new();
        if args.against.is_empty() {
            let kinds = [api::cluster_rule(), api::portal_rule(), api::cluster_exception(), api::exception()];
            // A cluster whose definitions are older has no exceptions.
            for kind in kinds.into_iter().filter(|it| !api::is_exception(it) || served.contains(it)).map(Arc::new) {
                let found = kanon_kube::list(&api, &Span::everywhere(&kind)).await?;
                known.extend(found.into_iter().map(|it| (Arc::clone(&kind), it)));
            }
        }
        let files = rules::files(&args.against)?;
        let sources = Sources { served: &served, objects: &known, files: &files };
        // What is broken in the cluster says nothing there either.
        let before = rules::compile(&sources, &args.shapes.shapes()).0;
        let after = after(args, known, &files, changed, &served)?;
        let mut wanted: BTreeSet<GroupVersionKind> = before.kinds().union(&after.kinds()).cloned().collect();
        wanted.extend(before.looked_up().union(&after.looked_up()).cloned());
        wanted.insert(GroupVersionKind::new("", "v1", "Namespace"));
        if before.active().chain(after.active()).any(|it| it.modes.contains(&Mode::Network)) {
            wanted.extend(kanon_rules::network_kinds());
        }
        let mut objects = ObjectStore::default();
        for gvk in wanted {
            let Some(kind) = served.iter().find(|it| it.gvk == gvk) else {
                warn(&format!(
                    "the API server knows no {} {}: nothing of it is looked at",
                    gvk.api_version(),
                    gvk.kind
                ));
                continue;
            };
            for object in kanon_kube::list(&api, &Span::everywhere(kind)).await? {
                objects.apply(&gvk, Change::Applied, &rules::with_kind(kind, &object));
            }
            objects.synced(&gvk, &Keep::All);
        }
        Ok(Both { before, after, objects })
    })
}

/// The rules as they would be: those that are known, with the changed ones in the place of those of the same name.
fn after(
    args: &DiffArgs,
    mut objects: Vec<(Arc<Kind>, Object)>,
    files: &[PolicyFile],
    changed: &[PolicyFile],
    served: &[Kind],
) -> Result<Arc<Rules>, Failure> {
    let shapes = args.shapes.shapes();
    let new = rules::must_compile(&Sources { files: changed, served, ..Sources::default() }, &shapes)?;
    if new.is_empty() {
        return Err(Failure::new("there is no rule in what was given"));
    }
    if args.whole {
        return Ok(new);
    }
    let names: BTreeSet<_> = new.names().collect();
    objects.retain(|(_, object)| {
        let home = Some(object.str_at(&["metadata", "namespace"])).filter(|it| !it.is_empty());
        !names.contains(&(home, object.str_at(&["spec", "name"])))
    });
    // Of files with one name the later counts.
    let all: Vec<_> = files.iter().chain(changed).cloned().collect();
    Ok(rules::compile(&Sources { served, objects: &objects, files: &all }, &shapes).0)
}
