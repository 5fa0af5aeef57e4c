//! Unmodified kubectl: what its users do all day (spec/kubernetes-api.md §7).

use std::time::Duration;

use crate::world::{World, has_kubectl};

const CRD: &str = r#"
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: gates.policy.example.io}
spec:
  group: policy.example.io
  scope: Namespaced
  names: {plural: gates, singular: gate, kind: Gate, shortNames: [gt], categories: [policy]}
  versions:
  - name: v1alpha1
    served: true
    storage: true
    subresources: {status: {}}
    additionalPrinterColumns:
    - {name: Mode, type: string, jsonPath: .spec.mode}
    - {name: Ready, type: string, jsonPath: '.status.conditions[?(@.type=="Ready")].status'}
    schema:
      openAPIV3Schema:
        type: object
        required: [spec]
        properties:
          spec:
            description: What the gate holds back.
            type: object
            required: [expr]
            x-kubernetes-validations:
            - {rule: "self.mode != 'Warn' || has(self.weight)", message: a warning needs a weight}
            properties:
              expr: {type: string, minLength: 1, description: When it opens.}
              mode: {type: string, enum: [Audit, Warn, Block], default: Block}
              weight: {type: integer, maximum: 10}
          status:
            type: object
            x-kubernetes-preserve-unknown-fields: true
"#;

const GATE: &str = r#"
apiVersion: policy.example.io/v1alpha1
kind: Gate
metadata: {name: freeze, namespace: default}
spec: {expr: "!schedule.isWeekend"}
"#;

const DEPLOYMENT: &str = r#"
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: default, labels: {app: web}}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - {name: nginx, image: "nginx:1.27", ports: [{containerPort: 80}]}
"#;

/// Runs lines of `command ⇒ expected part of what it prints`, in order; a command that begins with `!` must fail.
fn check(world: &World, script: &[(&str, &str)]) {
    for (command, want) in script {
        let (must_fail, command) = command.strip_prefix('!').map_or((false, *command), |it| (true, it));
        let (args, input) = match command.split_once(" < ") {
            Some((args, "crd")) => (args, CRD),
            Some((args, "gate")) => (args, GATE),
            Some((args, "deployment")) => (args, DEPLOYMENT),
            Some((args, text)) => (args, text),
            None => (command, ""),
        };
        let said = world.kubectl_with(args, input);
        assert_eq!(said.ok, !must_fail, "kubectl {args}: {said:?}");
        let text = format!("{}{}", said.out, said.err);
        assert!(text.contains(want), "kubectl {args}: wanted {want:?} in\n{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_are_made_read_changed_and_deleted() {
    if !has_kubectl() {
        return;
    }
    let world = World::start().await;
    check(
        &world,
        &[
            ("version", "Server Version: v1.32"),
            ("get ns", "kube-system       Active"),
            ("create ns shop", "namespace/shop created"),
            ("!create ns shop", "(AlreadyExists): namespaces \"shop\" already exists"),
            ("create cm colors --from-literal=a=red -n shop", "configmap/colors created"),
            ("create secret generic keys --from-literal=a=b -n shop", "secret/keys created"),
            ("create sa robot -n shop", "serviceaccount/robot created"),
            ("create role reader --verb=get --resource=pods -n shop", "role.rbac.authorization.k8s.io/reader created"),
            ("create rolebinding rb --role=reader --serviceaccount=shop:robot -n shop", "rb created"),
            ("create deployment api --image=nginx -n shop", "deployment.apps/api created"),
            ("get cm colors -n shop -o jsonpath={.data.a}", "red"),
            ("get secret keys -n shop -o jsonpath={.data.a}", "Yg=="),
            ("!get cm nothing -n shop", "(NotFound): configmaps \"nothing\" not found"),
            ("!create cm x --from-literal=a=b -n nowhere", "namespaces \"nowhere\" not found"),
            ("label cm colors -n shop team=a", "configmap/colors labeled"),
            ("annotate cm colors -n shop note=x", "configmap/colors annotated"),
            ("get cm -n shop -l team=a -o name", "configmap/colors"),
            ("get cm -n shop --field-selector metadata.name=colors -o name", "configmap/colors"),
            ("get all -n shop", "deployment.apps/api"),
            ("describe cm colors -n shop", "Labels:       team=a"),
            ("scale deployment api --replicas=3 -n shop", "deployment.apps/api scaled"),
            ("get deployment api -n shop", "0/3"),
            ("patch deployment api -n shop -p {\"spec\":{\"replicas\":4}}", "patched"),
            ("patch cm colors -n shop --type=merge -p {\"data\":{\"b\":\"blue\"}}", "patched"),
            ("patch cm colors -n shop --type=json -p [{\"op\":\"remove\",\"path\":\"/data/a\"}]", "patched"),
            ("get cm colors -n shop -o jsonpath={.data}", r#"{"b":"blue"}"#),
            ("delete cm colors -n shop", "configmap \"colors\" deleted"),
            ("!get cm colors -n shop", "NotFound"),
            ("delete ns shop", "namespace \"shop\" deleted"),
            ("!get ns shop", "NotFound"),
            ("!delete ns default", "this namespace may not be deleted"),
        ],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn apply_creates_changes_and_knows_when_nothing_changed() {
    if !has_kubectl() {
        return;
    }
    let world = World::start().await;
    check(
        &world,
        &[
            ("apply -f - < deployment", "deployment.apps/web created"),
            ("apply -f - < deployment", "deployment.apps/web unchanged"),
            ("diff -f - < deployment", ""),
            (
                "!diff -f - < {\"apiVersion\":\"apps/v1\",\"kind\":\"Deployment\",\"metadata\":{\"name\":\"web\",\"namespace\":\"default\",\"labels\":{\"app\":\"shop\"}},\"spec\":{\"replicas\":2,\"selector\":{\"matchLabels\":{\"app\":\"web\"}},\"template\":{\"metadata\":{\"labels\":{\"app\":\"web\"}},\"spec\":{\"containers\":[{\"name\":\"nginx\",\"image\":\"nginx:1.27\",\"ports\":[{\"containerPort\":80}]}]}}}}",
                "app: shop",
            ),
            ("scale deployment web --replicas=5", "scaled"),
            ("apply -f - < deployment", "deployment.apps/web configured"),
            ("get deployment web -o jsonpath={.spec.replicas}", "2"),
            ("apply --dry-run=server -f - < deployment", "unchanged (server dry run)"),
            ("replace -f - < deployment", "deployment.apps/web replaced"),
            ("set image deployment/web nginx=nginx:1.28", "image updated"),
            ("get deployment web -o jsonpath={.spec.template.spec.containers[*].image}", "nginx:1.28"),
            ("get deployment web -o jsonpath={.metadata.generation}", "4"),
        ],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn managers_own_what_they_apply() {
    if !has_kubectl() {
        return;
    }
    let world = World::start().await;
    let config = |value: &str| {
        format!(
            r#"{{"apiVersion":"v1","kind":"ConfigMap","metadata":{{"name":"c","namespace":"default"}},"data":{{"a":"{value}"}}}}"#
        )
    };
    let apply = |manager: &str, value: &str, force: bool| {
        let args = format!("apply --server-side --field-manager={manager} --force-conflicts={force} -f -");
        world.kubectl_with(&args, &config(value))
    };
    assert!(apply("one", "1", false).out.contains("configmap/c serverside-applied"));
    let version = || world.kubectl("get cm c -o jsonpath={.metadata.resourceVersion}").out;
    let before = version();
    assert!(apply("one", "1", false).ok);
    assert_eq!(version(), before, "the same again changes nothing");
    let said = apply("two", "2", false);
    assert!(!said.ok && said.err.contains(r#"conflict with "one": .data.a"#), "{said:?}");
    assert!(apply("two", "2", true).ok);
    assert_eq!(world.kubectl("get cm c -o jsonpath={.data.a}").out, "2");
    let managers = world.kubectl("get cm c --show-managed-fields -o jsonpath={.metadata.managedFields[*].manager}");
    assert!(managers.out.contains("two"), "{managers:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn custom_resources_are_served_as_soon_as_they_are_established() {
    if !has_kubectl() {
        return;
    }
    let world = World::start().await;
    check(
        &world,
        &[
            ("create -f - < crd", "customresourcedefinition.apiextensions.k8s.io/gates.policy.example.io created"),
            ("wait --for=condition=established crd/gates.policy.example.io --timeout=10s", "condition met"),
            ("apply -f - < gate", "gate.policy.example.io/freeze created"),
            ("apply -f - < gate", "gate.policy.example.io/freeze unchanged"),
            ("get gt", "NAME     MODE    READY\nfreeze   Block"),
            ("get policy -o name", "gate.policy.example.io/freeze"),
            ("get gate freeze -o jsonpath={.metadata.generation}", "1"),
            (
                "patch gate freeze --subresource=status --type=merge -p {\"status\":{\"conditions\":[{\"type\":\"Ready\",\"status\":\"True\"}]}}",
                "patched",
            ),
            ("get gate freeze", "freeze   Block   True"),
            ("get gate freeze -o jsonpath={.metadata.generation}", "1"),
            ("explain gate.spec", "What the gate holds back."),
            ("explain gate.spec.expr", "When it opens."),
            ("api-resources --api-group=policy.example.io", "gates"),
            (
                "!patch gate freeze --type=merge -p {\"spec\":{\"mode\":\"Nope\"}}",
                "Unsupported value: \"Nope\": supported values: \"Audit\", \"Warn\", \"Block\"",
            ),
            (
                "!patch gate freeze --type=merge -p {\"spec\":{\"weight\":11}}",
                "spec.weight in body should be less than or equal to 10",
            ),
            (
                "!patch gate freeze --type=strategic -p {\"spec\":{\"weight\":1}}",
                "is not supported by policy.example.io/v1alpha1, Kind=Gate",
            ),
            (
                "!create -f - < {\"apiVersion\":\"policy.example.io/v1alpha1\",\"kind\":\"Gate\",\"metadata\":{\"name\":\"b\",\"namespace\":\"default\"},\"spec\":{\"expr\":\"x\",\"nope\":1}}",
                "strict decoding error: unknown field \"spec.nope\"",
            ),
            (
                "create --validate=warn -f - < {\"apiVersion\":\"policy.example.io/v1alpha1\",\"kind\":\"Gate\",\"metadata\":{\"name\":\"b\",\"namespace\":\"default\"},\"spec\":{\"expr\":\"x\",\"nope\":1}}",
                "Warning: unknown field \"spec.nope\"",
            ),
            ("get gate b -o jsonpath={.spec}", r#"{"expr":"x","mode":"Block"}"#),
            ("delete crd gates.policy.example.io", "deleted"),
            ("!get gates", "(NotFound)"),
        ],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn explain_and_access_reviews_answer() {
    if !has_kubectl() {
        return;
    }
    let world = World::start().await;
    check(
        &world,
        &[
            ("explain pod.spec.containers", "FIELD: containers"),
            ("auth whoami", "kubernetes-admin"),
            ("auth can-i create pods", "yes"),
            ("!auth can-i create pods --as=jane", "no"),
            ("auth can-i --list", "*.*"),
            ("create clusterrolebinding jane --clusterrole=view --user=jane", "created"),
            ("auth can-i list pods --as=jane", "yes"),
            ("!auth can-i list secrets --as=jane", "no"),
            ("get pods --as=jane", "No resources found"),
            (
                "!delete pod x --as=jane",
                r#"pods "x" is forbidden: User "jane" cannot delete resource "pods" in API group "" in the namespace "default""#,
            ),
            ("create token default", "."),
        ],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn watches_wake_at_once() {
    if !has_kubectl() {
        return;
    }
    let world = World::start().await;
    let watch = world.start_kubectl("get cm -w -o name");
    watch.prints("configmap/kube-root-ca.crt");
    assert!(world.kubectl("create cm fresh --from-literal=a=b").ok);
    assert!(watch.prints("configmap/fresh") < Duration::from_millis(500));
    let mut wait = world.start_kubectl("wait --for=delete cm/fresh --timeout=30s");
    assert!(world.kubectl("delete cm fresh").ok);
    let said = wait.end();
    assert!(said.ok, "{said:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_of_service_accounts_count() {
    if !has_kubectl() {
        return;
    }
    let world = World::start().await;
    check(
        &world,
        &[
            ("create sa robot", "created"),
            ("create clusterrolebinding robot --clusterrole=view --serviceaccount=default:robot", "created"),
        ],
    );
    let token = world.kubectl("create token robot").out;
    let path = world.write("robot.kubeconfig", &world.server.running().token_kubeconfig(token.trim()));
    let kubeconfig = format!("--kubeconfig={}", path.display());
    let said = world.kubectl_args(&["get", "cm", "-o", "name", &kubeconfig], "");
    assert!(said.ok && said.out.contains("kube-root-ca.crt"), "{said:?}");
    let said = world.kubectl_args(&["auth", "whoami", &kubeconfig], "");
    assert!(said.out.contains("system:serviceaccount:default:robot"), "{said:?}");
    assert!(!world.kubectl_args(&["create", "ns", "x", &kubeconfig], "").ok);
    assert!(world.kubectl("delete sa robot").ok);
    assert!(!world.kubectl_args(&["get", "cm", &kubeconfig], "").ok, "an account that is gone counts no more");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_does_not_wait_for_watches() {
    if !has_kubectl() {
        return;
    }
    let world = World::start().await;
    let watch = world.start_kubectl("get cm -w -o name");
    watch.prints("configmap/kube-root-ca.crt");
    let begin = std::time::Instant::now();
    world.server.stop().await;
    assert!(begin.elapsed() < Duration::from_secs(5), "{:?}", begin.elapsed());
}
