use kanon_store::Revision;
use serde_json::json;

use super::*;

fn info(method: &Method, uri: &str) -> RequestInfo {
    let (path, query) = uri.split_once('?').map_or((uri, None), |(path, query)| (path, Some(query)));
    RequestInfo::parse(method, path, query, &HeaderMap::new()).unwrap()
}

/// `verb group/version resource namespace name subresource`, with `-` for what is empty.
fn shown(target: &Target) -> String {
    match target {
        Target::Path(endpoint) => format!("{endpoint:?}"),
        Target::Resource(verb, it) => {
            let parts = [&it.group, &it.version, &it.resource, &it.namespace, &it.name, &it.subresource];
            let parts: Vec<&str> = parts.into_iter().map(|it| if it.is_empty() { "-" } else { it.as_str() }).collect();
            format!("{} {}", verb.as_str(), parts.join(" "))
        }
    }
}

#[test]
fn paths_are_taken_apart() {
    for (method, uri, want) in [
        (Method::GET, "/", "Root"),
        (Method::GET, "/version", "Version"),
        (Method::GET, "/readyz/ping?verbose", r#"Health("readyz", "ping")"#),
        (Method::GET, "/api", "ApiVersions"),
        (Method::GET, "/apis/", "ApiGroups"),
        (Method::GET, "/apis/apps", r#"ApiGroup("apps")"#),
        (Method::GET, "/api/v1", r#"ApiResources { group: "", version: "v1" }"#),
        (Method::GET, "/openapi/v3", "OpenApi(Index)"),
        (Method::GET, "/openapi/v3/apis/apps/v1?hash=AB", r#"OpenApi(Document { path: "apis/apps/v1", hash: "AB" })"#),
        (Method::GET, "/nothing", "Other"),
        (Method::GET, "/api/v1/pods", "list - v1 pods - - -"),
        (Method::GET, "/api/v1/namespaces/shop/pods?watch=1", "watch - v1 pods shop - -"),
        (Method::GET, "/api/v1/watch/namespaces/shop/pods/a", "watch - v1 pods shop a -"),
        (Method::GET, "/api/v1/namespaces", "list - v1 namespaces - - -"),
        (Method::GET, "/api/v1/namespaces/shop", "get - v1 namespaces shop shop -"),
        (Method::PUT, "/api/v1/namespaces/shop/finalize", "update - v1 namespaces shop shop finalize"),
        (
            Method::PATCH,
            "/apis/apps/v1/namespaces/shop/deployments/web/scale",
            "patch apps v1 deployments shop web scale",
        ),
        (Method::POST, "/api/v1/namespaces/shop/pods/a/eviction", "create - v1 pods shop a eviction"),
        (Method::DELETE, "/apis/x.io/v1/gates/a%3Ab", "delete x.io v1 gates - a:b -"),
        (Method::DELETE, "/apis/x.io/v1/gates", "deletecollection x.io v1 gates - - -"),
        (Method::GET, "/api/v1/namespaces/s/pods?fieldSelector=metadata.name%3Da&watch=true", "watch - v1 pods s a -"),
        (Method::GET, "/api/v1/namespaces/s/pods/a/log", "get - v1 pods s a log"),
    ] {
        assert_eq!(shown(&info(&method, uri).target), want, "{method} {uri}");
    }
}

#[test]
fn resources_are_found_in_their_scope() {
    let registry = Registry::builtin();
    for (method, uri, want) in [
        (Method::GET, "/api/v1/pods", 0),
        (Method::GET, "/api/v1/pods?fieldSelector=metadata.name%3Da", 0),
        (Method::POST, "/api/v1/namespaces", 0),
        (Method::GET, "/api/v1/namespaces/a", 0),
        (Method::GET, "/api/v1/namespaces/a/nodes", 404),
        (Method::GET, "/api/v1/pods/a", 404),
        (Method::POST, "/api/v1/pods", 405),
        (Method::PATCH, "/api/v1/namespaces", 405),
        (Method::PUT, "/api/v1/namespaces/a/pods", 405),
        (Method::POST, "/api/v1/namespaces/a/pods/b", 405),
        (Method::POST, "/api/v1/namespaces/a/pods/b/eviction", 0),
        (Method::GET, "/api/v1/gates", 404),
        (Method::DELETE, "/api/v1/namespaces", 405),
        (Method::GET, "/api/v1/namespaces/a/pods/b/nothing", 404),
        (Method::GET, "/api/v1/namespaces/a/pods/b/eviction", 405),
        (Method::GET, "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", 405),
    ] {
        let got = info(&method, uri).resolve(&registry).map_or_else(|error| error.code, |_| 0);
        assert_eq!(got, want, "{method} {uri}");
    }
}

fn list(query: &str, watch: bool) -> Result<ListOptions> {
    let registry = Registry::builtin();
    let pods = registry.resource("", "v1", "pods").unwrap();
    info(&Method::GET, &format!("/api/v1/pods?{query}")).list_options(pods, watch)
}

#[test]
fn list_options_are_typed_and_checked() {
    let options = list("limit=5&resourceVersion=7&labelSelector=a%3Db&timeoutSeconds=3&continue=x", false).unwrap();
    assert_eq!((options.limit, options.version, options.timeout_seconds), (Some(5), Some(Revision(7)), Some(3)));
    assert_eq!((options.continue_token.as_str(), options.selection.labels.to_string().as_str()), ("x", "a=b"));
    assert_eq!(list("limit=0&resourceVersion=", false).unwrap(), list("", false).unwrap());
    let options =
        list("sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true", true).unwrap();
    assert!(options.bookmarks && options.send_initial_events == Some(true));
    for (query, watch, code, want) in [
        ("limit=x", false, 400, r#"strconv.ParseInt: parsing "x": invalid syntax"#),
        (
            "labelSelector=a%20b",
            false,
            400,
            "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt",
        ),
        ("fieldSelector=spec.x%3D1", false, 400, "field label not supported: spec.x"),
        (
            "resourceVersionMatch=Exact",
            false,
            422,
            r#"ListOptions.meta.k8s.io "" is invalid: resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided"#,
        ),
        (
            "sendInitialEvents=true",
            true,
            422,
            r#"ListOptions.meta.k8s.io "" is invalid: resourceVersionMatch: Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"#,
        ),
        (
            "sendInitialEvents=true&resourceVersionMatch=NotOlderThan",
            false,
            422,
            r#"ListOptions.meta.k8s.io "" is invalid: [resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided, sendInitialEvents: Forbidden: sendInitialEvents is forbidden for list]"#,
        ),
    ] {
        let error = list(query, watch).unwrap_err();
        assert_eq!((error.code, error.message.as_str()), (code, want), "{query}");
    }
}

#[test]
fn write_options_are_typed_and_checked() {
    let mut headers = HeaderMap::new();
    headers.insert(header::USER_AGENT, "kubectl/v1.32.0 (linux)".parse().unwrap());
    let path = "/api/v1/namespaces";
    let info = RequestInfo::parse(&Method::POST, path, Some("dryRun=All&fieldValidation=Strict"), &headers).unwrap();
    let options = info.write_options("CreateOptions").unwrap();
    assert_eq!((options.field_manager.as_str(), options.manager_given, options.dry_run), ("kubectl", false, true));
    assert_eq!(
        options.to_value("CreateOptions"),
        json!({"kind": "CreateOptions", "apiVersion": "meta.k8s.io/v1", "fieldValidation": "Strict", "dryRun": ["All"]})
    );
    let info = RequestInfo::parse(&Method::POST, path, Some("dryRun=x"), &headers).unwrap();
    assert_eq!(
        info.write_options("CreateOptions").unwrap_err().message,
        r#"CreateOptions.meta.k8s.io "" is invalid: dryRun: Unsupported value: []string{"x"}: supported values: "All""#
    );
}

#[test]
fn delete_options_come_from_body_or_query() {
    let body = json!({"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Foreground", "gracePeriodSeconds": 0,
        "preconditions": {"uid": "u"}});
    let info = info(&Method::DELETE, "/api/v1/namespaces/a?propagationPolicy=Orphan");
    let options = info.delete_options(Some(&body)).unwrap();
    assert_eq!((options.propagation, options.grace_period_seconds), (Some(Propagation::Foreground), Some(0)));
    assert_eq!((options.uid.as_deref(), options.dry_run), (Some("u"), false));
    assert_eq!(info.delete_options(None).unwrap().propagation, Some(Propagation::Orphan));
    let wrong = json!({"propagationPolicy": "Never"});
    assert_eq!(info.delete_options(Some(&wrong)).unwrap_err().code, 422);
}
