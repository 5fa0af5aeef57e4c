//! Plays the scenario suite (`tests/scenarios/README.md`) against any API server:
//!
//! ```text
//! cargo run -p kanon-apiserver --example scenarios -- [--kubeconfig FILE | --server URL --token TOKEN] [--kubectl PATH | --every-kubectl] [--simulated-workloads]
//!     [--go-on] [FILTER…]
//! ```
//!
//! Without a server it starts the embedded one. With `--every-kubectl`, each minor version that is installed plays the core. With `--go-on`, a
//! step that fails does not end its scenario. It makes and deletes namespaces and cluster-wide objects there: not for a
//! cluster that somebody needs.
#![allow(clippy::disallowed_methods, reason = "a program reads its arguments")]
#![allow(clippy::disallowed_macros, reason = "a program prints")]

#[path = "../tests/scenarios/runner/lib.rs"]
mod runner;

use std::{error::Error, fs, path::PathBuf, process::ExitCode, sync::Arc};

use kanon_apiserver::{Config, TestServer};
use kanon_cel::Cel;
use runner::{Need, Outcome, Scenario, Target};
use serde_json::{Value, json};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/scenarios");

/// What the command line says.
#[derive(Default)]
struct Arguments {
    kubeconfig: Option<PathBuf>,
    server: Option<String>,
    token: Option<String>,
    kubectl: Option<PathBuf>,
    every_kubectl: bool,
    simulated: bool,
    goes_on: bool,
    filters: Vec<String>,
}

fn arguments() -> Result<Arguments, String> {
    let mut found = Arguments::default();
    let mut given = std::env::args().skip(1);
    while let Some(argument) = given.next() {
        let mut value = || given.next().ok_or_else(|| format!("{argument} needs a value"));
        match argument.as_str() {
            "--kubeconfig" => found.kubeconfig = Some(value()?.into()),
            "--server" => found.server = Some(value()?),
            "--token" => found.token = Some(value()?),
            "--kubectl" => found.kubectl = Some(value()?.into()),
            "--every-kubectl" => found.every_kubectl = true,
            "--go-on" => found.goes_on = true,
            "--simulated-workloads" => found.simulated = true,
            it if it.starts_with('-') => return Err(format!("unknown option {it}")),
            filter => found.filters.push(filter.to_owned()),
        }
    }
    Ok(found)
}

/// A kubeconfig for a URL, whose certificate is not looked at: this is a test.
fn kubeconfig(server: &str, token: Option<&str>) -> String {
    let cluster = json!({"server": server, "insecure-skip-tls-verify": server.starts_with("https://")});
    let user = token.map_or(json!({}), |it| json!({"token": it}));
    json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "it",
        "clusters": [{"name": "it", "cluster": cluster}],
        "users": [{"name": "it", "user": user}],
        "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it"}}],
    })
    .to_string()
}

#[tokio::main]
async fn main() -> Result<ExitCode, Box<dyn Error>> {
    let given = arguments()?;
    let mut embedded = None;
    let mut offers = Vec::new();
    let config = match (&given.kubeconfig, &given.server) {
        (Some(path), _) => fs::read_to_string(path)?,
        (None, Some(server)) => kubeconfig(server, given.token.as_deref()),
        (None, None) => {
            offers.push(Need::Embedded);
            let adjust = |config: &mut Config| config.simulate_workloads = given.simulated;
            embedded.insert(TestServer::start_with(Arc::new(Cel::default()), adjust).await?).kubeconfig()
        }
    };
    if runner::Client::new(&config).await?.json("GET", "/api/v1", &Value::Null).await?.status == 200 {
        offers.push(Need::Core);
    }
    if given.simulated {
        offers.push(Need::SimulatedWorkloads);
    }
    let mut scenarios = Vec::new();
    for file in fs::read_dir(FOLDER)? {
        let path = file?.path();
        let name = path.file_stem().unwrap_or_default().display().to_string();
        let wanted = given.filters.is_empty() || given.filters.iter().any(|it| name.contains(it.as_str()));
        if wanted && path.extension().is_some_and(|it| it == "yaml") {
            scenarios.push((name, Scenario::read(&path)?));
        }
    }
    scenarios.sort_by(|a, b| a.0.cmp(&b.0));
    let mut kubectls = vec![given.kubectl.clone().or_else(runner::on_path)];
    if given.every_kubectl {
        scenarios.retain(|(_, it)| it.every_kubectl);
        kubectls = runner::by_minor().into_values().map(Some).collect();
    }
    let mut counts = [0; 3];
    for kubectl in kubectls {
        if let (true, Some(kubectl)) = (given.every_kubectl, &kubectl) {
            println!("{}", kubectl.display());
        }
        let any_version = embedded.is_none();
        let target =
            Target { kubeconfig: config.clone(), offers: offers.clone(), kubectl, goes_on: given.goes_on, any_version };
        for (name, scenario) in &scenarios {
            let about = format!("{name} ({}): {}", scenario.spec, scenario.title);
            match runner::run(scenario, &target).await {
                Outcome::Passed => {
                    counts[0] += 1;
                    println!("passed   {about}");
                }
                Outcome::Failed(problem) => {
                    counts[1] += 1;
                    println!("FAILED   {about}\n  {problem}");
                }
                Outcome::Skipped(why) => {
                    counts[2] += 1;
                    println!("skipped  {about}: {why}");
                }
            }
        }
    }
    let [passed, failed, skipped] = counts;
    println!("{passed} passed, {failed} failed, {skipped} skipped");
    if let Some(server) = embedded {
        server.stop().await;
    }
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
