//! Manifests that others publish, as packages of a registry carry them (`.ci/run` puts them into `KANON_MANIFESTS`): definitions of
//! half a megabyte with their objects, and workloads with faults of their own. Served, refused, checked and audited.
#![allow(clippy::disallowed_macros, reason = "tests say what they could not run")]

use std::path::PathBuf;

use crate::harness::{Ran, Up, file, kanon};

/// Definitions of a chart, and objects that its tests use.
const DASK: &str = "dask_kubernetes/operator";
/// A DaemonSet that is privileged and mounts the host.
const FUSE: &str = "sky/provision/kubernetes/manifests/fusermount-server-daemonset.yaml";
/// A Job that runs what is newest.
const LABELER: &str = "sky/utils/kubernetes/k8s_gpu_labeler_job.yaml";

const RULES: &str = r"
- name: no-privileged
  enabled: true
  severity: critical
  mode: [admission, audit]
  enforcementAction: warn
  match: {gvk: [{group: apps, version: v1, kind: DaemonSet}]}
  rule: container.securityContext.privileged == true
- name: no-latest
  enabled: true
  severity: low
  mode: [admission, audit]
  enforcementAction: warn
  match: {gvk: [{group: batch, version: v1, kind: Job}]}
  rule: container.image.tag == 'latest'
- name: workers-need-limits
  enabled: true
  severity: low
  mode: [audit]
  match: {gvk: [{group: kubernetes.dask.org, version: v1, kind: DaskCluster}]}
  rule: any(object.spec.worker.spec.containers, .resources?.limits == nil)
";

fn folder() -> Option<PathBuf> {
    let folder = std::env::var_os("KANON_MANIFESTS").map(PathBuf::from).filter(|it| it.join(DASK).exists());
    if folder.is_none() {
        println!("no published manifests are at hand: KANON_MANIFESTS names no folder with `{DASK}`");
    }
    folder
}

#[test]
fn what_others_publish_is_served_checked_and_audited() {
    let Some(folder) = folder() else { return };
    let path = |of: &str| folder.join(of).display().to_string();
    let scratch = tempfile::tempdir().expect("a scratch folder");
    let rules = file(scratch.path(), "rules.yaml", RULES);

    // Before a cluster sees them: where they are at fault, by line.
    let check = |of: &str| {
        let words = ["check", "-r", &rules, &path(of), "-o", "json"];
        Ran::of(kanon().args(words).output().expect("kanon runs"))
    };
    let found = check(FUSE);
    assert_eq!(found.code, Some(0), "a warning refuses nothing: {found:#?}");
    let found: serde_json::Value = serde_json::from_str(&found.out).expect("JSON");
    assert_eq!(found["findings"][0]["policy"]["name"], "no-privileged", "{found:#}");
    assert!(found["findings"][0]["line"].as_u64().is_some_and(|it| it > 20), "{found:#}");

    let up = Up::start_with(scratch, &["--rules-folder", &rules.replace("/rules.yaml", "")]);
    up.kubectl(&format!(
        "apply --server-side -f {}",
        path(&format!("{DASK}/deployment/helm/dask-kubernetes-operator/crds"))
    ))
    .ok();
    up.kubectl("wait --for=condition=established crd/daskclusters.kubernetes.dask.org --timeout=30s").ok();
    up.kubectl(&format!("apply -f {}", path(&format!("{DASK}/controller/tests/resources")))).ok();
    let listed = up.kubectl("get daskclusters,daskjobs,daskworkergroups").ok();
    for name in ["/simple ", "/simple-job ", "/failed-job ", "/simple-additional "] {
        assert!(listed.contains(name), "{listed}");
    }
    // A wrong type is found by a schema of ten thousand lines.
    let wrong = r#"patch daskcluster simple --type=merge -p {"spec":{"worker":{"replicas":"two"}}}"#;
    let refused = up.kubectl(wrong).fails(1);
    assert!(refused.contains("spec.worker.replicas") && refused.contains("integer"), "{refused}");

    for (manifest, rule) in [(FUSE, "no-privileged"), (LABELER, "no-latest")] {
        let said = up.kubectl(&format!("apply -f {} -n default", path(manifest)));
        // The system's own namespace is passed over.
        let in_system = std::fs::read_to_string(path(manifest)).expect("a manifest").contains("namespace: kube-system");
        let applied = if in_system { up.kubectl(&format!("apply -f {}", path(manifest))) } else { said };
        assert_eq!(applied.code, Some(0), "{applied:#?}");
        assert_eq!(applied.err.contains(rule), !in_system, "{applied:#?}");
    }
    up.counts(r#"portal_open_findings{rule="no-privileged",severity="critical",namespace="default"} 1"#);
    up.counts(r#"portal_open_findings{rule="no-latest",severity="low",namespace="kube-system"} 1"#);
    up.counts(r#"portal_open_findings{rule="workers-need-limits",severity="low",namespace="default"} 1"#);
}
