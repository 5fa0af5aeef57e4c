//! Ingresses and network policies: what reaches what.

use serde_json::{Value, json};

use super::{check, check_update, good, merged, told};

const INGRESSES: &str = "networking.k8s.io/v1/ingresses";

/// An ingress whose only path is this over a good one.
fn check_path(change: Value, want: &[&str]) {
    let good =
        json!({"path": "/a", "pathType": "Prefix", "backend": {"service": {"name": "s", "port": {"number": 80}}}});
    let path = merged(&good, &change);
    check(INGRESSES, json!({"spec": {"rules": [{"http": {"paths": [path]}}]}}), want);
}

#[test]
fn paths() {
    let place = "spec.rules[0].http.paths[0]";
    check_path(json!({}), &[]);
    check_path(json!({"pathType": null}), &[&format!("{place}.pathType: Required value: pathType must be specified")]);
    check_path(
        json!({"pathType": "Glob"}),
        &[&format!(
            r#"{place}.pathType: Unsupported value: "Glob": supported values: "Exact", "ImplementationSpecific", "Prefix""#
        )],
    );
    for (path, want) in [
        ("a", "must be an absolute path"),
        ("/a//b", "must not contain '//'"),
        ("/a/./b", "must not contain '/./'"),
        ("/a/%2fb", "must not contain '%2f'"),
        ("/a/..", "cannot end with '/..'"),
    ] {
        check_path(json!({"path": path}), &[&format!("{place}.path: Invalid value: {path:?}: {want}")]);
    }
    check_path(json!({"pathType": "ImplementationSpecific", "path": "/a//b"}), &[]);
    check_path(
        json!({"pathType": "ImplementationSpecific", "path": "*"}),
        &[&format!(r#"{place}.path: Invalid value: "*": must be an absolute path"#)],
    );
}

#[test]
fn backends() {
    let place = "spec.rules[0].http.paths[0].backend";
    let backend = |backend: Value, want: &str| {
        let want = format!("{place}{want}");
        check_path(json!({"backend": merged(&json!({"service": null}), &backend)}), &[&want]);
    };
    check_path(
        json!({"backend": null}),
        &[&format!("{place}: Invalid value: \"\": resource or service backend is required")],
    );
    backend(
        json!({"service": {"name": "s", "port": {"number": null}}}),
        ": Required value: port name or number is required",
    );
    backend(
        json!({"service": {"name": "s", "port": {"number": 80, "name": "web"}}}),
        ": Invalid value: \"\": cannot set both port name & port number",
    );
    backend(
        json!({"service": {"name": "s", "port": {"number": 70000}}}),
        ".service.port.number: Invalid value: 70000: must be between 1 and 65535, inclusive",
    );
    backend(
        json!({"resource": {"kind": "Bucket", "name": "b"}, "service": {"name": "s"}}),
        ": Invalid value: \"\": cannot set both resource and service backends",
    );
}

#[test]
fn hosts_and_classes() {
    let host = |host: &str| json!({"spec": {"rules": [{"host": host}]}});
    check(INGRESSES, host("*.example.com"), &[]);
    check(INGRESSES, host("a.example.com"), &[]);
    check(
        INGRESSES,
        host("10.0.0.1"),
        &["spec.rules[0].host: Invalid value: \"10.0.0.1\": must be a DNS name, not an IP address"],
    );
    let wild = told(INGRESSES, merged(&good(INGRESSES), &host("a.*.com")), None);
    assert!(
        wild[0].starts_with("spec.rules[0].host: Invalid value: \"a.*.com\": a wildcard DNS-1123 subdomain"),
        "{wild:?}"
    );
    let both = |class: &str| json!({"metadata": {"annotations": {"kubernetes.io/ingress.class": "old"}}, "spec": {"ingressClassName": class}});
    check(INGRESSES, both("old"), &[]);
    check(
        INGRESSES,
        both("new"),
        &[
            "annotations.kubernetes.io/ingress.class: Invalid value: \"old\": must match `ingressClassName` when both are specified",
        ],
    );
    check_update(INGRESSES, both("new"), &[]);
}

#[test]
fn policies() {
    let p = "networking.k8s.io/v1/networkpolicies";
    let block = |cidr: &str, except: &str| json!({"spec": {"ingress": [{"from": [{"ipBlock": {"cidr": cidr, "except": [except]}}]}]}});
    let field = "spec.ingress[0].from[0].ipBlock.except[0]";
    check(p, block("10.0.0.0/8", "10.1.0.0/16"), &[]);
    check(p, block("2001:db8::/32", "2001:db8:1::/48"), &[]);
    for (cidr, except) in [("10.0.0.0/8", "11.0.0.0/16"), ("10.0.0.0/8", "10.0.0.0/8"), ("10.0.0.0/8", "2001:db8::/32")]
    {
        check(
            p,
            block(cidr, except),
            &[&format!("{field}: Invalid value: {except:?}: must be a strict subset of `cidr`")],
        );
    }
    let ports = |port: Value| json!({"spec": {"egress": [{"ports": [port]}]}});
    check(
        p,
        ports(json!({"endPort": 90})),
        &["spec.egress[0].ports[0].endPort: Invalid value: 90: may not be specified when `port` is not specified"],
    );
    check(
        p,
        ports(json!({"port": "web", "endPort": 90})),
        &["spec.egress[0].ports[0].endPort: Invalid value: 90: may not be specified when `port` is non-numeric"],
    );
    check(
        p,
        json!({"spec": {"policyTypes": ["Ingress", "Egress", "Ingress"]}}),
        &[
            "spec.policyTypes: Invalid value: []string{\"Ingress\", \"Egress\", \"Ingress\"}: may not specify more than two policyTypes",
        ],
    );
}
