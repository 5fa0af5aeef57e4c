//! `kanon explain`: what a policy does, and why; or what one decision rested on.
//!
//! Policies are read from the API server and put through the same families that decide there.

use std::{collections::BTreeSet, path::PathBuf, sync::Arc};

use kanon_core::{Change, Input, Keep, PolicyRef};
use kanon_kube::{Api, Source, Span};
use kanon_plane::{Explanation, Lookups, Plane, Settings, Target};
use kanon_rules::NetworkSettings;
use kanon_runtime::{Clock, log};

use crate::{
    cli::ExplainArgs,
    exit::{Exit, Failure},
    families, languages,
    output::{Format, print, print_data, table},
    paths::DataDir,
    runtime,
};

/// Explains the target.
pub(crate) fn run(args: ExplainArgs) -> Result<Exit, Failure> {
    let target: PolicyRef = args.target.parse().map_err(|error| Failure::usage(format!("{error}")))?;
    let data_dir = DataDir::resolve(args.data_dir)?;
    if target.kind == "decision" {
        return decision(&data_dir, &target.name, args.output);
    }
    let source = source(args.kubeconfig, &data_dir);
    let namespace = args.namespace;
    let target = Target { kind: target.kind, name: target.name, namespace };
    let found = runtime()?.block_on(explain(&source, &target))?;
    let Some(Explanation { headline, sections, data }) = found else {
        let place =
            if target.namespace.is_empty() { String::new() } else { format!(" in namespace `{}`", target.namespace) };
        return Err(Failure::new(format!("there is no `{}/{}`{place} to explain", target.kind, target.name)));
    };
    if args.output != Format::Table {
        print_data(args.output, &data)?;
        return Ok(Exit::Fine);
    }
    let mut text = format!("{headline}\n");
    for section in sections {
        let columns: Vec<_> = section.columns.iter().map(String::as_str).collect();
        let title = if section.title.is_empty() { String::new() } else { format!("{}\n", section.title) };
        text += &format!("\n{title}{}", table(&columns, &section.rows));
    }
    print(&text)?;
    Ok(Exit::Fine)
}

/// The cluster meant: the one named, that of `kanon up`, or as kubectl finds it.
pub(crate) fn source(kubeconfig: Option<PathBuf>, data_dir: &DataDir) -> Source {
    let own = data_dir.kubeconfig();
    match kubeconfig {
        Some(path) => Source::File(path),
        None if std::env::var_os("KUBECONFIG").is_none() && own.is_file() => Source::File(own),
        None => Source::Infer,
    }
}

async fn explain(source: &Source, target: &Target) -> Result<Option<Explanation>, Failure> {
    let api = Api::connect(source).await?;
    // A rule's open findings are found as the server finds them.
    let runs = kanon_rules::names_a_rule(&target.kind);
    let audit = families::Audit { runs, counts: false, ..families::Audit::default() };
    let network = runs.then(NetworkSettings::default);
    let settings = families::Settings { audit, network, runtime: runs, ..families::Settings::default() };
    let plane = world(&api, settings).await?;
    Ok(plane.views().explain(target, Clock::start().now()))
}

/// Feeds all policies of the cluster to a plane of our own.
pub(crate) async fn plane(api: &Api) -> Result<Plane, Failure> {
    world(api, families::Settings::default()).await
}

/// Feeds all policies of the cluster to a plane of our own, and what they read where they are audited.
async fn world(api: &Api, settings: families::Settings) -> Result<Plane, Failure> {
    let mut plane = Plane::new(families::all(&languages::all(), &settings), Settings::default());
    let mut world = World { plane: &mut plane, clock: Clock::start() };
    for kind in world.plane.kinds() {
        world.feed(api, Span::everywhere(&kind)).await?;
    }
    let places = world.plane.places().to_vec();
    let kinds: BTreeSet<_> = places.iter().map(|it| &it.kind).collect();
    for kind in kinds {
        world.feed(api, Span::of_places(kind, &places)).await?;
    }
    if settings.audit.runs {
        world.feed_facts(api).await?;
    }
    Ok(plane)
}

/// Feeds a plane with the objects that its policies read.
pub(crate) async fn with_facts(api: &Api, plane: &mut Plane) -> Result<(), Failure> {
    World { plane, clock: Clock::start() }.feed_facts(api).await
}

struct World<'p> {
    plane: &'p mut Plane,
    clock: Clock,
}

impl World<'_> {
    async fn feed_facts(&mut self, api: &Api) -> Result<(), Failure> {
        if self.plane.facts().unknown {
            self.handle(Input::Resources { kinds: kanon_kube::discover(api).await?.into() });
        }
        let facts = Arc::clone(self.plane.facts());
        let missing = facts.kinds.iter().filter(|it| !self.plane.objects().is_synced(&it.gvk));
        for kind in missing.cloned().collect::<Vec<_>>() {
            self.feed(api, Span::everywhere(&kind)).await?;
        }
        Ok(())
    }

    async fn feed(&mut self, api: &Api, span: Span) -> Result<(), Failure> {
        let objects = kanon_kube::list(api, &span).await?;
        let kind = span.kind;
        for object in objects {
            self.handle(Input::Object { kind: Arc::clone(&kind), change: Change::Applied, object });
        }
        let synced = if span.places { Input::PlacesSynced { kind } } else { Input::Synced { kind, keep: Keep::All } };
        self.handle(synced);
        Ok(())
    }

    /// Takes an input, and runs the scans that follow from it.
    fn handle(&mut self, input: Input) {
        let mut inputs = vec![input];
        while let Some(input) = inputs.pop() {
            let scans = self.plane.handle(&input, self.clock.now()).scans;
            inputs.extend(scans.iter().map(|it| it.run(self.plane.objects(), self.clock.now())));
        }
    }
}

fn decision(data_dir: &DataDir, id: &str, output: Format) -> Result<Exit, Failure> {
    let found = log::entries(&data_dir.log(), |it| it.id.starts_with(id) || it.seq.to_string() == id)?;
    let [entry] = found.as_slice() else {
        let problem = if found.is_empty() { "there is no record" } else { "there is more than one record" };
        return Err(Failure::new(format!("{problem} `{id}` in the decision log: `kanon log show` lists them")));
    };
    if output != Format::Table {
        print_data(output, &entry.record)?;
        return Ok(Exit::Fine);
    }
    let record = &entry.record;
    let text = |pointer: &str| record.pointer(pointer).and_then(|it| it.as_str()).unwrap_or_default().to_owned();
    let mut rows = Vec::new();
    for (name, pointer) in [
        ("Kind", "/kind"),
        ("Time", "/now/wall"),
        ("Family", "/family"),
        ("Policy", "/policy/name"),
        ("Revision", "/policy/revision"),
        ("Outcome", "/outcome"),
        ("Reason", "/reason"),
        ("Message", "/message"),
        ("Subject", "/subject/kind"),
        ("Namespace", "/subject/namespace"),
        ("Name", "/subject/name"),
        ("Part", "/evidence/part"),
        ("Event", "/evidence/event"),
        ("User", "/evidence/user"),
        ("Operation", "/evidence/operation"),
        ("Expression", "/evidence/expression"),
    ] {
        let value = text(pointer);
        if !value.is_empty() {
            rows.push(vec![name.to_owned(), value]);
        }
    }
    print(&format!("decision {} (record {})\n\n{}", entry.id, entry.seq, table(&[], &rows)))?;
    let values = record.pointer("/evidence/values").and_then(|it| it.as_array()).cloned().unwrap_or_default();
    if !values.is_empty() {
        let row =
            |it: &serde_json::Value| vec![it["text"].as_str().unwrap_or_default().to_owned(), it["value"].to_string()];
        print(&format!("\n{}", table(&["EXPRESSION", "VALUE"], &values.iter().map(row).collect::<Vec<_>>())))?;
    }
    Ok(Exit::Fine)
}
