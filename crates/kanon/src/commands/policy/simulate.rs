//! `kanon policy simulate`

use std::{collections::BTreeMap, str::FromStr};

use kanon_promotion::{
    gate::Problem,
    offline::{
        moment,
        scenario::{MetricGiven, PullGiven, Scenario},
        simulate::{Candidate, Report, Request, data, simulate, text},
    },
};
use kanon_runtime::Clock;

use super::world;
use crate::{
    cli::policy::SimulateArgs,
    exit::{Exit, Failure},
    output::{Format, print, print_data},
};

/// Asks the gates.
pub(crate) fn run(mut args: SimulateArgs) -> Result<Exit, Failure> {
    let now = Clock::start().now();
    let scenario = conditions(&args)?;
    let at = match args.time.as_ref().or(scenario.time.as_ref()) {
        Some(text) => moment::parse(text, now.wall).map_err(Failure::usage)?,
        None => now.wall,
    };
    let files = world::manifests(&args.file)?;
    let cluster = if args.offline {
        Vec::new()
    } else {
        let none = crate::cli::policy::ClusterArgs { kubeconfig: None, data_dir: None };
        world::of_cluster(std::mem::replace(&mut args.cluster, none))?
    };
    // What a file says counts before what the cluster has.
    let view = world::view(cluster.iter().chain(files.iter().map(|it| &it.object)), now);
    let candidate = |row: &kanon_promotion::view::Row| Candidate {
        meta: row.meta.clone(),
        gate: match (&row.gate, &row.problem) {
            (Some(gate), _) => Ok(gate.clone()),
            (None, Some(problem)) => Err(problem.clone()),
            (None, None) => Err(Problem::Field("it cannot be read".to_owned())),
        },
    };
    let candidates: Vec<_> = view.gates.values().map(candidate).collect();
    let request = Request {
        namespace: args.namespace,
        pipeline: args.pipeline,
        environment: args.env,
        bundle: args.bundle,
        scenario,
    };
    let report = simulate(&view.facts, &candidates, &request, at).map_err(Failure::new)?;
    show(&report, &request, args.output, args.explain)?;
    let blocked = report.blocking().next().is_some();
    Ok(if blocked && args.exit_code { Exit::Findings } else { Exit::Fine })
}

fn show(report: &Report, request: &Request, output: Format, explain: bool) -> Result<(), Failure> {
    if output != Format::Table {
        return print_data(output, &data(report));
    }
    if !report.pipeline_known {
        let name = &request.pipeline;
        print(&format!("(!) there is no Pipeline `{name}`: the gates of every namespace are asked\n"))?;
    }
    print(&text(report, explain))
}

/// The flags over the file.
fn conditions(args: &SimulateArgs) -> Result<Scenario, Failure> {
    let mut it = world::scenario(args.context.as_deref())?;
    it.soak_minutes = args.soak_minutes.or(it.soak_minutes);
    if let Some(author) = &args.author {
        it.bundle.provenance.get_or_insert_default().author.clone_from(author);
    }
    it.bundle.version = args.version.clone().or(it.bundle.version);
    it.bundle.labels.extend(pairs::<String>("label", &args.label)?);
    for (name, value) in pairs::<f64>("metric", &args.metric)? {
        it.metrics.insert(name, MetricGiven::Number(value));
    }
    for (stage, count) in pairs::<i64>("approve", &args.approve)? {
        it.pr.insert(stage, PullGiven { is_approved: count > 0, approval_count: count });
    }
    it.changewindow.extend(pairs::<bool>("window", &args.window)?);
    for (name, minutes) in pairs::<i64>("soak", &args.soak)? {
        it.upstream.entry(name).or_default().soak_minutes = Some(minutes);
    }
    for (name, count) in pairs::<i64>("success", &args.success)? {
        it.upstream.entry(name).or_default().recent_success_count = Some(count);
    }
    for (name, count) in pairs::<i64>("failure", &args.failure)? {
        it.upstream.entry(name).or_default().recent_failure_count = Some(count);
    }
    Ok(it)
}

/// `NAME=VALUE`, each name once.
fn pairs<T: FromStr>(flag: &str, texts: &[String]) -> Result<BTreeMap<String, T>, Failure> {
    let read = |text: &String| {
        let wrong = || Failure::usage(format!("`--{flag} {text}` makes no sense: write NAME=VALUE"));
        let (name, value) = text.split_once('=').ok_or_else(wrong)?;
        Ok((name.to_owned(), value.parse().map_err(|_| wrong())?))
    };
    texts.iter().map(read).collect()
}
