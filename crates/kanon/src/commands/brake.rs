//! `kanon brake`: holds every eviction and revocation of a cluster back, or says how many there may be. It writes the one
//! ConfigMap that the replicas watch; what it says is in force within a moment of the write.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use kanon_core::{Node, Object, Rate};
use kanon_kube::{Api, Error};
use kanon_rules::{BRAKE_MAP, BUDGET};
use kanon_runtime::Clock;
use serde_json::{Value, json};

use super::explain::source;
use crate::{
    exit::{Exit, Failure},
    output::{Format, print, print_data, table},
    paths::DataDir,
    runtime,
};

/// `kanon brake`
#[derive(Debug, Args)]
pub(crate) struct BrakeArgs {
    /// What to do; without it the brake's state is shown.
    #[command(subcommand)]
    command: Option<BrakeCommand>,
    /// Namespace that Kanon runs in
    #[arg(long, short = 'n', global = true, value_name = "NAMESPACE", default_value = "kanon-system")]
    namespace: String,
    /// Kubeconfig of the cluster [default: the one of `kanon up` if it is there, else as kubectl]
    #[arg(long, global = true, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
    /// Where `kanon up` keeps everything [default: kanon, below the user's state folder]
    #[arg(long, global = true, value_name = "DIR", env = "KANON_DATA_DIR")]
    data_dir: Option<PathBuf>,
    /// Output format
    #[arg(long, short, global = true, value_enum, default_value_t)]
    output: Format,
}

/// The verbs of `kanon brake`.
#[derive(Debug, Subcommand)]
enum BrakeCommand {
    /// Hold evictions and revocations back; those that are due wait
    On {
        /// Why, for whoever looks
        #[arg(long, default_value = "")]
        reason: String,
    },
    /// Let them go on
    Off,
    /// How many there may be over all rules, such as `10/min`
    Budget {
        /// A number, a slash and `s`, `min` or `hr`
        #[arg(value_name = "RATE")]
        rate: Rate,
    },
    /// Show the brake's state
    Status,
}

/// Sets or shows the brake.
pub(crate) fn run(args: BrakeArgs) -> Result<Exit, Failure> {
    let data_dir = DataDir::resolve(args.data_dir)?;
    let source = source(args.kubeconfig, &data_dir);
    let data = runtime()?.block_on(async {
        let api = Api::connect(&source).await?;
        let path = format!("/api/v1/namespaces/{}/configmaps/{BRAKE_MAP}", args.namespace);
        let since = Clock::start().now().rfc3339();
        let change = match args.command {
            None | Some(BrakeCommand::Status) => return Ok::<_, Failure>(data(api.get(&path).await?.as_ref())),
            Some(BrakeCommand::On { reason }) => json!({"brake": "on", "reason": reason, "since": since}),
            Some(BrakeCommand::Off) => json!({"brake": "off", "reason": null, "since": since}),
            Some(BrakeCommand::Budget { rate }) => json!({"budget": rate.to_string()}),
        };
        Ok(data(Some(&set(&api, &args.namespace, &path, &change).await?)))
    })?;
    match args.output {
        Format::Table => {
            let cell = |name: &str| data[name].as_str().unwrap_or_default().to_owned();
            let row = ["brake", "budget", "since", "reason"].map(cell).to_vec();
            print(&table(&["BRAKE", "BUDGET", "SINCE", "REASON"], &[row]))?;
        }
        output => print_data(output, &data)?,
    }
    Ok(Exit::Fine)
}

/// Writes some entries of the ConfigMap, which is made where it is missing, as is its namespace.
async fn set(api: &Api, namespace: &str, path: &str, change: &Value) -> Result<Object, Failure> {
    match api.merge(path, &json!({"data": change})).await {
        Err(Error::Status { code: 404, .. }) => {}
        result => return Ok(result?),
    }
    let home = format!("/api/v1/namespaces/{namespace}");
    if api.get(&home).await?.is_none() {
        let manifest = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}});
        api.apply(&home, &manifest).await?;
    }
    let named: serde_json::Map<_, _> = change
        .as_object()
        .into_iter()
        .flatten()
        .filter(|it| !it.1.is_null())
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    let manifest = json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": BRAKE_MAP, "namespace": namespace}, "data": named,
    });
    Ok(api.apply(path, &manifest).await?)
}

/// What the ConfigMap says, with what holds where it says nothing.
fn data(map: Option<&Object>) -> Value {
    let text = |name: &str| {
        map.and_then(|it| it.at(&["data", name])).and_then(Node::as_str).map(|it| it.into_owned()).unwrap_or_default()
    };
    let brake = match text("brake") {
        it if it.is_empty() || it == "off" => "off",
        // Whatever else stands there holds: a brake is not released by a typing mistake.
        _ => "on",
    };
    let budget = if text("budget").parse::<Rate>().is_ok() { text("budget") } else { BUDGET.to_owned() };
    json!({"brake": brake, "budget": budget, "since": text("since"), "reason": text("reason")})
}
