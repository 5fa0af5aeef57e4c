//! `kanon policy lint`

use kanon_promotion::{
    api::GATE,
    offline::lint::{Subject, lint},
};
use kanon_runtime::Clock;
use serde_json::json;

use super::world;
use crate::{
    cli::policy::LintArgs,
    exit::{Exit, Failure},
    output::{Format, print, print_data, table},
};

/// Lints every gate in the files; ends with 3 when there is something to look at.
pub(crate) fn run(args: &LintArgs) -> Result<Exit, Failure> {
    let manifests = world::manifests(&args.files)?;
    let view = world::view(manifests.iter().map(|it| &it.object), Clock::start().now());
    let compiler = world::compiler();
    let mut rows = Vec::new();
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
        for finding in lint(&subject, &view.facts, &compiler, args.real_cluster) {
            let place = &manifest.place;
            data.push(json!({"file": place, "gate": name, "namespace": namespace, "code": finding.code,
                "message": finding.message}));
            rows.push(vec![place.clone(), name.to_owned(), finding.code.to_owned(), finding.message]);
        }
    }
    let found = rows.len();
    if args.output == Format::Table {
        if !rows.is_empty() {
            print(&table(&["FILE", "GATE", "CODE", "FINDING"], &rows))?;
        }
        print(&format!("{gates} gates, {found} findings\n"))?;
    } else {
        print_data(args.output, &json!({"gates": gates, "findings": data}))?;
    }
    Ok(if found == 0 { Exit::Fine } else { Exit::Findings })
}
