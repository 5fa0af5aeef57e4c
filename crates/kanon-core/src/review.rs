//! An admission request in Kanon's own form: what a webhook, `kanon check` or a test asks a policy view about.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};

use crate::{names::GroupVersionKind, names::ObjectRef, object::Object};

/// What the request does to the object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Operation {
    /// A new object.
    Create,
    /// A change, by update, patch or apply.
    Update,
    /// A deletion.
    Delete,
    /// A connection to a subresource: exec, attach, port-forward, proxy.
    Connect,
}

impl Operation {
    /// The word AdmissionReview uses.
    pub fn as_str(self) -> &'static str {
        match self {
            Operation::Create => "CREATE",
            Operation::Update => "UPDATE",
            Operation::Delete => "DELETE",
            Operation::Connect => "CONNECT",
        }
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

/// Group, version and plural of the resource addressed.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Resource {
    /// API group; empty for core.
    #[serde(default)]
    pub group: String,
    /// API version.
    #[serde(default)]
    pub version: String,
    /// Lower-case plural.
    #[serde(default)]
    pub resource: String,
}

/// Who asks (`authentication.k8s.io/v1` UserInfo).
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct UserInfo {
    /// The user's name.
    #[serde(default)]
    pub username: String,
    /// Unique id, often empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub uid: String,
    /// Groups the user is in.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<String>,
    /// What else the authenticator knows.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub extra: BTreeMap<String, Vec<String>>,
}

/// One admission request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Review {
    /// The request's id, copied into the answer.
    pub uid: String,
    /// What it does.
    pub operation: Operation,
    /// Kind of the object sent.
    pub kind: GroupVersionKind,
    /// Resource addressed.
    pub resource: Resource,
    /// Subresource such as `status` or `exec`; empty for the object itself.
    pub sub_resource: String,
    /// Namespace of the request; empty for cluster-scoped resources.
    pub namespace: String,
    /// Name of the object; may be empty on create.
    pub name: String,
    /// Who asks.
    pub user: UserInfo,
    /// The new object; none on delete.
    pub object: Option<Object>,
    /// The object as stored; none on create.
    pub old_object: Option<Object>,
    /// CreateOptions, UpdateOptions, DeleteOptions, or a CONNECT's own options.
    pub options: Option<Object>,
    /// Whether nothing will be stored.
    pub dry_run: bool,
}

impl Review {
    /// The object that policies look at: the new one, or the old one on delete.
    pub fn subject_object(&self) -> Option<&Object> {
        match self.operation {
            Operation::Delete => self.old_object.as_ref(),
            Operation::Create | Operation::Update | Operation::Connect => self.object.as_ref(),
        }
    }

    /// Which object the request is about.
    pub fn subject(&self) -> ObjectRef {
        let uid = self.subject_object().map(|it| it.str_at(&["metadata", "uid"]).to_owned()).unwrap_or_default();
        ObjectRef { gvk: self.kind.clone(), namespace: self.namespace.clone(), name: self.name.clone(), uid }
    }
}
