//! Backups of a control plane that runs and of one that does not, restored; and the audit log on the way.

use crate::harness::{Ran, Up, file, kanon};

#[test]
fn what_a_backup_holds_comes_back_elsewhere() {
    let scratch = tempfile::tempdir().expect("a scratch folder");
    let policy = file(
        scratch.path(),
        "policy.yaml",
        "{apiVersion: audit.k8s.io/v1, kind: Policy, rules: [{level: Metadata, resources: [{group: '', resources: [configmaps]}]}]}",
    );
    let log = scratch.path().join("audit.log");
    let flags = ["--audit-policy-file", &policy, "--audit-log-path", &log.display().to_string()];
    let up = Up::start_with(scratch, &flags);
    up.kubectl("create configmap kept --from-literal=a=b").ok();
    let online = up.scratch.path().join("online.backup").display().to_string();
    let said = up.kanon(&["backup", &online]).ok();
    assert!(said.starts_with(&online) && said.contains(" objects and "), "{said}");
    assert!(up.kanon(&["backup", &online]).fails(2).contains("--force replaces it"));
    let plain = file(up.scratch.path(), "plain.backup", &up.kubectl("get --raw /kanon/backup").ok());
    up.kubectl("create configmap later").ok();
    assert!(up.kanon(&["restore", &online]).fails(2).contains("is not empty"));
    assert!(up.kanon(&["restore", &online, "--force"]).fails(1).contains("in use by another process"));
    let version: u64 =
        up.kubectl("get configmap later -o jsonpath={.metadata.resourceVersion}").ok().parse().expect("a number");
    let dir = up.dir.clone();
    let (code, old) = up.stop();
    assert_eq!(code, Some(0));
    let audited = std::fs::read_to_string(&log).expect("an audit log");
    let creates = audited.lines().filter(|it| it.contains("\"verb\":\"create\"") && it.contains("\"name\":\"kept\""));
    assert_eq!(creates.count(), 1, "{audited}");
    assert!(audited.contains("\"authorization.k8s.io/decision\":\"allow\""));

    let offline = old.path().join("offline.backup").display().to_string();
    let run = |args: &[&str]| Ran::of(kanon().env("KANON_DATA_DIR", &dir).args(args).output().expect("kanon runs"));
    run(&["backup", &offline]).ok();
    for (backup, has_later) in [(&online, false), (&offline, true)] {
        let new = tempfile::tempdir().expect("a scratch folder");
        let target = new.path().join("data").display().to_string();
        let said = run(&["restore", backup, "--data-dir", &target]).ok();
        assert!(said.contains("versions go on from 1000"), "{said}");
        let ca = |folder: &std::path::Path| {
            let mut files: Vec<_> = std::fs::read_dir(folder.join("ca")).expect("an authority").collect();
            files.sort_by_key(|it| it.as_ref().map(|it| it.path()).ok());
            files.into_iter().map(|it| std::fs::read(it.expect("a file").path()).expect("read")).collect::<Vec<_>>()
        };
        assert_eq!(ca(&new.path().join("data")), ca(&dir), "clients go on trusting it");
        let up = Up::start_with::<&str>(new, &[]);
        let names = up.kubectl("get configmaps -o name").ok();
        assert!(names.contains("configmap/kept\n"), "{names}");
        assert_eq!(names.contains("configmap/later\n"), has_later, "{names}");
        let now: u64 =
            up.kubectl("get configmap kept -o jsonpath={.metadata.resourceVersion}").ok().parse().expect("a number");
        assert!(now > version, "versions never go back");
    }
    let again = old.path().join("again").display().to_string();
    let said = run(&["restore", &plain, "--data-dir", &again]).ok();
    assert!(said.contains("versions go on from 1000"), "as the server sends it, without compression: {said}");
    let damaged = std::fs::read(&online).expect("read");
    assert!(damaged.starts_with(&[0x1f, 0x8b]), "it is compressed");
    std::fs::write(&online, &damaged[..damaged.len() / 2]).expect("written");
    let elsewhere = old.path().join("elsewhere").display().to_string();
    assert!(run(&["restore", &online, "--data-dir", &elsewhere]).fails(1).contains("cut off"));
    let foreign = file(old.path(), "foreign", "hello\n");
    assert!(run(&["restore", &foreign, "--data-dir", &elsewhere]).fails(1).contains("no backup of Kanon"));
    let missing = old.path().join("nowhere").display().to_string();
    let no_store = run(&["backup", &old.path().join("x").display().to_string(), "--data-dir", &missing]);
    assert!(no_store.fails(1).contains("there is no store"));
}

#[test]
fn a_broken_audit_policy_is_refused_at_the_start() {
    let folder = tempfile::tempdir().expect("a folder");
    let policy =
        file(folder.path(), "policy.yaml", "{apiVersion: audit.k8s.io/v1, kind: Policy, rules: [{level: Some}]}");
    let ran = kanon().args(["up", "--ephemeral", "--listen", "127.0.0.1:0", "--audit-policy-file", &policy]).output();
    let said = Ran::of(ran.expect("kanon runs")).fails(1);
    assert!(said.contains("policy.yaml") && said.contains("rules[0].level: `Some`"), "{said}");
}
