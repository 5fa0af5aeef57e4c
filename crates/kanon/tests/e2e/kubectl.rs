//! Unmodified kubectl against the embedded API server: what a user tries in the first hour.

use std::{
    io::{BufRead, BufReader},
    process::Stdio,
};

use crate::harness::{Up, file};

const POD: &str = "
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: shop, labels: {app: web}}
spec: {containers: [{name: web, image: 'registry.example.com/web:1'}]}
";

#[test]
fn objects_are_applied_compared_labelled_and_deleted() {
    let up = Up::start();
    assert_eq!(up.kubectl("create namespace shop").ok(), "namespace/shop created\n");
    assert_eq!(up.kubectl_with("apply -f -", POD).ok(), "pod/web created\n");
    assert_eq!(up.kubectl_with("apply -f -", POD).ok(), "pod/web unchanged\n");
    let changed = POD.replace("web:1", "web:2");
    let diff = up.kubectl_with("diff -f -", &changed);
    assert_eq!(diff.code, Some(1), "{diff:#?}");
    assert!(diff.out.contains("+  - image: registry.example.com/web:2"), "{}", diff.out);
    assert_eq!(up.kubectl_with("apply -f -", &changed).ok(), "pod/web configured\n");
    assert_eq!(
        up.kubectl_with("apply --server-side --force-conflicts -f -", &changed).ok(),
        "pod/web serverside-applied\n"
    );
    assert_eq!(up.kubectl("label pod web -n shop tier=front").ok(), "pod/web labeled\n");
    assert_eq!(up.kubectl("get pods -n shop -l tier=front -o name").ok(), "pod/web\n");
    let table = up.kubectl("get pods -A").ok();
    assert!(table.starts_with("NAMESPACE   NAME   READY   STATUS"), "{table}");
    assert!(up.kubectl("describe pod web -n shop").ok().contains("registry.example.com/web:2"));
    assert!(up.kubectl("explain pod.spec.containers.image").ok().contains("FIELD: image <string>"));
    assert_eq!(up.kubectl("delete pod web -n shop").ok(), "pod \"web\" deleted\n");
    let missing = up.kubectl("get pod web -n shop").fails(1);
    assert_eq!(missing, "Error from server (NotFound): pods \"web\" not found\n");
}

#[test]
fn imperative_commands_send_protobuf_and_work() {
    let up = Up::start();
    for (line, answer) in [
        ("create configmap settings --from-literal=a=b", "configmap/settings created\n"),
        ("create secret generic token --from-literal=k=v", "secret/token created\n"),
        ("create serviceaccount robot", "serviceaccount/robot created\n"),
        ("create role reader --verb=get --resource=pods", "role.rbac.authorization.k8s.io/reader created\n"),
        ("create rolebinding read --role=reader --user=eve", "rolebinding.rbac.authorization.k8s.io/read created\n"),
        ("create deployment web --image=registry.example.com/web:1", "deployment.apps/web created\n"),
    ] {
        assert_eq!(up.kubectl(line).ok(), answer);
    }
    assert_eq!(up.kubectl("get configmap settings -o jsonpath={.data.a}").ok(), "b");
    assert_eq!(up.kubectl("get secret token -o jsonpath={.data.k}").ok(), "dg==");
}

#[test]
fn a_watch_wakes_for_every_change() {
    let up = Up::start();
    let mut command = up.kubectl_command(&["get", "configmaps", "-w", "--no-headers", "-o", "name"]);
    let mut watch = command.stdout(Stdio::piped()).spawn().expect("kubectl starts");
    let mut lines = BufReader::new(watch.stdout.take().expect("a pipe")).lines();
    up.kubectl("create configmap one").ok();
    let mut seen = String::new();
    // The namespace's own kube-root-ca.crt may come first.
    while seen != "configmap/one" {
        seen = lines.next().expect("the watch goes on").expect("text");
    }
    up.kubectl("delete configmap one").ok();
    assert_eq!(lines.next().expect("the watch goes on").expect("text"), "configmap/one");
    watch.kill().expect("the watch ends");
    watch.wait().expect("the watch ends");
}

const CRD: &str = "
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: gates.policy.example.com}
spec:
  group: policy.example.com
  scope: Namespaced
  names: {kind: Gate, plural: gates, shortNames: [gt], categories: [all]}
  versions:
  - name: v1
    served: true
    storage: true
    subresources: {status: {}}
    additionalPrinterColumns: [{name: Mode, type: string, jsonPath: .spec.mode}]
    schema:
      openAPIV3Schema:
        type: object
        description: A gate.
        properties:
          spec:
            type: object
            required: [mode]
            properties:
              mode: {type: string, enum: [Audit, Block], description: What it does.}
              weight: {type: integer, default: 5, maximum: 10}
              expr: {type: string}
            x-kubernetes-validations:
            - {rule: 'self.mode != \"Block\" || has(self.expr)', message: a blocking gate needs an expression}
          status: {type: object, x-kubernetes-preserve-unknown-fields: true}
";

#[test]
fn custom_resources_are_defined_and_validated() {
    let up = Up::start();
    let crd = file(up.scratch.path(), "crd.yaml", CRD);
    let made = up.kubectl(&format!("create -f {crd}")).ok();
    assert_eq!(made, "customresourcedefinition.apiextensions.k8s.io/gates.policy.example.com created\n");
    up.kubectl("wait --for condition=established --timeout=10s crd/gates.policy.example.com").ok();
    let gate = |spec: &str| {
        format!("---\n{{apiVersion: policy.example.com/v1, kind: Gate, metadata: {{name: a}}, spec: {spec}}}")
    };
    assert_eq!(up.kubectl_with("apply -f -", &gate("{mode: Audit}")).ok(), "gate.policy.example.com/a created\n");
    assert_eq!(up.kubectl("get gt a -o jsonpath={.spec.weight}").ok(), "5");
    assert!(up.kubectl("get gt").ok().starts_with("NAME   MODE\na      Audit"));
    for (spec, problem) in [
        ("{mode: Nope}", "spec.mode: Unsupported value: \"Nope\": supported values: \"Audit\", \"Block\""),
        (
            "{mode: Audit, weight: 99}",
            "spec.weight: Invalid value: 99: spec.weight in body should be less than or equal to 10",
        ),
        ("{}", "spec.mode: Required value"),
        ("{mode: Block}", "spec: Invalid value: \"object\": a blocking gate needs an expression"),
        ("{mode: Audit, colour: red}", "strict decoding error: unknown field \"spec.colour\""),
    ] {
        let error = up.kubectl_with("apply -f -", &gate(spec)).fails(1);
        assert!(error.contains(problem), "{spec}: {error}");
    }
    assert!(up.kubectl("explain gate.spec.mode").ok().contains("What it does."));
}

#[test]
fn who_am_i_and_what_is_here() {
    let up = Up::start();
    assert!(up.kubectl("auth whoami").ok().contains("system:masters"));
    assert_eq!(up.kubectl("auth can-i delete pods").ok(), "yes\n");
    assert!(up.kubectl("api-resources").ok().contains("networkpolicies"));
    assert!(up.kubectl("version").ok().contains("Server Version: v1.32"));
    assert!(up.kubectl("get all -A").ok().contains("service/kubernetes"));
}
