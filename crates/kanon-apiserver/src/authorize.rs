//! May they? Roles and bindings, compiled when one of them changes.

use std::sync::Arc;

use kanon_apimachinery::{
    rbac::{self, Attributes, MASTERS, ResourceAttributes, Rules},
    request::RequestInfo,
    resource::Resource,
    status::{ApiError, Result},
};
use kanon_core::UserInfo;
use kanon_store::{Key, ListOptions};
use serde_json::Value;

use crate::{access::Need, core::Core};

/// What the rules are compiled from.
pub(crate) const SOURCES: &[&str] = &[
    "rbac.authorization.k8s.io/clusterrolebindings/",
    "rbac.authorization.k8s.io/clusterroles/",
    "rbac.authorization.k8s.io/rolebindings/",
    "rbac.authorization.k8s.io/roles/",
];

const CLUSTER_ROLES: &str = "rbac.authorization.k8s.io/clusterroles/";

impl Core {
    /// All that roles and bindings grant now.
    pub(crate) fn rules(&self) -> Arc<Rules> {
        self.rules.get(&self.storage, Rules::from_memory)
    }

    /// Whether a user may make a request: the reason why, or the refusal with its reason.
    pub(crate) fn authorize(
        &self,
        user: &UserInfo,
        info: &RequestInfo,
    ) -> std::result::Result<String, (ApiError, String)> {
        if is_master(user) {
            return Ok(String::new());
        }
        let attributes = Attributes::of(info);
        let decision = self.rules().authorize(user, &attributes);
        if decision.allowed {
            return Ok(decision.reason);
        }
        Err((forbidden(&attributes, user, &decision.reason), decision.reason))
    }

    /// Whether a user may be somebody else.
    ///
    /// # Errors
    /// 403.
    pub(crate) fn authorize_impersonation(&self, user: &UserInfo, need: &Need) -> Result<()> {
        if is_master(user) {
            return Ok(());
        }
        self.ask(
            user,
            &Attributes::Resource(ResourceAttributes {
                verb: "impersonate".to_owned(),
                namespace: need.namespace.clone(),
                group: need.group.to_owned(),
                resource: need.resource.to_owned(),
                subresource: need.subresource.clone(),
                name: need.name.clone(),
                ..ResourceAttributes::default()
            }),
        )
    }

    /// Nobody grants what they do not have: asked for every role and binding that is written.
    ///
    /// # Errors
    /// 403 with what is missing.
    pub(crate) fn check_escalation(&self, user: &UserInfo, resource: &Resource, object: &Value) -> Result<()> {
        if resource.gvk.group != rbac::GROUP || is_master(user) {
            return Ok(());
        }
        let reference = &object["roleRef"];
        let name = reference["name"].as_str().unwrap_or_default();
        let key = match reference["kind"].as_str() {
            Some("Role") => {
                let namespace = object["metadata"]["namespace"].as_str().unwrap_or_default();
                Key::new("rbac.authorization.k8s.io/roles", namespace, name)
            }
            _ => Key::new("rbac.authorization.k8s.io/clusterroles", "", name),
        };
        let role = self.storage.get(&key).map(|it| it.object.to_value());
        let all = self.storage.read(|memory| memory.list(CLUSTER_ROLES, ListOptions::default()));
        let all: Vec<Value> =
            all.map(|it| it.entries).unwrap_or_default().iter().map(|it| it.object.to_value()).collect();
        self.rules().check_escalation(user, resource, object, role.as_ref(), &all)
    }

    fn ask(&self, user: &UserInfo, attributes: &Attributes) -> Result<()> {
        let decision = self.rules().authorize(user, attributes);
        if decision.allowed { Ok(()) } else { Err(forbidden(attributes, user, &decision.reason)) }
    }
}

fn forbidden(attributes: &Attributes, user: &UserInfo, reason: &str) -> ApiError {
    attributes.forbidden(&user.username, reason)
}

/// Who may do everything needs no rules.
fn is_master(user: &UserInfo) -> bool {
    user.groups.iter().any(|it| it == MASTERS)
}
