//! Everything that is no resource: health, version, metrics, and the doors to discovery and OpenAPI.

use std::collections::BTreeSet;

use http::{HeaderValue, StatusCode, header};
use kanon_apimachinery::{
    request::{Endpoint, OpenApi},
    status::{ApiError, Result},
};
use kanon_store::Memory;
use serde_json::{Value, json};

use super::discovery;
use crate::{backup, core::Core, reply::Reply, service::Asked};

/// What `/healthz`, `/livez` and `/readyz` look at.
const CHECKS: [&str; 3] = ["ping", "store", "shutdown"];

pub(crate) fn answer(core: &Core, asked: &Asked, endpoint: &Endpoint) -> Result<Reply> {
    match endpoint {
        Endpoint::Root => super::json(asked, StatusCode::OK, &json!({"paths": paths(core)})),
        Endpoint::Version => super::json(asked, StatusCode::OK, &kanon_apimachinery::version::document()),
        Endpoint::Health(which, check) => health(core, asked, which, check),
        Endpoint::Metrics => Ok(metrics(core)),
        Endpoint::ApiVersions => discovery::versions(core, asked),
        Endpoint::ApiGroups => discovery::groups(core, asked),
        Endpoint::ApiGroup(group) => discovery::group(core, asked, group),
        Endpoint::ApiResources { group, version } => discovery::resources(core, asked, group, version),
        Endpoint::OpenApi(OpenApi::Index) => discovery::openapi_index(core, asked),
        Endpoint::OpenApi(OpenApi::Document { path, hash }) => discovery::openapi(core, asked, path, hash),
        Endpoint::Other if asked.info.path == backup::PATH => backup::answer(core, asked),
        Endpoint::OpenApi(OpenApi::V2) => Ok(discovery::openapi_v2(core, asked)),
        Endpoint::Jwks => Ok(published("application/jwk-set+json", &core.jwks())),
        Endpoint::OpenIdConfiguration => Ok(published("application/json", &core.openid_configuration())),
        Endpoint::Other => Err(ApiError::no_such_path()),
    }
}

/// What verifiers of tokens read, and may keep for an hour (upstream).
fn published(content_type: &'static str, document: &Value) -> Reply {
    let mut reply = Reply::new(StatusCode::OK, content_type, super::write::text(document));
    reply.headers.push((header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=3600")));
    reply
}

fn paths(core: &Core) -> Vec<String> {
    let mut paths = vec!["/api".to_owned(), "/api/v1".to_owned(), "/apis".to_owned()];
    for group in core.registry.load().groups().filter(|it| !it.name.is_empty()) {
        paths.push(format!("/apis/{}", group.name));
        paths.extend(group.versions.iter().map(|it| format!("/apis/{}/{}", group.name, it.version)));
    }
    let rest = [
        "/.well-known/openid-configuration",
        "/healthz",
        "/livez",
        "/metrics",
        "/openapi/v2",
        "/openapi/v3",
        "/openid/v1/jwks",
        "/readyz",
        "/version",
    ];
    paths.extend(rest.map(str::to_owned));
    paths
}

fn health(core: &Core, asked: &Asked, which: &str, check: &str) -> Result<Reply> {
    let holds = |check: &str| check != "shutdown" || which != "readyz" || !core.shutdown.is_cancelled();
    if !check.is_empty() && !CHECKS.contains(&check) {
        return Err(ApiError::no_such_path());
    }
    let asked_for: Vec<&str> = CHECKS.into_iter().filter(|it| check.is_empty() || *it == check).collect();
    let excluded: Vec<&str> = asked.info.query.all("exclude").filter(|it| check.is_empty() && !it.is_empty()).collect();
    let fine = asked_for.iter().all(|it| excluded.contains(it) || holds(it));
    let verbose = asked.info.query.get("verbose").is_some();
    if fine && !verbose {
        return Ok(Reply::text(StatusCode::OK, "ok"));
    }
    let mut text = String::new();
    for check in asked_for {
        text.push_str(&match (excluded.contains(&check), holds(check)) {
            (true, _) => format!("[+]{check} excluded: ok\n"),
            (false, true) => format!("[+]{check} ok\n"),
            (false, false) => format!("[-]{check} failed\n"),
        });
    }
    let unknown: BTreeSet<&str> = excluded.into_iter().filter(|it| !CHECKS.contains(it)).collect();
    if !unknown.is_empty() {
        let names: Vec<String> = unknown.iter().map(|it| format!("{it:?}")).collect();
        let names = names.join(",");
        text.push_str(&format!("warn: some health checks cannot be excluded: no matches for {names}\n"));
    }
    text.push_str(&format!("{which} check {}\n", if fine { "passed" } else { "failed" }));
    Ok(Reply::text(if fine { StatusCode::OK } else { StatusCode::INTERNAL_SERVER_ERROR }, text))
}

fn metrics(core: &Core) -> Reply {
    let (revision, objects) = core.storage.read(|memory: &Memory| (memory.revision().0, memory.count("")));
    let figures = [core.metrics.render(revision, objects), core.inflight.render(), core.audit.counts.render()];
    Reply::new(StatusCode::OK, "text/plain; version=0.0.4", figures.concat())
}
