//! The manifests under `deploy/portal`: an API server takes them, and the command takes the arguments that they give it.

use std::path::Path;

use serde_json::Value;

use super::portal;
use crate::harness::{Ran, Up};

#[test]
fn the_manifests_install_and_their_arguments_are_known() {
    let up = Up::start();
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/portal/install.yaml");
    let made = up.kubectl(&format!("apply -f {}", file.display())).ok();
    assert!(
        made.contains("deployment.apps/portal created") && made.contains("validatingwebhookconfiguration"),
        "{made}"
    );
    let found = up.kubectl("get deployment portal -n portal-system -o json").ok();
    let found: Value = serde_json::from_str(&found).expect("JSON");
    let spec = &found["spec"]["template"]["spec"];
    for container in [&spec["initContainers"][0], &spec["containers"][0]] {
        assert_eq!(container["command"][0], "portal");
        let args = container["args"].as_array().expect("arguments").iter().map(|it| it.as_str().expect("text"));
        let mut command = portal(up.scratch.path());
        let error = Ran::of(command.args(args).arg("--kubeconfig=/none").output().expect("it runs")).fails(1);
        assert!(error.contains("portal: no usable kubeconfig"), "{error}");
    }
    // The manifest again changes nothing.
    let again = up.kubectl(&format!("apply -f {}", file.display())).ok();
    assert!(again.lines().all(|it| it.ends_with(" unchanged")), "{again}");
}
