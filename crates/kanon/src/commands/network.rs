//! `kanon network`: who may reach whom, the built-in checks, and the policies of a pod; of a cluster or of manifests. The model
//! decides; here are files, clusters and tables.

use kanon_core::{Change, Object, ObjectRef, Outcome, Verdict};
use kanon_kube::{Api, Span};
use kanon_network::{Check, Endpoint, Finding, Kinds, Model, Options, Pod, Policy, Side, checks};
use kanon_runtime::Clock;
use serde_json::{Value, json};

use super::{
    check::{
        manifests,
        network::{self, Violation},
    },
    explain,
};
use crate::{
    cli::{
        network::{CheckArgs, NetworkArgs, NetworkCommand, PoliciesArgs, ReachableArgs, SourceArgs},
        policy::ClusterArgs,
    },
    exit::{Exit, Failure},
    output::{Format, print, print_data, table},
    paths::DataDir,
    runtime,
};

/// Does what was asked for.
pub(crate) fn run(args: NetworkArgs) -> Result<Exit, Failure> {
    match args.command {
        NetworkCommand::Reachable(args) => reachable(args),
        NetworkCommand::Check(args) => check(args),
        NetworkCommand::Policies(args) => policies(args),
    }
}

/// The model of the manifests, or of the cluster.
fn model(source: SourceArgs, namespace: &str) -> Result<Model, Failure> {
    let SourceArgs { files, cluster: ClusterArgs { kubeconfig, data_dir } } = source;
    if !files.is_empty() {
        let mut objects: Vec<Object> = Vec::new();
        for path in &files {
            objects.extend(manifests::read(path)?.into_iter().map(|it| it.object));
        }
        return Ok(Model::of_objects(&objects, namespace));
    }
    let source = explain::source(kubeconfig, &DataDir::resolve(data_dir)?);
    runtime()?.block_on(async {
        let api = Api::connect(&source).await?;
        let mut model = Model::default();
        for kind in Kinds::all() {
            for object in kanon_kube::list(&api, &Span::everywhere(&kind)).await? {
                model.apply(&kind.gvk, Change::Applied, &object);
            }
        }
        Ok(model)
    })
}

/// The pod that `[NAMESPACE/][KIND/]NAME` means.
fn pod<'m>(model: &'m Model, text: &str, namespace: &str) -> Result<&'m Pod, Failure> {
    let (namespace, name) = text.split_once('/').unwrap_or((namespace, text));
    let found = model.find_pods(namespace, name);
    match found.as_slice() {
        [pod] => Ok(pod),
        [] => {
            let pods = model.namespace(namespace).into_iter().flat_map(|it| it.pods.keys());
            let like: Vec<_> = pods.filter(|it| it.starts_with(name)).take(3).map(|it| format!("`{it}`")).collect();
            let hint = if like.is_empty() { String::new() } else { format!(": there is {}", like.join(", ")) };
            Err(Failure::new(format!("there is no pod `{name}` in namespace `{namespace}`{hint}")))
        }
        many => {
            let keys: Vec<_> = many.iter().map(|it| format!("`{namespace}/{}`", it.key())).collect();
            Err(Failure::new(format!("`{text}` is more than one workload: say {}", keys.join(" or "))))
        }
    }
}

fn endpoint<'m>(model: &'m Model, text: &str, namespace: &str) -> Result<Endpoint<'m>, Failure> {
    match text.parse() {
        Ok(address) => Ok(model.endpoint_at(address)),
        Err(_) => pod(model, text, namespace).map(Endpoint::Pod),
    }
}

fn reachable(args: ReachableArgs) -> Result<Exit, Failure> {
    let ReachableArgs { from, to, port, protocol, namespace, source, output } = args;
    let model = model(source, &namespace)?;
    let from = endpoint(&model, &from, &namespace)?;
    let to = endpoint(&model, &to, &namespace)?;
    let answer = model.can_reach(from, to, &port, protocol)?;
    let sides = [("Egress", from, &answer.egress), ("Ingress", to, &answer.ingress)];
    if output == Format::Table {
        let verb = if answer.reachable { "may reach" } else { "may not reach" };
        let row = |(direction, end, side): &(&str, Endpoint<'_>, &Side)| {
            let yes = if side.allowed { "yes" } else { "no" };
            let decides: Vec<_> = match side.admitted_by.as_slice() {
                [] => side.policies.clone(),
                rules => rules.iter().map(ToString::to_string).collect(),
            };
            let words = [direction, yes, side.reason.sentence(), &decides.join(", ")].map(str::to_owned);
            let [direction, yes, why, decides] = words;
            vec![direction, end.to_string(), yes, why, decides]
        };
        let rows: Vec<_> = sides.iter().map(row).collect();
        let headline = format!("{from} {verb} {to} on {}/{}\n\n", answer.port, answer.protocol);
        print(&(headline + &table(&["DIRECTION", "OF", "ADMITTED", "WHY", "DECIDED BY"], &rows)))?;
        let ends = [from, to].into_iter().filter_map(|it| if let Endpoint::Pod(pod) = it { Some(pod) } else { None });
        print(&problems(ends.filter_map(|it| model.namespace(&it.namespace)).flat_map(|it| it.policies.values())))?;
    } else {
        let mut data = serde_json::to_value(&answer)?;
        data["from"] = json!(from.to_string());
        data["to"] = json!(to.to_string());
        print_data(output, &data)?;
    }
    Ok(if answer.reachable { Exit::Fine } else { Exit::Findings })
}

/// What of the policies cannot be read, and so admits nobody.
fn problems<'p>(policies: impl Iterator<Item = &'p std::sync::Arc<Policy>>) -> String {
    let mut lines: Vec<_> = policies
        .flat_map(|policy| policy.problems.iter().map(|it| format!("\nwarning: policy {}: {it}", policy.path())))
        .collect();
    lines.sort();
    lines.dedup();
    if lines.is_empty() { String::new() } else { lines.concat() + "\n" }
}

/// One row of what `kanon network check` prints.
struct Row {
    id: String,
    check: String,
    severity: &'static str,
    subject: ObjectRef,
    message: String,
}

impl Row {
    fn of_check(it: Finding) -> Row {
        let (id, check, severity) = (it.key.to_string(), it.key.check.id().to_owned(), it.severity.as_str());
        Row { id, check, severity, subject: it.subject, message: it.message }
    }

    fn of_rule(it: Violation) -> Row {
        let severity = it.severity.map_or("", |it| it.as_str());
        let Verdict { policy, subject, message, evidence, .. } = it.verdict;
        let part = if evidence.part.is_empty() { String::new() } else { format!(":{}", evidence.part) };
        Row {
            id: format!("{}:{}/{}{part}", policy.name, subject.namespace, subject.name),
            check: policy.name,
            severity,
            subject,
            message,
        }
    }
}

fn check(args: CheckArgs) -> Result<Exit, Failure> {
    let CheckArgs { namespace, all, checks: chosen, rules, source, output } = args;
    let default = namespace.as_deref().unwrap_or("default");
    let is_wanted = |name: &str| namespace.as_deref().is_none_or(|it| it == name);
    let (mut violations, mut asked) = (Vec::new(), None);
    if !rules.is_empty() {
        if source.files.iter().any(|it| it.as_os_str() == "-") {
            return Err(Failure::usage("--rules: standard input is read once; give the manifests as files".to_owned()));
        }
        let (found, rules) = network::violations(&rules, &source.files, default)?;
        (violations, asked) = (found, Some(rules));
    }
    let model = model(source, default)?;
    let mut options = Options::default();
    if all {
        options.on.extend(Check::ALL);
    } else if !chosen.is_empty() {
        options.on = chosen.into_iter().collect();
    }
    let wanted: Vec<_> =
        model.namespaces().filter(|it| is_wanted(&it.name) && !options.excluded.contains(&it.name)).collect();
    let now = Clock::start().now();
    let is_excepted = |it: &Finding| asked.as_ref().is_some_and(|rules| rules.is_excepted(it, now));
    let of_checks = wanted.iter().flat_map(|it| checks::check(it, &options));
    let (skipped, of_checks): (Vec<_>, Vec<_>) = of_checks.partition(is_excepted);
    violations.retain(|it| is_wanted(&it.verdict.subject.namespace));
    let (covered, violations): (Vec<_>, Vec<_>) =
        violations.into_iter().partition(|it| it.verdict.outcome == Outcome::Skip);
    let skipped = skipped.len() + covered.len();
    let of_rules = violations.into_iter().map(Row::of_rule);
    let found: Vec<_> = of_checks.into_iter().map(Row::of_check).chain(of_rules).collect();
    if output == Format::Table {
        let row = |it: &Row| [it.severity, &it.check, &it.subject.to_string(), &it.message].map(str::to_owned).to_vec();
        if !found.is_empty() {
            print(&table(&["SEVERITY", "CHECK", "SUBJECT", "MESSAGE"], &found.iter().map(row).collect::<Vec<_>>()))?;
        }
        let besides = if skipped == 0 { String::new() } else { format!(", {skipped} skipped") };
        print(&format!("{} namespaces checked, {} findings{besides}\n", wanted.len(), found.len()))?;
    } else {
        let row = |it: &Row| {
            json!({"id": it.id, "check": it.check, "severity": it.severity, "kind": it.subject.gvk.kind,
                "namespace": it.subject.namespace, "name": it.subject.name, "message": it.message})
        };
        let findings: Vec<_> = found.iter().map(row).collect();
        print_data(output, &json!({"checked": wanted.len(), "skipped": skipped, "findings": findings}))?;
    }
    Ok(if found.is_empty() { Exit::Fine } else { Exit::Findings })
}

fn policies(args: PoliciesArgs) -> Result<Exit, Failure> {
    let PoliciesArgs { pod: name, namespace, source, output } = args;
    let model = model(source, &namespace)?;
    let pod = pod(&model, &name, &namespace)?;
    let Some(namespace) = model.namespace(&pod.namespace) else {
        return Err(Failure::new(format!("there is no namespace `{}`", pod.namespace)));
    };
    let facts = namespace.pod_facts(pod);
    let selecting: Vec<_> = namespace.policies.values().filter(|it| it.selects(pod)).collect();
    if output != Format::Table {
        let policy = |it: &&std::sync::Arc<Policy>| -> Result<Value, Failure> {
            let mut data = serde_json::to_value(namespace.policy_facts(it))?;
            data["name"] = json!(it.name);
            data["problems"] = json!(it.problems);
            Ok(data)
        };
        let mut data = serde_json::to_value(&facts)?;
        data["namespace"] = json!(pod.namespace);
        data["pod"] = json!(pod.key());
        data["policies"] = selecting.iter().map(policy).collect::<Result<Vec<_>, _>>()?.into();
        print_data(output, &data)?;
        return Ok(Exit::Fine);
    }
    let side = |isolated, open| match (isolated, open) {
        (false, _) => "open: no policy isolates it",
        (true, true) => "isolated, and a rule admits everybody",
        (true, false) => "isolated",
    };
    let mut text = format!(
        "{}/{}\n  ingress: {}\n  egress: {}\n",
        pod.namespace,
        pod.key(),
        side(facts.ingress_isolated, facts.ingress_open_to_all),
        side(facts.egress_isolated, facts.egress_open_to_all),
    );
    let rows: Vec<_> = selecting.iter().flat_map(|it| rows(namespace, it)).collect();
    if !rows.is_empty() {
        text += &format!("\n{}", table(&["POLICY", "SELECTS", "RULE", "PEERS", "PORTS"], &rows));
    }
    print(&(text + &problems(selecting.into_iter())))?;
    Ok(Exit::Fine)
}

/// A row for each rule of a policy in the directions in which it isolates; one that admits nothing says so.
fn rows(namespace: &kanon_network::Namespace, policy: &Policy) -> Vec<Vec<String>> {
    let facts = namespace.policy_facts(policy);
    let mut rows = Vec::new();
    for (direction, rules) in [("Ingress", &facts.ingress), ("Egress", &facts.egress)] {
        if !facts.types.contains(&direction) {
            continue;
        }
        let mut row = |rule: String, peers: String, ports: String| {
            rows.push(vec![policy.name.clone(), facts.selects.clone(), rule, peers, ports]);
        };
        if rules.is_empty() {
            row(direction.to_owned(), "nobody".to_owned(), "-".to_owned());
        }
        for (at, rule) in rules.iter().enumerate() {
            let joined =
                |list: &[String], else_: &str| if list.is_empty() { else_.to_owned() } else { list.join("; ") };
            row(format!("{direction}[{at}]"), joined(&rule.peers, "everybody"), joined(&rule.ports, "all"));
        }
    }
    rows
}
