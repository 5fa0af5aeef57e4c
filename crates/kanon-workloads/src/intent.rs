//! What the simulation wants done, by the same path as a client's request.

use kanon_store::Key;
use serde_json::Value;

use crate::Kind;

/// One thing to be done.
#[derive(Clone, Debug, PartialEq)]
pub struct Intent {
    /// The object whose turn it was: a refusal is told to it ([`crate::Cluster::refused`]).
    pub item: Key,
    /// Who does it.
    pub actor: Actor,
    /// What is done.
    pub action: Action,
    /// Events to create once it is done.
    pub notes: Vec<Value>,
}

/// What is done. That an object is there already, gone, or newer than thought is fine: it will be decided on again.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// POST.
    Create(Kind, Value),
    /// PUT at the resourceVersion it was decided on.
    Update(Kind, Value),
    /// PUT of the status, likewise.
    Status(Kind, Value),
    /// A binding of a pod to a node.
    Bind {
        /// The pod's namespace.
        namespace: String,
        /// The pod's name.
        name: String,
        /// The node's name.
        node: String,
    },
    /// DELETE of the object with this uid.
    Delete {
        /// Its kind.
        kind: Kind,
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
        /// Its uid, a precondition.
        uid: String,
        /// Seconds it has to end; as the object says when absent.
        grace: Option<i64>,
    },
}

/// A question about an object that takes no part: what its `scale` says. [`crate::Cluster::answer`] takes the answer.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ask {
    /// The object whose turn needs the answer.
    pub item: Key,
    /// `apiVersion` of the object asked about.
    pub api_version: String,
    /// Its kind.
    pub kind: String,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its uid: another object of the name is not meant.
    pub uid: String,
}

/// Who does something: which user it is in a cluster, and which manager owns the fields.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Actor {
    /// A controller with its own service account.
    Controller {
        /// The service account in `kube-system`.
        account: &'static str,
        /// What Events call it.
        component: &'static str,
    },
    /// The scheduler.
    Scheduler,
    /// The kubelet of a node.
    Kubelet(String),
}

impl Actor {
    /// The user name.
    pub fn user(&self) -> String {
        match self {
            Actor::Controller { account, .. } => format!("system:serviceaccount:kube-system:{account}"),
            Actor::Scheduler => "system:kube-scheduler".to_owned(),
            Actor::Kubelet(node) => format!("system:node:{node}"),
        }
    }

    /// The user's groups.
    pub fn groups(&self) -> &'static [&'static str] {
        match self {
            Actor::Controller { .. } => {
                &["system:serviceaccounts", "system:serviceaccounts:kube-system", "system:authenticated"]
            }
            Actor::Scheduler => &["system:authenticated"],
            Actor::Kubelet(_) => &["system:nodes", "system:authenticated"],
        }
    }

    /// The manager of the fields it writes.
    pub fn manager(&self) -> &'static str {
        match self {
            Actor::Controller { .. } => "kube-controller-manager",
            Actor::Scheduler => "kube-scheduler",
            Actor::Kubelet(_) => "kubelet",
        }
    }

    /// What Events call it.
    pub fn component(&self) -> &'static str {
        match self {
            Actor::Controller { component, .. } => component,
            Actor::Scheduler => "default-scheduler",
            Actor::Kubelet(_) => "kubelet",
        }
    }
}
