//! What things are called: families, kinds, objects, policies.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// A policy family's name: `rules`, `integrity`, `signals`, `promotion`. It labels metrics, records and log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct FamilyId(pub &'static str);

impl fmt::Display for FamilyId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.0)
    }
}

/// Group, version and kind; the group is empty for Kubernetes' core API.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct GroupVersionKind {
    /// API group; empty for the core group.
    pub group: String,
    /// API version, such as `v1`.
    pub version: String,
    /// Kind in CamelCase, such as `Pod`.
    pub kind: String,
}

impl GroupVersionKind {
    /// Builds one from its parts.
    pub fn new(group: &str, version: &str, kind: &str) -> Self {
        Self { group: group.to_owned(), version: version.to_owned(), kind: kind.to_owned() }
    }

    /// Builds one from the `apiVersion` and `kind` of a manifest.
    pub fn from_api_version(api_version: &str, kind: &str) -> Self {
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        Self::new(group, version, kind)
    }

    /// `v1` or `apps/v1`, as manifests write it.
    pub fn api_version(&self) -> String {
        if self.group.is_empty() { self.version.clone() } else { format!("{}/{}", self.group, self.version) }
    }
}

/// The text form of Go's `schema.GroupVersionKind`, used in event ids: `apps/v1, Kind=Deployment`, `/v1, Kind=Pod`.
impl fmt::Display for GroupVersionKind {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}/{}, Kind={}", self.group, self.version, self.kind)
    }
}

/// Whether objects of a kind live in a namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Scope {
    /// One per name in the whole cluster.
    Cluster,
    /// One per name in each namespace.
    Namespaced,
}

/// A kind with what is needed to address its objects over the API.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Kind {
    /// Group, version, kind.
    pub gvk: GroupVersionKind,
    /// The resource's lower-case plural, the last part of its collection path.
    pub plural: String,
    /// Where its objects live.
    pub scope: Scope,
}

impl Kind {
    /// A namespaced kind.
    pub fn namespaced(group: &str, version: &str, kind: &str, plural: &str) -> Kind {
        let gvk = GroupVersionKind::new(group, version, kind);
        Kind { gvk, plural: plural.to_owned(), scope: Scope::Namespaced }
    }

    /// A cluster-scoped kind.
    pub fn cluster(group: &str, version: &str, kind: &str, plural: &str) -> Kind {
        let gvk = GroupVersionKind::new(group, version, kind);
        Kind { gvk, plural: plural.to_owned(), scope: Scope::Cluster }
    }

    /// The collection's URL path; `namespace` is left out when empty (all namespaces) or the kind has none.
    pub fn path(&self, namespace: &str) -> String {
        let root = if self.gvk.group.is_empty() { "/api" } else { "/apis" };
        let api_version = self.gvk.api_version();
        if namespace.is_empty() || self.scope == Scope::Cluster {
            format!("{root}/{api_version}/{}", self.plural)
        } else {
            format!("{root}/{api_version}/namespaces/{namespace}/{}", self.plural)
        }
    }
}

/// One object, by kind, place and (where known) identity.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ObjectRef {
    /// Its kind.
    #[serde(flatten)]
    pub gvk: GroupVersionKind,
    /// Its namespace; empty for cluster-scoped objects.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub namespace: String,
    /// Its name; empty while the server has still to generate it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Its UID; empty before the server has stamped one.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub uid: String,
}

impl fmt::Display for ObjectRef {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} ", self.gvk.kind)?;
        if !self.namespace.is_empty() {
            write!(out, "{}/", self.namespace)?;
        }
        out.write_str(&self.name)
    }
}

/// The policy that decided: which object or file, at which revision.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PolicyRef {
    /// Kind of the policy object, or `folder` for a file.
    pub kind: String,
    /// Namespace of the policy object; empty for cluster-wide ones.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub namespace: String,
    /// The policy's name as users know it.
    pub name: String,
    /// Digest of the policy's text at the revision that decided (its first 12 hex digits).
    pub revision: String,
}

/// A name that Kubernetes would not accept.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a target: write KIND/NAME, such as `rule/privileged-container`")]
pub struct NameError {
    /// What was given.
    pub text: String,
}

/// `KIND/NAME` as the command line writes a target; used by `explain`.
impl FromStr for PolicyRef {
    type Err = NameError;

    fn from_str(text: &str) -> Result<PolicyRef, NameError> {
        match text.split_once('/') {
            Some((kind, name)) if !kind.is_empty() && !name.is_empty() && !name.contains('/') => {
                Ok(PolicyRef { kind: kind.to_owned(), name: name.to_owned(), ..PolicyRef::default() })
            }
            _ => Err(NameError { text: text.to_owned() }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_follow_group_and_scope() {
        let pod = Kind::namespaced("", "v1", "Pod", "pods");
        assert_eq!(pod.path("shop"), "/api/v1/namespaces/shop/pods");
        assert_eq!(pod.path(""), "/api/v1/pods");
        assert_eq!(Kind::cluster("a.b", "v1", "C", "cs").path("x"), "/apis/a.b/v1/cs");
        assert_eq!(GroupVersionKind::from_api_version("apps/v1", "Deployment").to_string(), "apps/v1, Kind=Deployment");
    }

    #[test]
    fn target_needs_kind_and_name() {
        assert_eq!("pcp/default".parse::<PolicyRef>().map(|it| it.kind), Ok("pcp".to_owned()));
        assert!("default".parse::<PolicyRef>().is_err());
        assert!("a/b/c".parse::<PolicyRef>().is_err());
    }
}
