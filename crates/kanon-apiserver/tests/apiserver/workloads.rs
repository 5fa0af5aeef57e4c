//! Simulated workloads under unmodified kubectl: a day's work on deployments, sets, jobs, nodes and budgets.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::world::{LIMIT, World, has_kubectl};

async fn world() -> World {
    World::start_with(|config| config.simulate_workloads = true).await
}

const WEB: &str = r#"
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: default}
spec:
  replicas: 3
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - {name: nginx, image: "nginx:1.27", ports: [{name: http, containerPort: 80}]}
"#;

const DB: &str = r#"
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db, namespace: default}
spec:
  replicas: 2
  serviceName: db
  selector: {matchLabels: {app: db}}
  template:
    metadata: {labels: {app: db}}
    spec:
      containers: [{name: db, image: "db:1"}]
"#;

const AGENT: &str = r#"
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: agent, namespace: default}
spec:
  selector: {matchLabels: {app: agent}}
  template:
    metadata: {labels: {app: agent}}
    spec:
      containers: [{name: agent, image: "agent:1"}]
"#;

const SCALER: &str = r#"
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: web, namespace: default}
spec:
  minReplicas: 5
  maxReplicas: 9
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}
"#;

const CRASHING: &str = r#"
apiVersion: v1
kind: Pod
metadata:
  name: crashing
  namespace: default
  annotations: {kanon.dev/simulate: crash}
spec:
  containers: [{name: main, image: "app:1"}]
"#;

/// Runs lines of `command ⇒ expected part of what it prints`, in order; a command that begins with `!` must fail, one that begins
/// with `~` is repeated until it prints that.
fn check(world: &World, script: &[(&str, &str)]) {
    for (line, want) in script {
        let (must_fail, line) = line.strip_prefix('!').map_or((false, *line), |it| (true, it));
        let (is_patient, line) = line.strip_prefix('~').map_or((false, line), |it| (true, it));
        let (args, input) = match line.split_once(" < ") {
            Some((args, "web")) => (args, WEB),
            Some((args, "db")) => (args, DB),
            Some((args, "agent")) => (args, AGENT),
            Some((args, "scaler")) => (args, SCALER),
            Some((args, "crashing")) => (args, CRASHING),
            Some((args, text)) => (args, text),
            None => (line, ""),
        };
        let begin = Instant::now();
        loop {
            let said = world.kubectl_with(args, input);
            let text = format!("{}{}", said.out, said.err);
            if said.ok != must_fail && text.contains(want) {
                break;
            }
            assert!(is_patient && begin.elapsed() < LIMIT, "kubectl {args}: wanted {want:?} in\n{text}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn deployments_roll_out_scale_and_go_back() {
    if !has_kubectl() {
        return;
    }
    let world = world().await;
    check(
        &world,
        &[
            ("wait --for=condition=Ready node --all --timeout=30s", "node/node-1 condition met"),
            ("get nodes", "node-3   Ready"),
            ("apply -f - < web", "deployment.apps/web created"),
            ("rollout status deployment/web --timeout=30s", "successfully rolled out"),
            ("get deployment web", "3/3     3            3"),
            ("wait --for=condition=Available deployment/web --timeout=30s", "condition met"),
            ("get pods -l app=web", "1/1     Running"),
            ("describe pods -l app=web", "Successfully assigned default/web-"),
            ("expose deployment web --port=80 --target-port=http", "service/web exposed"),
            ("~get endpoints web -o jsonpath={.subsets[0].addresses[*].ip}", "10.244."),
            ("get endpointslices -l kubernetes.io/service-name=web -o jsonpath={.items[0].ports[0].port}", "80"),
            ("scale deployment web --replicas=5", "scaled"),
            ("rollout status deployment/web --timeout=30s", "successfully rolled out"),
            ("get deployment web", "5/5"),
            ("set image deployment/web nginx=nginx:1.28", "image updated"),
            ("rollout status deployment/web --timeout=30s", "successfully rolled out"),
            ("~get pods -l app=web -o jsonpath={.items[*].spec.containers[0].image}", "nginx:1.28"),
            ("rollout history deployment/web", "2         <none>"),
            ("rollout undo deployment/web", "rolled back"),
            ("rollout status deployment/web --timeout=30s", "successfully rolled out"),
            ("get deployment web -o jsonpath={.spec.template.spec.containers[0].image}", "nginx:1.27"),
            ("rollout history deployment/web", "3         <none>"),
            ("rollout pause deployment/web", "paused"),
            ("rollout resume deployment/web", "resumed"),
            ("rollout restart deployment/web", "restarted"),
            ("rollout status deployment/web --timeout=30s", "successfully rolled out"),
            ("describe deployment web", "NewReplicaSetAvailable"),
            ("describe deployment web", "Scaled up replica set web-"),
            ("apply -f - < scaler", "created"),
            ("get hpa web -o jsonpath={.spec.minReplicas}", "5"),
            ("get deployment web -o jsonpath={.spec.replicas}", "5"),
            ("delete deployment web", "deployment.apps \"web\" deleted"),
            ("~get pods -l app=web", "No resources found"),
        ],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn sets_jobs_and_crashing_pods_have_true_statuses() {
    if !has_kubectl() {
        return;
    }
    let world = world().await;
    check(
        &world,
        &[
            ("apply -f - < db", "statefulset.apps/db created"),
            ("rollout status statefulset/db --timeout=30s", "roll"),
            ("~get statefulset db", "2/2"),
            ("get pods -l app=db -o name", "pod/db-1"),
            ("apply -f - < agent", "daemonset.apps/agent created"),
            ("rollout status daemonset/agent --timeout=30s", "successfully rolled out"),
            ("get daemonset agent", "3         3         3       3            3"),
            ("set image daemonset/agent agent=agent:2", "image updated"),
            ("rollout status daemonset/agent --timeout=30s", "successfully rolled out"),
            ("create job work --image=work:1", "job.batch/work created"),
            ("wait --for=condition=complete job/work --timeout=30s", "condition met"),
            ("get job work", "Complete   1/1"),
            ("get pods -l batch.kubernetes.io/job-name=work", "Completed"),
            ("create cronjob tick --image=work:1 --schedule=@yearly", "cronjob.batch/tick created"),
            ("create job now --from=cronjob/tick", "job.batch/now created"),
            ("wait --for=condition=complete job/now --timeout=30s", "condition met"),
            ("delete job work", "deleted"),
            ("~get pods -l batch.kubernetes.io/job-name=work", "No resources found"),
            ("apply -f - < crashing", "pod/crashing created"),
            ("~get pod crashing", "CrashLoopBackOff"),
            ("describe pod crashing", "Back-off restarting failed container"),
            ("delete pod crashing --timeout=30s", "deleted"),
            ("delete statefulset,daemonset --all", "deleted"),
        ],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drain_waits_for_the_budget() {
    if !has_kubectl() {
        return;
    }
    let world = world().await;
    let tight = r#"{"apiVersion":"policy/v1","kind":"PodDisruptionBudget","metadata":{"name":"web","namespace":"default"},"spec":{"maxUnavailable":0,"selector":{"matchLabels":{"app":"web"}}}}"#;
    check(
        &world,
        &[
            ("apply -f - < web", "created"),
            ("rollout status deployment/web --timeout=30s", "successfully rolled out"),
            (&format!("apply -f - < {tight}"), "created"),
            ("~get pdb web -o jsonpath={.status.conditions[0].reason}", "InsufficientPods"),
            ("cordon node-1", "node/node-1 cordoned"),
            ("get nodes", "Ready,SchedulingDisabled"),
        ],
    );
    let pods = "/api/v1/namespaces/default/pods";
    let (_, list) = world.get(&format!("{pods}?fieldSelector=spec.nodeName%3Dnode-1")).await;
    let name = list["items"][0]["metadata"]["name"].as_str().expect("a pod on each node").to_owned();
    let eviction =
        json!({"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name, "namespace": "default"}});
    let (code, answer) = world.post(&format!("{pods}/{name}/eviction"), &eviction).await;
    assert_eq!(code, 429, "{answer}");
    let why = "The disruption budget web needs 3 healthy pods and has 3 currently";
    assert_eq!(answer["details"]["causes"][0]["message"], why);
    check(
        &world,
        &[("!drain node-1 --timeout=2s", "Cannot evict pod as it would violate the pod's disruption budget")],
    );
    check(
        &world,
        &[
            ("patch pdb web --type=merge -p {\"spec\":{\"maxUnavailable\":1}}", "patched"),
            ("~get pdb web -o jsonpath={.status.disruptionsAllowed}", "1"),
            ("drain node-1 --timeout=60s", "node/node-1 drained"),
            ("rollout status deployment/web --timeout=30s", "successfully rolled out"),
            ("get pods --field-selector spec.nodeName=node-1", "No resources found"),
            ("uncordon node-1", "uncordoned"),
            ("delete deployment web", "deleted"),
        ],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_pods_are_told_of_and_nothing_moves_without_the_flag() {
    let idle = World::start().await;
    let deployment = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": {
        "selector": {"matchLabels": {"app": "web"}}, "template": {"metadata": {"labels": {"app": "web"}},
        "spec": {"containers": [{"name": "c", "image": "i"}]}}}});
    let path = "/apis/apps/v1/namespaces/default/deployments";
    assert_eq!(idle.post(path, &deployment).await.0, 201);
    let world = world().await;
    assert_eq!(world.post(path, &deployment).await.0, 201);
    let begin = Instant::now();
    loop {
        let (_, web) = world.get(&format!("{path}/web")).await;
        if web["status"]["availableReplicas"] == 1 {
            break;
        }
        assert!(begin.elapsed() < LIMIT, "{web}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let (_, pods) = world.get("/api/v1/namespaces/default/pods").await;
    // Who did what is as in a cluster.
    let managers: Vec<&str> = pods["items"][0]["metadata"]["managedFields"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|it| it["manager"].as_str())
        .collect();
    assert!(managers.contains(&"kube-controller-manager") && managers.contains(&"kubelet"), "{managers:?}");
    let (_, web) = idle.get(&format!("{path}/web")).await;
    assert_eq!(
        (&web["status"]["replicas"], idle.get("/api/v1/nodes").await.1["items"].as_array().map(Vec::len)),
        (&json!(null), Some(0))
    );
}

#[tokio::test]
async fn a_binding_gives_a_pod_its_node_once() {
    let world = World::start().await;
    let pods = "/api/v1/namespaces/default/pods";
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}, "spec": {"containers": [{"name": "c", "image": "i"}]}});
    assert_eq!(world.post(pods, &pod).await.0, 201);
    let binding = json!({"apiVersion": "v1", "kind": "Binding", "metadata": {"name": "a"}, "target": {"apiVersion": "v1", "kind": "Node", "name": "n"}});
    assert_eq!(world.post(&format!("{pods}/a/binding"), &binding).await.0, 201);
    let (_, pod) = world.get(&format!("{pods}/a")).await;
    assert_eq!(
        (&pod["spec"]["nodeName"], &pod["status"]["conditions"][0]["type"]),
        (&json!("n"), &json!("PodScheduled"))
    );
    let (code, answer) = world.post(&format!("{pods}/a/binding"), &binding).await;
    assert_eq!((code, answer["reason"].as_str()), (409, Some("Conflict")), "{answer}");
}

#[tokio::test]
async fn budgets_read_the_scale_of_custom_resources() {
    let world = world().await;
    let scale = json!({"specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas"});
    let schema = json!({"type": "object", "properties": {"spec": {"type": "object", "properties": {"replicas": {"type": "integer"}}},
        "status": {"type": "object", "properties": {"replicas": {"type": "integer"}}}}});
    let definition = json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "rollouts.example.io"}, "spec": {"group": "example.io", "scope": "Namespaced",
        "names": {"plural": "rollouts", "kind": "Rollout"}, "versions": [{"name": "v1", "served": true, "storage": true,
        "subresources": {"status": {}, "scale": scale}, "schema": {"openAPIV3Schema": schema}}]}});
    assert_eq!(world.post("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", &definition).await.0, 201);
    let rollout =
        json!({"apiVersion": "example.io/v1", "kind": "Rollout", "metadata": {"name": "web"}, "spec": {"replicas": 3}});
    let begin = Instant::now();
    let uid = loop {
        let (code, made) = world.post("/apis/example.io/v1/namespaces/default/rollouts", &rollout).await;
        if code == 201 {
            break made["metadata"]["uid"].clone();
        }
        assert!(begin.elapsed() < LIMIT, "{made}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    };
    let owner =
        json!([{"apiVersion": "example.io/v1", "kind": "Rollout", "name": "web", "uid": uid, "controller": true}]);
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a", "labels": {"app": "web"}, "ownerReferences": owner},
        "spec": {"containers": [{"name": "c", "image": "i"}]}});
    assert_eq!(world.post("/api/v1/namespaces/default/pods", &pod).await.0, 201);
    let budget = json!({"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "web"},
        "spec": {"maxUnavailable": 1, "selector": {"matchLabels": {"app": "web"}}}});
    let budgets = "/apis/policy/v1/namespaces/default/poddisruptionbudgets";
    assert_eq!(world.post(budgets, &budget).await.0, 201);
    loop {
        let (_, budget) = world.get(&format!("{budgets}/web")).await;
        let status = &budget["status"];
        if status["expectedPods"] == 3 && status["currentHealthy"] == 1 && status["desiredHealthy"] == 2 {
            break;
        }
        assert!(begin.elapsed() < LIMIT, "{budget}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
