//! Setting a pod apart from the network, and taking that back.
//!
//! The policy comes first, so that no moment has a label without effect. It stays when the last pod has left: it then selects
//! nobody, and whoever is set apart next finds it there.

use kanon_core::{Done, Guard, ObjectRef};
use serde_json::{Value, json};

use super::{Trouble, objects};
use crate::client::Api;

/// What pods that are set apart carry.
const LABEL: &str = "kanon.dev/quarantine";
/// The policy that isolates them.
const POLICY: &str = "kanon-quarantine";

pub(super) async fn carry_out(api: &Api, pod: &ObjectRef, release: bool) -> Result<Done, Trouble> {
    let ObjectRef { namespace, name, .. } = pod;
    let value = if release { Value::Null } else { Value::from("true") };
    if !release {
        let policy = json!({
            "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
            "metadata": {
                "name": POLICY, "namespace": namespace, "labels": {"app.kubernetes.io/managed-by": "kanon"},
            },
            "spec": {"podSelector": {"matchLabels": {LABEL: "true"}}, "policyTypes": ["Ingress", "Egress"]},
        });
        let path = format!("/apis/networking.k8s.io/v1/namespaces/{namespace}/networkpolicies/{POLICY}");
        api.apply(&path, &policy).await?;
    }
    let patch = json!({"metadata": {"labels": {LABEL: value}}});
    objects::patch(api, &format!("/api/v1/namespaces/{namespace}/pods/{name}"), pod, &patch, Guard::Free).await
}
