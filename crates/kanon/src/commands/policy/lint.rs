//! `kanon policy lint`: mistakes in rules, and what is legal in rules and gates and probably not meant.

use kanon_core::{GroupVersionKind, PolicyFile, Scope};
use kanon_lang::LanguageId;
use kanon_promotion::{
    api::GATE,
    offline::lint::{Subject, lint},
};
use kanon_rules::{PodShapes, Sources, advise};
use kanon_runtime::Clock;
use serde_json::{Value, json};

use super::{rules, world};
use crate::{
    cli::policy::LintArgs,
    commands::check::manifests::{Manifest, parse_some},
    exit::{Exit, Failure},
    languages,
    output::{Format, print, print_data, table},
};

/// Lints every rule and every gate in the files; ends with 3 when there is something to look at.
pub(crate) fn run(args: &LintArgs) -> Result<Exit, Failure> {
    let texts = world::texts(&args.files)?;
    // A text that cannot be read at all is among what is found about rules.
    let manifests: Vec<_> = texts.iter().filter_map(|it| parse_some(it).ok()).flatten().collect();
    let gates = of_gates(&manifests, args.real_cluster);
    let rules = of_rules(&texts, &manifests, &args.shapes.shapes());
    let found = gates.1.len() + rules.1.len();
    if args.output == Format::Table {
        // What there is none of need not be told, unless there is nothing at all.
        if gates.0 > 0 || rules.0 == 0 {
            show(&["FILE", "GATE", "CODE", "FINDING"], &["file", "gate", "code", "message"], &gates.1)?;
            print(&format!("{} gates, {} findings\n", gates.0, gates.1.len()))?;
        }
        if rules.0 > 0 {
            show(&["PLACE", "RULE", "LEVEL", "FINDING"], &["place", "rule", "level", "message"], &rules.1)?;
            print(&format!("{} rules, {} findings\n", rules.0, rules.1.len()))?;
        }
    } else {
        let findings: Vec<_> = gates.1.into_iter().chain(rules.1).collect();
        print_data(args.output, &json!({"gates": gates.0, "rules": rules.0, "findings": findings}))?;
    }
    Ok(if found == 0 { Exit::Fine } else { Exit::Findings })
}

fn show(columns: &[&str], keys: &[&str], findings: &[Value]) -> Result<(), Failure> {
    if findings.is_empty() {
        return Ok(());
    }
    let row = |it: &Value| keys.iter().map(|key| it[*key].as_str().unwrap_or_default().to_owned()).collect();
    print(&table(columns, &findings.iter().map(row).collect::<Vec<_>>()))
}

/// How many gates there are, and what was found.
fn of_gates(manifests: &[Manifest], real_cluster: bool) -> (usize, Vec<Value>) {
    let view = world::view(manifests.iter().map(|it| &it.object), Clock::start().now());
    let compiler = world::compiler();
    let mut data = Vec::new();
    let mut gates = 0;
    for manifest in manifests.iter().filter(|it| it.object.str_at(&["kind"]) == GATE.kind) {
        gates += 1;
        let name = manifest.object.str_at(&["metadata", "name"]);
        let own = manifest.object.str_at(&["metadata", "namespace"]);
        let namespace = if own.is_empty() { "default" } else { own };
        let of =
            |it: &&kanon_promotion::view::Row| it.meta.subject.name == name && it.meta.subject.namespace == namespace;
        let Some(row) = view.gates.values().find(of) else { continue };
        let expression = manifest.object.at(&["spec", "expression"]).and_then(|it| it.as_str()).unwrap_or_default();
        let gate = match (&row.problem, &row.gate) {
            (Some(problem), _) => Err(problem),
            (None, Some(gate)) => Ok(&**gate),
            (None, None) => continue,
        };
        let subject = Subject { meta: &row.meta, expression: &expression, gate };
        for finding in lint(&subject, &view.facts, &compiler, real_cluster) {
            let place = &manifest.place;
            data.push(json!({"file": place, "gate": name, "namespace": namespace, "code": finding.code,
                "message": finding.message}));
        }
    }
    (gates, data)
}

/// How many rules there are, and what was found: what keeps one out of force, what works otherwise than written, what is hardly
/// meant.
fn of_rules(files: &[PolicyFile], manifests: &[Manifest], shapes: &PodShapes) -> (usize, Vec<Value>) {
    let (rules, mut problems) = rules::compile(&Sources { files, ..Sources::default() }, shapes);
    problems.extend(rules.expired_exceptions(Clock::start().now().wall));
    problems.extend(rules.endless_exceptions());
    let found = |place: &str, rule: &str, level: &str, message: &str| json!({"place": place, "rule": rule, "level": level, "message": message});
    let mut data: Vec<_> = problems
        .iter()
        .map(|it| found(&it.place, &it.rule, if it.warning { "warning" } else { "error" }, &it.message))
        .collect();
    let language = &languages::all()[&LanguageId::EXPR];
    for (place, rule) in rules.placed() {
        for advice in advise(rule, &**language, |kind| is_clustered(kind, manifests)) {
            data.push(found(place, &rule.name, "warning", &format!("`{}`: {}", advice.field, advice.message)));
        }
        for kind in rule.matcher.kinds.iter().filter(|it| is_misspelt(it)) {
            let message = format!("`match.gvk`: Kubernetes has no kind `{}` in `{}`", kind.kind, kind.api_version());
            data.push(found(place, &rule.name, "warning", &message));
        }
    }
    data.sort_by_key(|it| it["place"].as_str().unwrap_or_default().to_owned());
    (rules.len() + rules.count_exceptions(), data)
}

/// Whether objects of a kind have no namespace: Kubernetes' kinds, and those that the manifests define.
fn is_clustered(kind: &GroupVersionKind, manifests: &[Manifest]) -> Option<bool> {
    if let Some(builtin) = kanon_kinds::by_kind(kind) {
        return Some(builtin.scope == Scope::Cluster);
    }
    let defines = |it: &&Manifest| {
        let text = |path: &[&str]| it.object.str_at(path).to_owned();
        text(&["kind"]) == "CustomResourceDefinition"
            && text(&["spec", "group"]) == kind.group
            && text(&["spec", "names", "kind"]) == kind.kind
    };
    manifests.iter().find(defines).map(|it| it.object.str_at(&["spec", "scope"]) == "Cluster")
}

/// Whether a kind is of a group that is Kubernetes' own, and not there. Of others nothing is known.
fn is_misspelt(kind: &GroupVersionKind) -> bool {
    let is_own = kanon_kinds::kinds().iter().any(|it| it.gvk.group == kind.group);
    is_own && kanon_kinds::by_kind(kind).is_none()
}
