//! `kanon migrate rules` from outside: files in, files out, and the rules that come out are taken by a live control plane.

use std::process::Command;

use crate::harness::{Ran, Up, file, kanon};

const OLD: &str = "\
# An old rule.
name: No ALL
enabled: true
severity: high
filter: {namespace: production}
enforcementAction: deny
rule: \"{'a', 'b'}.contains(container.name) && container.securityContext.capabilities.add.contains('ALL')\"
";

fn run(command: &mut Command) -> Ran {
    Ran::of(command.output().expect("kanon runs"))
}

#[test]
fn migrated_rules_work_in_a_cluster() {
    let scratch = tempfile::tempdir().expect("a folder");
    let old = scratch.path().join("old");
    std::fs::create_dir_all(old.join("below")).expect("a folder");
    file(&old, "a.yaml", OLD);
    file(&old, "notes.txt", "not a rule");
    file(&old.join("below"), "b.yaml", "not: [a rule");
    let ran = run(kanon().args(["migrate", "rules"]).arg(&old));
    assert_eq!(
        ran.err,
        "warn: a.yaml#0: `match.gvk` was missing: the rule is about Pods\nMigrated 1 rule files. 1 warnings. 0 errors.\n"
    );
    ran.ok();
    let text = std::fs::read_to_string(scratch.path().join("old-portal/no-all.yaml")).expect("the file");
    assert!(
        text.contains("(container.name in ['a', 'b']) && ('ALL' in container.securityContext.capabilities.add)"),
        "{text}"
    );
    let up = Up::start();
    up.kubectl("create namespace production").ok();
    up.kubectl_with("apply -f -", &text).ok();
    up.settles("get pcr no-all -o jsonpath={.status.lastApplied}", |it| !it.is_empty());
    up.settles("get validatingwebhookconfiguration kanon -o jsonpath={.webhooks[*].rules[*].resources}", |it| {
        it.contains("pods")
    });
    let pod = "---\n{apiVersion: v1, kind: Pod, metadata: {name: bad, namespace: production}, spec: {containers: [{name: a, image: x, securityContext: {capabilities: {add: [ALL]}}}]}}";
    let denied = up.kubectl_with("apply -f -", pod).fails(1);
    assert!(denied.contains("rule violated: No ALL"), "{denied}");
}

#[test]
fn a_folder_goes_through_again_byte_by_byte() {
    let scratch = tempfile::tempdir().expect("a folder");
    let old = scratch.path().join("old");
    std::fs::create_dir(&old).expect("a folder");
    file(&old, "a.yaml", OLD);
    file(&old, "b.yml", "- {name: b, enabled: true, rule: \"T(x).y()\"}\n- {name: c, rule: \"a ?: b\"}\n");
    let (one, two) = (scratch.path().join("one"), scratch.path().join("two"));
    // The original's spelling does the same.
    let command = ["portal", "migrate-rules", "--format", "folder", "-o"];
    let ran = run(kanon().args(command).arg(&one).arg(&old));
    assert!(ran.err.contains("`T(…)` names a Java type") && ran.err.ends_with(" 0 errors.\n"), "{}", ran.err);
    ran.ok();
    run(kanon().args(command).arg(&two).arg(&one)).ok();
    for name in ["a.yaml", "b.yml"] {
        let read = |folder: &std::path::Path| std::fs::read_to_string(folder.join(name)).expect("the file");
        assert_eq!(read(&one), read(&two), "{name}");
    }
}

#[test]
fn errors_end_with_1_and_a_dry_run_writes_nothing() {
    let scratch = tempfile::tempdir().expect("a folder");
    let old = scratch.path().join("old");
    std::fs::create_dir(&old).expect("a folder");
    file(&old, "a.yaml", OLD);
    file(&old, "b.yaml", "a: [");
    let ran = run(kanon().args(["migrate", "rules", "--dry-run"]).arg(&old));
    assert!(
        ran.out.starts_with(&format!("--- {}/old-portal/no-all.yaml ---\napiVersion: ", scratch.path().display())),
        "{}",
        ran.out
    );
    let error = ran.fails(1);
    assert!(
        error.contains("error: b.yaml: file is not YAML")
            && error.ends_with("Migrated 1 rule files. 1 warnings. 1 errors.\n"),
        "{error}"
    );
    assert!(!scratch.path().join("old-portal").exists());
    let error = run(kanon().args(["migrate", "rules"]).arg(scratch.path().join("none"))).fails(1);
    assert!(error.contains("failed to read"), "{error}");
}
