//! Rules that are looked at when they are stored: strict installs, and the rights of authors.

use crate::harness::Up;

fn up(flags: &[&str]) -> Up {
    let up = Up::start_with(tempfile::tempdir().expect("a scratch folder"), flags);
    up.kubectl("create namespace shop").ok();
    let path = "get validatingwebhookconfiguration kanon -o jsonpath={.webhooks[*].rules[*].resources}";
    up.settles(path, |it| it.contains("portalclusterrules") && it.contains("portalrules"));
    let policy = "get validatingwebhookconfiguration kanon -o jsonpath={.webhooks[*].failurePolicy}";
    assert_eq!(up.kubectl(policy).ok().trim(), "Ignore");
    up
}

/// A rule about pods; `more` are further fields of its spec.
fn rule(kind: &str, expression: &str, more: &str) -> String {
    let namespace = if kind == "PortalRule" { "namespace: shop" } else { "labels: {}" };
    format!(
        "apiVersion: portal.io/v1alpha1\nkind: {kind}\nmetadata: {{name: r, {namespace}}}\nspec:\n  name: r\n  enabled: true\n  \
         mode: [admission]\n  enforcementAction: deny\n  match: {{gvk: [{{group: '', version: v1, kind: Pod}}]}}\n  \
         rule: \"{expression}\"\n{more}"
    )
}

#[test]
fn a_strict_install_refuses_broken_rules_and_shows_where_they_are() {
    let up = up(&["--validate-rules", "deny"]);
    for kind in ["PortalClusterRule", "PortalRule"] {
        let denied = up.kubectl_with("create -f -", &rule(kind, "metadata.name = 'a'", "")).fails(1);
        assert!(denied.contains("denied the request: r: compile: "), "{denied}");
        assert!(denied.contains(" | metadata.name = 'a'\n | ..............^"), "{denied}");
    }
    up.kubectl_with("create -f -", &rule("PortalClusterRule", "metadata.name == 'a'", "")).ok();
    let broken = up.kubectl_with("apply -f -", &rule("PortalClusterRule", "metadata.name == ", "")).fails(1);
    assert!(broken.contains("r: compile: "), "{broken}");
    up.kubectl("delete pcr r").ok();
    up.counts(r#"portal_admission_requests_total{decision="deny"} 3"#);
}

#[test]
fn a_lenient_install_warns_line_by_line_and_stores() {
    let up = up(&["--validate-rules", "warn"]);
    let made = up.kubectl_with("create -f -", &rule("PortalClusterRule", "metadata.name = 'a'", ""));
    assert_eq!(made.code, Some(0), "{}", made.err);
    let lines = ["Warning: r: compile: ", "Warning: r:  | metadata.name = 'a'\n", "Warning: r:  | ..............^\n"];
    assert!(lines.iter().all(|it| made.err.contains(it)), "{}", made.err);
    up.settles("get pcr r -o jsonpath={.status.parseError}", |it| it.starts_with("compile: "));
}

#[test]
fn an_author_cannot_have_done_what_they_may_not_do() {
    let up = up(&["--author-check"]);
    up.kubectl("create role author -n shop --verb=create,get --resource=portalrules.portal.io").ok();
    up.kubectl("create rolebinding author -n shop --role=author --user=jane").ok();
    let labels = rule("PortalRule", "true", "  actions: [{type: label, params: {key: seen, value: 'yes'}}]\n");
    let denied = up.kubectl_with("create --as jane -f -", &labels).fails(1);
    let lacks = "r: action `label` needs the right to patch `pods` in namespace `shop`, which `jane` does not have";
    assert!(denied.contains(lacks), "{denied}");
    up.kubectl("create role labels -n shop --verb=patch --resource=pods").ok();
    up.kubectl("create rolebinding labels -n shop --role=labels --user=jane").ok();
    up.kubectl_with("create --as jane -f -", &labels).ok();
}
