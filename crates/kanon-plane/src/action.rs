//! What a policy may have done when it is violated. An action checks its parameters when the policy is loaded, so that
//! mistakes show early, and renders existing effects, so that no shell changes for a new one.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use kanon_core::{Action as Deed, ObjectRef, Verdict};
use serde_json::{Map, Value};

/// An action's parameters as the policy gives them.
pub type Params = Map<String, Value>;

/// Every action of a binary, by the word policies use.
pub type Actions = BTreeMap<&'static str, Arc<dyn Action>>;

/// One kind of action.
pub trait Action: Send + Sync {
    /// The word policies use.
    fn id(&self) -> &'static str;

    /// How long one target is left alone after a success where the policy gives no rate, halved (spec/rules 8.2).
    fn window(&self) -> Duration;

    /// Whether it ends or takes away what others rely on: a brake and a budget hold such actions.
    fn is_destructive(&self) -> bool {
        false
    }

    /// The word by which an administrator allows it with these parameters; none where it runs without.
    fn leave(&self, params: &Params) -> Option<&'static str> {
        let _ = params;
        None
    }

    /// The rights that somebody needs who does the same to `objects`, by their resources; none where it is nobody's business but the
    /// process's.
    fn rights(&self, params: &Params, objects: &[Right]) -> Vec<Right> {
        let _ = (params, objects);
        Vec::new()
    }

    /// The rights that the process needs besides these to do it to `objects`: what it reads first.
    fn reads(&self, params: &Params, objects: &[Right]) -> Vec<Right> {
        let _ = (params, objects);
        Vec::new()
    }

    /// The ConfigMap, in the namespace that the process runs in, that it notes in what must survive the process.
    fn notes_in(&self, params: &Params) -> Option<&'static str> {
        let _ = params;
        None
    }

    /// Checks the parameters once, when the policy is loaded.
    ///
    /// # Errors
    /// The first parameter that is missing or makes no sense.
    fn prepare(&self, params: &Params) -> Result<Prepared, ParamError>;
}

/// The right to do something to a resource, as the API server's authorization knows it.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Right {
    /// What: `create`, `patch`, …
    pub verb: &'static str,
    /// The API group.
    pub group: String,
    /// The plural; `*` for all of the group.
    pub resource: String,
    /// The part of it, such as `eviction`; empty for the resource itself.
    pub part: &'static str,
}

impl Right {
    /// The right to do this to a resource.
    pub fn new(verb: &'static str, group: &str, resource: &str) -> Right {
        Right { verb, group: group.to_owned(), resource: resource.to_owned(), part: "" }
    }

    /// The right to do this to the same resource.
    #[must_use]
    pub fn to(&self, verb: &'static str) -> Right {
        Right { verb, ..self.clone() }
    }

    /// The right to create evictions of pods.
    pub fn evict() -> Right {
        Right { part: "eviction", ..Right::new("create", "", "pods") }
    }
}

type Render = dyn Fn(&Verdict, &Reach) -> Result<Wanted, Refusal> + Send + Sync;

/// An action with its parameters. Pure.
#[derive(Clone)]
pub enum Prepared {
    /// From a verdict to one effect on an object.
    Object {
        /// What is done.
        act: Arc<Render>,
        /// What takes it back when the violation has ended, if anything does.
        undo: Option<Arc<Render>>,
    },
    /// An alert about the violation, which ends with it.
    Alert(AlertParams),
    /// A document about the violation for the receiver of this name, which the process knows.
    Hook(String),
    /// Nothing of its own: the report writer does it.
    Report,
}

impl Prepared {
    /// What the action does with a verdict, as far as the policy reaches.
    pub fn object(render: impl Fn(&Verdict, &Reach) -> Result<Wanted, Refusal> + Send + Sync + 'static) -> Prepared {
        Prepared::Object { act: Arc::new(render), undo: None }
    }

    /// The same, taken back by this when the violation has ended.
    #[must_use]
    pub fn undone_by(
        self,
        render: impl Fn(&Verdict, &Reach) -> Result<Wanted, Refusal> + Send + Sync + 'static,
    ) -> Prepared {
        match self {
            Prepared::Object { act, .. } => Prepared::Object { act, undo: Some(Arc::new(render)) },
            other => other,
        }
    }
}

/// Parameters of an alert.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AlertParams {
    /// Where people read what to do; may be empty.
    pub runbook_url: String,
    /// The template that adds labels and annotations; may be empty.
    pub template: String,
}

/// Where a policy may have things done. [`Wanted`] is made by [`Reach::want`] alone, so what an action renders for a policy of
/// one namespace is in that namespace, whatever the action's code or parameters say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reach {
    namespaces: Option<Vec<String>>,
}

impl Reach {
    /// Everywhere: policies of the cluster.
    pub fn cluster() -> Reach {
        Reach { namespaces: None }
    }

    /// In one namespace: its own policies.
    pub fn namespace(name: &str) -> Reach {
        Reach { namespaces: Some(vec![name.to_owned()]) }
    }

    /// In some namespaces: policies of a process that looks after these alone.
    pub fn namespaces(names: &[String]) -> Reach {
        Reach { namespaces: Some(names.to_vec()) }
    }

    /// What is to be done to `subject`.
    ///
    /// # Errors
    /// A subject out of reach.
    pub fn want(&self, subject: ObjectRef, action: Deed) -> Result<Wanted, Refusal> {
        match &self.namespaces {
            Some(homes) if !homes.contains(&subject.namespace) => {
                Err(Refusal(format!("a policy of namespace `{}` has no say over {subject}", homes.join("`, `"))))
            }
            _ => Ok(Wanted { subject, action }),
        }
    }
}

/// One thing that a policy may have done, in reach of the policy.
#[derive(Clone, Debug, PartialEq)]
pub struct Wanted {
    subject: ObjectRef,
    action: Deed,
}

impl Wanted {
    /// What it is done to.
    pub fn subject(&self) -> &ObjectRef {
        &self.subject
    }

    /// What is done.
    pub fn action(&self) -> &Deed {
        &self.action
    }
}

/// Why an action cannot be done about a verdict: a fragment.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Refusal(pub String);

/// A parameter that is missing or makes no sense.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("parameter `{name}` {problem}")]
pub struct ParamError {
    /// The parameter.
    pub name: String,
    /// What is wrong with it: a fragment that follows its name.
    pub problem: &'static str,
}

/// A text parameter; `default` when it is absent.
///
/// # Errors
/// Anything but text.
pub fn text_param(params: &Params, name: &str, default: &str) -> Result<String, ParamError> {
    match params.get(name) {
        None | Some(Value::Null) => Ok(default.to_owned()),
        Some(Value::String(text)) => Ok(text.clone()),
        Some(_) => Err(ParamError { name: name.to_owned(), problem: "is not a text" }),
    }
}

/// A yes-or-no parameter; `false` when it is absent.
///
/// # Errors
/// Anything but a boolean.
pub fn bool_param(params: &Params, name: &str) -> Result<bool, ParamError> {
    match params.get(name) {
        None | Some(Value::Null) => Ok(false),
        Some(Value::Bool(it)) => Ok(*it),
        Some(_) => Err(ParamError { name: name.to_owned(), problem: "is neither true nor false" }),
    }
}
