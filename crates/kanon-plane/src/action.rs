//! What a policy may have done when it is violated. An action checks its parameters when the policy is loaded, so that
//! mistakes show early, and renders existing effects, so that no shell changes for a new one.

use std::{collections::BTreeMap, sync::Arc};

use kanon_core::Verdict;
use serde_json::{Map, Value};

use crate::outbox::Outbox;

/// An action's parameters as the policy gives them.
pub type Params = Map<String, Value>;

/// Every action of a binary, by the word policies use.
pub type Actions = BTreeMap<&'static str, Arc<dyn Action>>;

/// One kind of action.
pub trait Action: Send + Sync {
    /// The word policies use.
    fn id(&self) -> &'static str;

    /// Checks the parameters once, when the policy is loaded.
    ///
    /// # Errors
    /// The first parameter that is missing or makes no sense.
    fn prepare(&self, params: &Params) -> Result<Prepared, ParamError>;
}

type Run = dyn Fn(&Verdict, &mut Outbox) + Send + Sync;

/// An action with its parameters: from a verdict to effects. Pure.
#[derive(Clone)]
pub struct Prepared(Arc<Run>);

impl Prepared {
    /// What the action does with a verdict.
    pub fn new(run: impl Fn(&Verdict, &mut Outbox) + Send + Sync + 'static) -> Prepared {
        Prepared(Arc::new(run))
    }

    /// Renders the effects of one verdict.
    pub fn run(&self, verdict: &Verdict, out: &mut Outbox) {
        (self.0)(verdict, out);
    }
}

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
