//! Policies that are objects: their definitions in the API server, and which of their kinds are there to be watched.

use kanon_core::Kind;
use kanon_kube::{Api, Error};
use kanon_plane::Plane;

use super::watches::Area;
use crate::exit::Failure;

/// Which definitions there are to be, and who brings them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Definitions {
    /// Whether rules are objects, besides files.
    pub(crate) rules: bool,
    /// Whether an installer brought them where we may not, such as a chart that gives us no right to.
    pub(crate) by_installer: bool,
}

/// The kinds of policies that are to be watched. Where the whole cluster is looked after, their definitions are put in place first.
pub(super) async fn of_policies(
    api: &Api,
    plane: &Plane,
    asked: Definitions,
    area: &Area,
) -> Result<Vec<Kind>, Failure> {
    if area.is_all() { install(api, plane, asked).await } else { found(api, plane, asked, area).await }
}

/// Those that are served and of which something can be seen: definitions are of the cluster, and an administrator's affair.
async fn found(api: &Api, plane: &Plane, asked: Definitions, area: &Area) -> Result<Vec<Kind>, Failure> {
    let served = kanon_kube::discover(api).await?;
    let is_wanted = |it: &Kind| (asked.rules || !is_rule(&it.gvk.group)) && area.sees(it);
    let (found, missing): (Vec<_>, Vec<_>) =
        plane.kinds().into_iter().filter(is_wanted).partition(|it| served.contains(it));
    for kind in missing {
        unknown(&kind)?;
    }
    Ok(found)
}

fn is_rule(group: &str) -> bool {
    group == kanon_rules::api::GROUP
}

/// Without rules there is nothing to do; what else is missing is not written, or there is none: an installer of before brings no
/// exceptions, and gives no rights to them.
fn unknown(kind: &Kind) -> Result<(), Failure> {
    if is_rule(&kind.gvk.group) && !kanon_rules::api::is_exception(kind) {
        return Err(Failure::new(format!(
            "the API server knows no {}: `portal install-crds` brings it, or --rules-cr=false does without",
            kind.gvk.kind
        )));
    }
    tracing::warn!(kind = kind.gvk.kind, "the API server does not know the kind: none of it is written");
    Ok(())
}

async fn install(api: &Api, plane: &Plane, asked: Definitions) -> Result<Vec<Kind>, Failure> {
    let (mut kinds, mut crds) = (plane.kinds(), plane.crds());
    if !asked.rules {
        kinds.retain(|it| !is_rule(&it.gvk.group));
        crds.retain(|it| !is_rule(it["spec"]["group"].as_str().unwrap_or_default()));
    }
    match kanon_kube::install_crds(api, &crds).await {
        Ok(()) => return Ok(kinds),
        Err(Error::Status { code: 403, .. }) if asked.by_installer => {}
        Err(error) => return Err(error.into()),
    }
    tracing::info!("definitions of rules and reports are the installer's: this account may not write them");
    let mut served = Vec::new();
    for kind in kinds {
        match api.get(&format!("{}?limit=1", kind.path(""))).await {
            Ok(Some(_)) => served.push(kind),
            // Its watch is tried again for ever: a right that is given later counts then.
            Err(Error::Status { code: 403, message, .. }) if kanon_rules::api::is_exception(&kind) => {
                tracing::warn!(kind = kind.gvk.kind, message, "exceptions may not be listed: none of them counts");
            }
            Err(Error::Status { code: 403, message, .. }) if !is_rule(&kind.gvk.group) => {
                tracing::warn!(
                    kind = kind.gvk.kind,
                    message,
                    "a kind may not be listed: what it remembers is not known"
                );
                served.push(kind);
            }
            Err(error) => return Err(error.into()),
            Ok(None) => unknown(&kind)?,
        }
    }
    Ok(served)
}
