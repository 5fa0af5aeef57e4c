//! Ingresses: hosts, paths and what is behind them.

use std::net::IpAddr;

use super::field::{Errors, Field, port_name_problems};
use crate::names::{label_1035_problems, subdomain_problems};

/// Where the class stood before it was a field.
const CLASS: &str = "kubernetes.io/ingress.class";
/// What no path may hold, and how none may end: the same path could be written in several ways.
const NOT_WITHIN: [&str; 5] = ["//", "/./", "/../", "%2f", "%2F"];
const NOT_LAST: [&str; 2] = ["/..", "/."];

pub(super) fn ingress(root: &Field<'_>, errors: &mut Errors) {
    let spec = &root.get("spec");
    let (rules, backend) = (spec.get("rules"), spec.get("defaultBackend"));
    if rules.is_empty() && backend.is_absent() {
        let shown = "[]networking.IngressRule(nil)".to_owned();
        spec.invalid_shown(errors, shown, "either `defaultBackend` or `rules` must be specified");
    }
    if !backend.is_absent() {
        self::backend(&backend, errors);
    }
    rules.each(|it| rule(it, errors));
    spec.get("tls").each(|it| tls(it, errors));
    let class = spec.get("ingressClassName");
    if !class.is_absent() {
        class.problems(errors, subdomain_problems(class.text()));
    }
}

/// What holds for a new one only: the class said twice is said alike.
pub(super) fn create(root: &Field<'_>, errors: &mut Errors) {
    let (metadata, spec) = (root.get("metadata"), root.get("spec"));
    let (noted, class) = (metadata.value()["annotations"][CLASS].as_str(), spec.get("ingressClassName"));
    if let Some(noted) = noted.filter(|it| !class.is_absent() && *it != class.text()) {
        let detail = "must match `ingressClassName` when both are specified";
        root.get("annotations").get(CLASS).invalid_value(errors, noted, detail);
    }
}

fn tls(tls: &Field<'_>, errors: &mut Errors) {
    tls.get("hosts").each(|it| host(it, errors));
    let secret = tls.get("secretName");
    if !secret.is_empty() {
        secret.problems(errors, subdomain_problems(secret.text()));
    }
}

/// A domain, or all below one.
fn host(host: &Field<'_>, errors: &mut Errors) {
    let wild = host.text().contains('*');
    host.problems(errors, if wild { wildcard_problems(host.text()) } else { subdomain_problems(host.text()) });
}

fn rule(rule: &Field<'_>, errors: &mut Errors) {
    let name = rule.get("host");
    if !name.is_empty() {
        if name.text().parse::<IpAddr>().is_ok() {
            name.invalid(errors, "must be a DNS name, not an IP address");
        }
        host(&name, errors);
    }
    let http = rule.get("http");
    let paths = http.get("paths");
    if !http.is_absent() {
        paths.present(errors, "");
    }
    paths.each(|it| path(it, errors));
}

/// `*.` and a domain.
fn wildcard_problems(host: &str) -> Vec<String> {
    let rest = host.strip_prefix("*.").map(subdomain_problems);
    if rest.is_some_and(|it| it.is_empty()) {
        return Vec::new();
    }
    vec![
        "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist of lower case alphanumeric \
         characters, '-' or '.' and end with an alphanumeric character (e.g. '*.example.com', regex used for validation is \
         '\\*\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
            .to_owned(),
    ]
}

fn path(path: &Field<'_>, errors: &mut Errors) {
    let (kind, text) = (path.get("pathType"), path.get("path"));
    if kind.present(errors, "pathType must be specified") {
        match kind.text() {
            "Exact" | "Prefix" => {
                if !text.text().starts_with('/') {
                    text.invalid_value(errors, text.text(), "must be an absolute path");
                }
                for part in NOT_WITHIN.iter().filter(|it| text.text().contains(**it)) {
                    text.invalid(errors, format!("must not contain '{part}'"));
                }
                for end in NOT_LAST.iter().filter(|it| text.text().ends_with(**it)) {
                    text.invalid(errors, format!("cannot end with '{end}'"));
                }
            }
            "ImplementationSpecific" if !text.is_empty() && !text.text().starts_with('/') => {
                text.invalid(errors, "must be an absolute path");
            }
            _ => {}
        }
    }
    backend(&path.get("backend"), errors);
}

fn backend(backend: &Field<'_>, errors: &mut Errors) {
    let (service, resource) = (backend.get("service"), backend.get("resource"));
    match (service.is_absent(), resource.is_absent()) {
        (false, false) => backend.invalid_value(errors, "", "cannot set both resource and service backends"),
        (true, true) => backend.invalid_value(errors, "", "resource or service backend is required"),
        (true, false) => {
            resource.get("kind").present(errors, "");
            resource.get("name").present(errors, "");
        }
        (false, true) => {
            let name = service.get("name");
            if name.present(errors, "") {
                name.problems(errors, label_1035_problems(name.text()));
            }
            let port = service.get("port");
            let (name, number) = (port.get("name"), port.get("number"));
            match (name.is_empty(), number.int().unwrap_or_default()) {
                (true, 0) => backend.required(errors, "port name or number is required"),
                (false, 0) => name.problems(errors, port_name_problems(name.text())),
                (true, _) => number.port_number(errors),
                (false, _) => backend.invalid_value(errors, "", "cannot set both port name & port number"),
            }
        }
    }
}
