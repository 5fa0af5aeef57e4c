//! What the gate commands know: objects of files and of a cluster, put through the family that decides there.

use std::{path::Path, sync::Arc};

use kanon_core::{Change, Input, Keep, Now, Object, PolicyFile};
use kanon_kube::{Api, Span};
use kanon_lang::LanguageId;
use kanon_plane::{Family, Outbox};
use kanon_promotion::{PromotionFamily, PromotionView, Settings, api, gate::Compiler, offline::scenario::Scenario};

use crate::{
    cli::policy::ClusterArgs,
    commands::{
        check::manifests::{self, Manifest},
        explain,
    },
    exit::Failure,
    languages,
    paths::DataDir,
    runtime,
};

/// A compiler of gates.
pub(super) fn compiler() -> Compiler {
    Compiler::new(languages::all()[&LanguageId::CEL].clone())
}

/// The texts of all paths.
pub(super) fn texts(paths: &[std::path::PathBuf]) -> Result<Vec<PolicyFile>, Failure> {
    let mut found = Vec::new();
    for path in paths {
        found.extend(manifests::texts(path)?);
    }
    Ok(found)
}

/// The manifests of all paths.
pub(super) fn manifests(paths: &[std::path::PathBuf]) -> Result<Vec<Manifest>, Failure> {
    let mut found = Vec::new();
    for path in paths {
        found.extend(manifests::read(path)?);
    }
    Ok(found)
}

/// The view of the family over these objects; other kinds than its own are passed over.
pub(super) fn view<'o>(objects: impl IntoIterator<Item = &'o Object>, now: Now) -> Arc<PromotionView> {
    let mut family = PromotionFamily::new(languages::all()[&LanguageId::CEL].clone(), Settings::default());
    let kinds = api::kinds().map(Arc::new);
    let mut handle = |input: &Input| family.handle(input, now, &mut Outbox::new(api::FAMILY));
    for object in objects {
        if let Some(kind) = kinds.iter().find(|it| it.gvk.kind == object.str_at(&["kind"])) {
            let (kind, object) = (Arc::clone(kind), namespaced(object));
            handle(&Input::Object { kind, change: Change::Applied, object });
        }
    }
    for kind in kinds {
        handle(&Input::Synced { kind, keep: Keep::All });
    }
    family.promotion_view().clone()
}

/// A manifest without a namespace goes to `default`, as kubectl has it.
fn namespaced(object: &Object) -> Object {
    let kind = object.str_at(&["kind"]);
    if !object.str_at(&["metadata", "namespace"]).is_empty() || kind == api::WINDOW.kind {
        return object.clone();
    }
    let mut value = object.to_value();
    value["metadata"]["namespace"] = serde_json::json!("default");
    Object::from_value(&value)
}

/// The family's objects in a cluster.
pub(super) fn of_cluster(args: ClusterArgs) -> Result<Vec<Object>, Failure> {
    let source = explain::source(args.kubeconfig, &DataDir::resolve(args.data_dir)?);
    runtime()?.block_on(async {
        let api = Api::connect(&source).await?;
        let mut found = Vec::new();
        for kind in api::kinds() {
            for object in kanon_kube::list(&api, &Span::everywhere(&kind)).await? {
                // Items of a list name no kind.
                let mut value = object.to_value();
                value["kind"] = serde_json::json!(kind.gvk.kind);
                found.push(Object::from_value(&value));
            }
        }
        Ok(found)
    })
}

/// Conditions from a file.
pub(super) fn scenario(path: Option<&Path>) -> Result<Scenario, Failure> {
    let Some(path) = path else { return Ok(Scenario::default()) };
    let named = |problem: String| Failure::new(format!("failed to read `{}`: {problem}", path.display()));
    let text = std::fs::read_to_string(path).map_err(|error| named(error.to_string()))?;
    serde_saphyr::from_str(&text).map_err(|error| named(error.to_string()))
}
