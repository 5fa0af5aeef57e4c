//! Folders of files: rules and templates of alerts. Each is read once before anything is answered, then watched. What `/rules`
//! shows of them is here too (spec/rules 1.8).

use std::{fmt::Write as _, path::PathBuf};

use kanon_core::Input;
use kanon_net::CancellationToken;
use kanon_plane::{PolicySummary, Views};
use kanon_runtime::{Content, Intake, Meant};
use serde_json::{Value, json};
use tokio::{sync::mpsc, task::JoinSet};

use crate::exit::Failure;

/// A folder, and what its content is to the plane.
pub(super) struct Folder {
    pub(super) path: PathBuf,
    pub(super) meant: Meant,
    pub(super) input: fn(Content) -> Input,
}

impl Folder {
    /// With rule files.
    pub(super) fn of_rules(path: PathBuf) -> Folder {
        let input = |Content { files, unreadable }| Input::Folder { files, unreadable };
        Folder { path, meant: Meant::Policies, input }
    }

    /// With templates of alerts.
    pub(super) fn of_templates(path: PathBuf) -> Folder {
        let input = |Content { files, unreadable }| Input::AlertTemplates { files, unreadable };
        Folder { path, meant: Meant::Everything, input }
    }

    /// Reads it, and watches it from now on.
    pub(super) async fn follow(
        self,
        tasks: &mut JoinSet<()>,
        intake: &Intake,
        stop: &CancellationToken,
    ) -> Result<(), Failure> {
        let Folder { path, meant, input } = self;
        let content = kanon_runtime::read_folder(&path, meant)?;
        intake.send(input(content.clone())).await;
        let (send, mut changes) = mpsc::channel(1);
        let (intake, stop) = (intake.clone(), stop.clone());
        tasks.spawn(async move {
            while let Some(content) = changes.recv().await {
                intake.send(input(content)).await;
            }
        });
        tasks.spawn(async move {
            if let Err(error) = kanon_runtime::watch_folder(path, meant, &content, send, stop).await {
                tracing::error!(%error, "changes of a folder will not be noticed");
            }
        });
        Ok(())
    }
}

/// The page `/rules`: every file of the folder with its rules, and every rule of the cluster.
pub(super) fn page(views: &Views, as_json: bool) -> String {
    let files: Vec<_> = views.iter().flat_map(|it| it.files()).collect();
    let others: Vec<_> = views.iter().flat_map(|it| it.policies()).filter(is_rule).collect();
    if as_json {
        let files = files.iter().map(|file| {
            let is_good = file.policies.iter().all(|it| it.problem.is_empty());
            json!({"path": file.path, "ok": is_good, "rules": file.policies.iter().map(data).collect::<Vec<_>>()})
        });
        let page = json!({"files": files.collect::<Vec<_>>(), "rules": others.iter().map(data).collect::<Vec<_>>()});
        return format!("{page:#}\n");
    }
    let mut text = String::new();
    for file in &files {
        let _ = writeln!(text, "{}:", file.path);
        file.policies.iter().for_each(|it| line(&mut text, it));
    }
    if !others.is_empty() {
        text += "in the cluster:\n";
    }
    others.iter().for_each(|it| line(&mut text, it));
    if text.is_empty() { "no rules\n".to_owned() } else { text }
}

fn is_rule(it: &PolicySummary) -> bool {
    use kanon_rules::api::{CLUSTER_EXCEPTION, CLUSTER_RULE, EXCEPTION, RULE};
    [CLUSTER_RULE, RULE, CLUSTER_EXCEPTION, EXCEPTION].contains(&it.kind.as_str())
}

fn data(it: &PolicySummary) -> Value {
    json!({"kind": it.kind, "namespace": it.namespace, "name": it.name, "active": it.active, "problem": it.problem})
}

fn line(text: &mut String, it: &PolicySummary) {
    let state = if it.active { "active" } else { "not active" };
    let namespace = if it.namespace.is_empty() { String::new() } else { format!("{}/", it.namespace) };
    let problem = it.problem.replace('\n', "\n    ");
    let colon = if problem.is_empty() { "" } else { ": " };
    let _ = writeln!(text, "  {namespace}{} {state}{colon}{problem}", it.name);
}
