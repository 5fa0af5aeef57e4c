//! Kinds that make pods by configuration (spec/rules 2.3): the façade and the fan-out are those of Kubernetes' own workloads.

use std::sync::Arc;

use jiff::Timestamp;
use kanon_core::{GroupVersionKind, Mono, Now, Object, PolicyFile};
use kanon_rules::{Mode, PodShapes, Rules, Settings};
use serde_json::json;

fn found(shapes: PodShapes) -> Vec<String> {
    let rule = json!({"name": "privileged", "enabled": true, "mode": ["audit"], "message": "{{ container.name }}",
        "match": {"gvk": [{"group": "argoproj.io", "version": "v1alpha1", "kind": "Rollout"}]},
        "rule": "container?.securityContext?.privileged == true && spec?.hostNetwork != true"});
    let files = [PolicyFile { path: "rule.yaml".to_owned(), text: rule.to_string().into_bytes().into() }];
    let settings = Settings { shapes, ..Settings::default() };
    let (rules, problems) =
        Rules::from_documents(&files, Arc::new(kanon_expr::Expr::default()), settings, kanon_plane::Actions::new());
    assert!(problems.is_empty(), "{problems:?}");
    let container = |name: &str, on: bool| json!({"name": name, "securityContext": {"privileged": on}});
    let rollout = json!({"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout",
        "metadata": {"name": "shop", "namespace": "shop", "uid": "1"},
        "spec": {"template": {"spec": {"containers": [container("a", true), container("b", false)],
            "initContainers": [container("c", true)]}}}});
    let now = Now::new(Timestamp::UNIX_EPOCH, Mono::default());
    let verdicts = rules.review_object(&Object::from_value(&rollout), &[Mode::Audit], now);
    verdicts.iter().map(|it| format!("{} {}", it.evidence.part, it.message)).collect()
}

#[test]
fn a_configured_kind_is_asked_by_container_and_others_are_not() {
    let kind = GroupVersionKind::new("argoproj.io", "v1alpha1", "Rollout");
    let path = ["spec", "template", "spec"].map(str::to_owned).to_vec();
    assert_eq!(found(PodShapes::new([(kind.clone(), path)])), ["a a", "c c"]);
    assert!(found(PodShapes::new([(kind, vec!["spec".to_owned(), "elsewhere".to_owned()])])).is_empty());
    assert!(found(PodShapes::default()).is_empty());
}
