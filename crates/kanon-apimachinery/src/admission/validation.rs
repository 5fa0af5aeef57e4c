//! Validating webhooks: all at once, since none changes what another sees.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::Value;

use super::{
    Attributes, Call, Hooks, Notes, Surroundings, answer,
    matching::{self, Objects},
    review,
};
use crate::status::{ApiError, Result};

/// The calls that a request needs, and what came of them.
#[derive(Debug)]
pub struct Validation {
    /// To be made in parallel.
    pub calls: Vec<Call>,
}

/// The outcome of validating admission.
#[derive(Clone, Debug, PartialEq)]
pub struct Validated {
    /// The first refusal or failure, in the order of webhooks; the request ends with it.
    pub result: Result<()>,
    /// Warnings and annotations, also of a refused request.
    pub notes: Notes,
}

impl Hooks {
    /// Finds the calls for a request. `object` is what `crate::write` finished, none for a deletion. `uid` makes fresh ones.
    ///
    /// # Errors
    /// A dry run that would reach a webhook with side effects; conditions that cannot be evaluated.
    pub fn validation(
        &self,
        attributes: &Attributes<'_>,
        around: &Surroundings<'_>,
        object: Option<&Value>,
        old_object: Option<&Value>,
        mut uid: impl FnMut() -> String,
    ) -> Result<Validation> {
        let mut calls = Vec::new();
        if matching::is_exempt(attributes.resource) {
            return Ok(Validation { calls });
        }
        let objects = Objects { object, old_object };
        for hook in &self.validating {
            let Some(view) = matching::view(hook, attributes, around, objects)? else { continue };
            if attributes.dry_run && !hook.dry_runs {
                return Err(ApiError::webhook_dry_run(&hook.name));
            }
            let uid = uid();
            let body = review::body(hook, attributes, &view, objects, &uid);
            calls.push(Call { hook: Arc::clone(hook), uid, body });
        }
        Ok(Validation { calls })
    }
}

impl Validation {
    /// Judges the results, one a call in their order; each as of [`super::Mutation::answer`]. A missing one counts as not made.
    pub fn finish(self, results: Vec<std::result::Result<Bytes, String>>) -> Validated {
        let mut notes = Notes::default();
        let mut first = Ok(());
        let mut results = results.into_iter();
        for (at, call) in self.calls.iter().enumerate() {
            let result = results.next().unwrap_or_else(|| Err("the call was not made".to_owned()));
            let failed_open = format!("failed-open.validating.webhook.admission.k8s.io/round_0_index_{at}");
            let judged = answer::judge(call, result, &failed_open, &mut notes).map(|_| ());
            if first.is_ok() {
                first = judged;
            }
        }
        Validated { result: first, notes }
    }
}
