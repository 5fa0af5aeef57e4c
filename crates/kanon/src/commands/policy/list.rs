//! `kanon policy list`: the policies of every family; gates with what only they have.

use kanon_kube::Api;
use kanon_promotion::{
    PromotionView, api as promotion,
    collect::{Role, namespaces},
    duration,
};
use kanon_runtime::Clock;
use serde_json::{Value, json};

use super::world;
use crate::{
    cli::policy::{ClusterArgs, ListArgs},
    commands::explain,
    exit::{Exit, Failure},
    output::{Format, print, print_data, table},
    paths::DataDir,
    runtime,
};

/// Lists what was asked for.
pub(crate) fn run(args: ListArgs) -> Result<Exit, Failure> {
    let wants = |it: &str| it.eq_ignore_ascii_case("gate") || promotion::GATE.is_meant(it);
    if args.pipeline.is_some() || args.kind.as_deref().is_some_and(wants) {
        return gates(args);
    }
    let ListArgs { kind, namespace, cluster: ClusterArgs { kubeconfig, data_dir }, output, pipeline: _ } = args;
    let source = explain::source(kubeconfig, &DataDir::resolve(data_dir)?);
    let plane = runtime()?.block_on(async {
        let api = Api::connect(&source).await?;
        explain::plane(&api).await
    })?;
    let mut found: Vec<_> = plane.views().iter().flat_map(|view| view.policies()).collect();
    // Short names and plurals mean their kind, as in kubectl.
    let names = kind.map(|word| {
        let crds = plane.crds();
        let meant = |it: &&Value| {
            let names = &it["spec"]["names"];
            let short = names["shortNames"].as_array().into_iter().flatten();
            let words = [&names["kind"], &names["plural"], &names["singular"]].into_iter().chain(short);
            words.filter_map(|it| it.as_str()).any(|it| it.eq_ignore_ascii_case(&word))
        };
        let kind = crds.iter().find(meant).and_then(|it| it["spec"]["names"]["kind"].as_str());
        kind.map_or(word.clone(), str::to_owned)
    });
    found.retain(|it| {
        names.as_ref().is_none_or(|kind| it.kind.eq_ignore_ascii_case(kind))
            && namespace.as_ref().is_none_or(|wanted| it.namespace == *wanted)
    });
    if output == Format::Table {
        let row = |it: &kanon_plane::PolicySummary| {
            let namespace = if it.namespace.is_empty() { "-".to_owned() } else { it.namespace.clone() };
            let problem = it.problem.lines().next().unwrap_or_default().to_owned();
            vec![it.kind.clone(), namespace, it.name.clone(), it.active.to_string(), problem]
        };
        let rows: Vec<_> = found.iter().map(row).collect();
        print(&table(&["KIND", "NAMESPACE", "NAME", "ACTIVE", "PROBLEM"], &rows))?;
    } else {
        let row = |it: &kanon_plane::PolicySummary| {
            json!({"kind": it.kind, "namespace": it.namespace, "name": it.name, "active": it.active,
                "problem": it.problem})
        };
        print_data(output, &json!({"policies": found.iter().map(row).collect::<Vec<_>>()}))?;
    }
    Ok(Exit::Fine)
}

/// Gates with the columns of spec/promotion-gates 4.3.6.
fn gates(args: ListArgs) -> Result<Exit, Failure> {
    let ListArgs { namespace, cluster, output, pipeline, kind: _ } = args;
    let clock = Clock::start();
    let objects = world::of_cluster(cluster)?;
    let view = world::view(&objects, clock.now());
    let scanned = pipeline.map(|name| scanned(&view, &name)).transpose()?;
    let mut rows = Vec::new();
    let mut data = Vec::new();
    for row in view.gates.values().filter(|it| it.meta.role() != Role::Instance) {
        let subject = &row.meta.subject;
        let shown = namespace.as_ref().is_none_or(|it| *it == subject.namespace)
            && scanned.as_ref().is_none_or(|it| it.contains(&subject.namespace));
        if !shown {
            continue;
        }
        let named = |it: &&kanon_core::Object| {
            it.str_at(&["kind"]) == promotion::GATE.kind
                && it.str_at(&["metadata", "namespace"]) == subject.namespace
                && it.str_at(&["metadata", "name"]) == subject.name
        };
        let status = objects.iter().find(named).and_then(|it| it.at(&["status"])).map(|it| it.to_value());
        let status = status.unwrap_or_default();
        let evaluated = status["lastEvaluatedAt"].as_str();
        let ready = match (evaluated, &row.problem) {
            (Some(_), _) if status["ready"] == true => "Pass",
            (Some(_), _) => "Block",
            (None, Some(_)) => "Invalid",
            (None, None) if status["reason"].is_string() => "Valid",
            (None, None) => "Pending",
        };
        let gate = row.gate.as_deref();
        let recheck = gate.map_or("-".to_owned(), |it| duration::show(it.recheck));
        let age = evaluated.and_then(|it| it.parse::<jiff::Timestamp>().ok());
        let age = age.map_or("-".to_owned(), |at| format!("{} ago", age_text(clock.now().wall.duration_since(at))));
        let scope = row.meta.scope(&view.facts).as_str();
        let applies_to = row.meta.applies_to(gate);
        data.push(json!({
            "name": subject.name, "namespace": subject.namespace, "scope": scope, "appliesTo": applies_to,
            "recheck": recheck, "ready": ready, "lastEvaluatedAt": evaluated,
            "problem": row.problem.as_ref().map(|it| it.reason(true)),
        }));
        let cells = [&subject.name, &subject.namespace, scope, &applies_to, &recheck, ready, &age];
        rows.push(cells.iter().map(|it| (*it).to_owned()).collect());
    }
    if output == Format::Table {
        let columns = ["NAME", "NAMESPACE", "SCOPE", "APPLIES-TO", "RECHECK", "READY", "LAST-EVALUATED"];
        print(&table(&columns, &rows))?;
    } else {
        print_data(output, &json!({"gates": data}))?;
    }
    Ok(Exit::Fine)
}

/// The namespaces that a Pipeline takes gates from.
fn scanned(view: &PromotionView, name: &str) -> Result<Vec<String>, Failure> {
    let found = view.facts.pipelines.iter().find(|(key, _)| key.1 == name);
    let Some((key, pipeline)) = found else {
        let known: Vec<_> = view.facts.pipelines.keys().map(|it| it.1.as_str()).collect();
        return Err(Failure::new(format!("there is no Pipeline `{name}`: there are {}", known.join(", "))));
    };
    Ok(namespaces(&view.facts, &key.0, pipeline).into_iter().map(str::to_owned).collect())
}

/// `45s`, `3m`, `2h`, `1d`
fn age_text(age: jiff::SignedDuration) -> String {
    let seconds = age.as_secs().max(0);
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m", seconds / 60),
        3600..86_400 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86_400),
    }
}
