//! Scenarios: files of requests and kubectl commands with the answers that a Kubernetes API server gives. The same files run
//! against the embedded server and against any other. The format is described in `README.md` beside the files.
//!
//! Knows nothing of the server but its URL and credentials.

mod file;
pub(crate) mod http;
mod kubectl;
mod matching;
mod step;
mod values;
pub(crate) mod words;

use std::{path::PathBuf, time::Duration};

use serde_json::{Value, json};

pub(crate) use file::{Need, Scenario};
pub(crate) use http::Client;
pub(crate) use kubectl::{by_minor, on_path};
use values::Values;

/// Longer than any single step may take.
const LIMIT: Duration = Duration::from_secs(60);

/// A server under test.
#[derive(Clone)]
pub(crate) struct Target {
    /// A kubeconfig of an administrator.
    pub(crate) kubeconfig: String,
    /// What this server offers besides what every server does.
    pub(crate) offers: Vec<Need>,
    /// The kubectl to use, if there is one.
    pub(crate) kubectl: Option<PathBuf>,
    /// Whether a step that fails does not end the scenario.
    pub(crate) goes_on: bool,
    /// Whether it may be of another version than 1.32, with that version's words (`words.rs`).
    pub(crate) any_version: bool,
}

/// How a scenario went.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Everything was as expected.
    Passed,
    /// It needs what is not there.
    Skipped(String),
    /// The step and what was wrong with it.
    Failed(String),
}

/// Runs a scenario in a namespace of its own.
pub(crate) async fn run(scenario: &Scenario, target: &Target) -> Outcome {
    for need in &scenario.needs {
        let met = match need {
            Need::Kubectl => target.kubectl.is_some(),
            Need::Embedded | Need::SimulatedWorkloads | Need::Core => target.offers.contains(need),
        };
        if !met {
            return Outcome::Skipped(format!("needs {need:?}"));
        }
    }
    match play(scenario, target).await {
        Ok(()) => Outcome::Passed,
        Err(problem) => Outcome::Failed(problem),
    }
}

async fn play(scenario: &Scenario, target: &Target) -> Result<(), String> {
    let client = Client::new(&target.kubeconfig).await?;
    let id = values::unique();
    let namespace = format!("scenario-{id}");
    let mut values = Values::new(scenario.values.clone());
    values.set("id", json!(id));
    values.set("ns", json!(namespace));
    let has_core = target.offers.contains(&Need::Core);
    if has_core {
        let body = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}});
        let made = client.json("POST", "/api/v1/namespaces", &body).await?;
        if made.status != 201 {
            return Err(format!("namespace {namespace} cannot be made: {} {}", made.status, made.text()));
        }
    }
    let kubectl = match &target.kubectl {
        Some(program) => Some(kubectl::Kubectl::new(program.clone(), &target.kubeconfig, &namespace)?),
        None => None,
    };
    let mut stage = step::Stage::new(client, kubectl, values, target.any_version);
    let mut problems = Vec::new();
    for (index, step) in scenario.steps.iter().enumerate().filter(|(_, it)| has_core || !it.core) {
        if let Err(problem) = stage.play(step).await {
            let name = step.name.clone().or_else(|| step.request.clone()).or_else(|| step.kubectl.clone());
            let name = name.unwrap_or_else(|| "a step without a name".to_owned());
            problems.push(format!("step {} ({name}): {problem}", index + 1));
            if !target.goes_on {
                break;
            }
        }
    }
    for path in &scenario.cleanup {
        if let Ok(path) = stage.text(path) {
            let _ = stage.client.json("DELETE", &path, &Value::Null).await;
        }
    }
    // What a scenario made in its namespace goes with it; a server that cannot delete says so elsewhere.
    let _ = stage.client.json("DELETE", &format!("/api/v1/namespaces/{namespace}"), &Value::Null).await;
    if problems.is_empty() { Ok(()) } else { Err(problems.join("\n")) }
}
