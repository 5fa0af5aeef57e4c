//! What the standards forbid, in whose words, and what labels say.

use serde_json::{Value, json};

use super::{policy::Level, *};

/// What a pod of this spec violates, as the refusal tells it.
fn violated(policy: Policy, spec: &Value) -> String {
    told(&violations(&json!({"metadata": {"name": "p"}, "spec": spec}), &policy)).unwrap_or_default()
}

fn check(level: Level, spec: &Value, want: &str) {
    assert_eq!(violated(Policy { level, version: None }, spec), want, "{spec}");
}

/// The spec of a pod with one container, `c`, of this security context.
fn one(context: &Value) -> Value {
    json!({"containers": [{"name": "c", "image": "i", "securityContext": context}]})
}

#[test]
fn baseline_forbids_ways_out_of_a_container() {
    let check = |spec: &Value, want: &str| check(Level::Baseline, spec, want);
    check(&json!({"containers": [{"name": "c"}]}), "");
    check(
        &one(&json!({"privileged": true})),
        r#"privileged (container "c" must not set securityContext.privileged=true)"#,
    );
    check(
        &json!({"hostNetwork": true, "hostPID": true, "containers": [{"name": "c", "ports": [{"hostPort": 80}, {"hostPort": 0}]}]}),
        r#"host namespaces (hostNetwork=true, hostPID=true), hostPort (container "c" uses hostPort 80)"#,
    );
    check(
        &json!({"containers": [{"name": "a", "ports": [{"hostPort": 9}, {"hostPort": 80}]}, {"name": "b", "ports": [{"hostPort": 7}]}]}),
        r#"hostPort (containers "a", "b" use hostPorts 7, 80, 9)"#,
    );
    check(
        &json!({"volumes": [{"name": "a", "hostPath": {"path": "/"}}, {"name": "b", "emptyDir": {}}], "containers": []}),
        r#"hostPath volumes (volume "a")"#,
    );
    check(
        &json!({"initContainers": [{"name": "i", "securityContext": {"capabilities": {"add": ["NET_ADMIN", "KILL"]}}}],
            "containers": [{"name": "c", "securityContext": {"capabilities": {"add": ["SYS_TIME"]}}}]}),
        r#"non-default capabilities (containers "i", "c" must not include "NET_ADMIN", "SYS_TIME" in securityContext.capabilities.add)"#,
    );
    check(
        &json!({"securityContext": {"seLinuxOptions": {"type": "t", "user": "u"}}, "containers": [{"name": "c", "securityContext": {"seLinuxOptions": {"role": "r"}}}]}),
        r#"seLinuxOptions (pod and container "c" set forbidden securityContext.seLinuxOptions: type "t"; user may not be set; role may not be set)"#,
    );
    check(
        &one(&json!({"procMount": "Unmasked"})),
        r#"procMount (container "c" must not set securityContext.procMount to "Unmasked")"#,
    );
    check(
        &json!({"securityContext": {"seccompProfile": {"type": "Unconfined"}}, "containers": []}),
        r#"seccompProfile (pod must not set securityContext.seccompProfile.type to "Unconfined")"#,
    );
    check(
        &json!({"securityContext": {"sysctls": [{"name": "kernel.msgmax"}, {"name": "net.ipv4.tcp_rmem"}]}, "containers": []}),
        "forbidden sysctls (kernel.msgmax)",
    );
    check(
        &one(&json!({"windowsOptions": {"hostProcess": true}})),
        r#"hostProcess (container "c" must not set securityContext.windowsOptions.hostProcess=true)"#,
    );
    check(
        &one(&json!({"appArmorProfile": {"type": "Unconfined"}})),
        r#"forbidden AppArmor profile (container "c" must not set AppArmor profile type to "Unconfined")"#,
    );
}

#[test]
fn annotations_name_apparmor_profiles_too() {
    let pod = json!({"metadata": {"annotations": {"container.apparmor.security.beta.kubernetes.io/c": "unconfined",
        "container.apparmor.security.beta.kubernetes.io/d": "localhost/x"}}, "spec": {"containers": []}});
    let told = told(&violations(&pod, &Policy { level: Level::Baseline, version: None }));
    let want = r#"forbidden AppArmor profile (annotation must not set AppArmor profile type to "container.apparmor.security.beta.kubernetes.io/c=\"unconfined\"")"#;
    assert_eq!(told.as_deref(), Some(want));
}

#[test]
fn restricted_asks_for_hardening() {
    let check = |spec: &Value, want: &str| check(Level::Restricted, spec, want);
    check(
        &json!({"containers": [{"name": "nginx"}]}),
        "allowPrivilegeEscalation != false (container \"nginx\" must set securityContext.allowPrivilegeEscalation=false), unrestricted \
         capabilities (container \"nginx\" must set securityContext.capabilities.drop=[\"ALL\"]), runAsNonRoot != true (pod or container \
         \"nginx\" must set securityContext.runAsNonRoot=true), seccompProfile (pod or container \"nginx\" must set \
         securityContext.seccompProfile.type to \"RuntimeDefault\" or \"Localhost\")",
    );
    let sound = json!({"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]},
        "runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}});
    check(&one(&sound), "");
    let but = |member: &str, value: Value| {
        let mut context = sound.clone();
        context[member] = value;
        one(&context)
    };
    check(
        &but("runAsNonRoot", json!(false)),
        r#"runAsNonRoot != true (container "c" must not set securityContext.runAsNonRoot=false)"#,
    );
    check(&but("runAsUser", json!(0)), r#"runAsUser=0 (container "c" must not set runAsUser=0)"#);
    check(
        &but("capabilities", json!({"add": ["CHOWN"]})),
        r#"unrestricted capabilities (container "c" must set securityContext.capabilities.drop=["ALL"]; container "c" must not include "CHOWN" in securityContext.capabilities.add)"#,
    );
    check(
        &but("seccompProfile", json!({"type": "Unconfined"})),
        r#"seccompProfile (container "c" must not set securityContext.seccompProfile.type to "Unconfined")"#,
    );
    let mut volumes = one(&sound);
    volumes["volumes"] = json!([{"name": "a", "hostPath": {"path": "/"}}, {"name": "b", "nfs": {"path": "/", "server": "s"}}, {"name": "c", "secret": {"secretName": "s"}}]);
    check(&volumes, r#"restricted volume types (volumes "a", "b" use restricted volume types "hostPath", "nfs")"#);
    check(
        &json!({"os": {"name": "windows"}, "securityContext": {"runAsNonRoot": true}, "containers": [{"name": "c"}]}),
        "",
    );
}

#[test]
fn a_version_keeps_what_came_later_out() {
    let told = |level, minor, spec: &Value| violated(Policy { level, version: Some(minor) }, spec);
    let rmem = json!({"securityContext": {"sysctls": [{"name": "net.ipv4.tcp_rmem"}]}, "containers": []});
    assert_eq!(told(Level::Baseline, 31, &rmem), "forbidden sysctls (net.ipv4.tcp_rmem)");
    assert_eq!(told(Level::Baseline, 32, &rmem), "");
    let root = json!({"securityContext": {"runAsUser": 0, "runAsNonRoot": true, "seccompProfile": {"type": "Localhost"}}, "containers": []});
    assert_eq!(told(Level::Restricted, 22, &root), "");
    assert_eq!(told(Level::Restricted, 23, &root), "runAsUser=0 (pod must not set runAsUser=0)");
    let added =
        one(&json!({"allowPrivilegeEscalation": false, "runAsNonRoot": true, "capabilities": {"add": ["SYS_TIME"]}}));
    let told = told(Level::Restricted, 18, &added);
    assert_eq!(
        told,
        r#"non-default capabilities (container "c" must not include "SYS_TIME" in securityContext.capabilities.add)"#
    );
}

fn policies(labels: &Value) -> Option<Policies> {
    Policies::of(kanon_core::Object::from_value(labels).root())
}

#[test]
fn labels_say_what_counts() {
    assert!(policies(&json!({"a": "b"})).is_none());
    let key = |name: &str| format!("pod-security.kubernetes.io/{name}");
    let said = policies(&json!({key("enforce"): "restricted", key("enforce-version"): "v1.25"})).expect("labels");
    assert_eq!(
        (said.enforce.to_string(), said.warn.to_string()),
        ("restricted:v1.25".to_owned(), "restricted:v1.25".to_owned())
    );
    assert_eq!((said.audit.to_string(), said.errors.len()), ("privileged:latest".to_owned(), 0));
    let said = policies(&json!({key("enforce"): "restricted", key("warn"): "baseline", key("audit"): "restricted"}))
        .expect("labels");
    assert_eq!((said.warn.level, said.audit.level), (Level::Baseline, Level::Restricted));
    let wrong = policies(&json!({key("enforce"): "strict", key("warn-version"): "v1.025"})).expect("labels");
    assert_eq!((wrong.enforce.level, wrong.warn.level), (Level::Restricted, Level::Privileged));
    let told: Vec<String> = wrong.errors.iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            r#"metadata.labels[pod-security.kubernetes.io/enforce]: Invalid value: "strict": must be one of privileged, baseline, restricted"#,
            r#"metadata.labels[pod-security.kubernetes.io/warn-version]: Invalid value: "v1.025": must be "latest" or "v1.x""#,
        ]
    );
}
