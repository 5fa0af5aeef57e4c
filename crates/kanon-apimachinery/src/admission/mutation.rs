//! Mutating webhooks, one after another; each sees what the ones before made of the object.
//!
//! When one changes the object, those before it with `reinvocationPolicy: IfNeeded` are asked once more at the end.

use std::{collections::BTreeSet, sync::Arc};

use bytes::Bytes;
use serde_json::{Value, json};

use super::{
    Attributes, Call, Hook, Hooks, Notes, Surroundings, answer,
    matching::{self, Objects, View},
    review,
};
use crate::{
    audit::PATCH_PREFIX,
    shape,
    status::{ApiError, Result},
};

/// Audit annotations that tell whether a webhook changed the object.
const MUTATION_PREFIX: &str = "mutation.webhook.admission.k8s.io/";

/// A request on its way through the mutating webhooks: [`Mutation::next`] and [`Mutation::answer`] in turn, then
/// [`Mutation::finish`].
#[derive(Debug)]
pub struct Mutation<'a> {
    hooks: &'a [Arc<Hook>],
    attributes: Attributes<'a>,
    around: Surroundings<'a>,
    object: Value,
    old_object: Option<&'a Value>,
    /// The webhook to look at next.
    at: usize,
    is_second: bool,
    /// Webhooks asked so far that want to be asked again after a change.
    asked: BTreeSet<usize>,
    /// Those of them after which a change came.
    again: BTreeSet<usize>,
    pending: Option<(usize, View)>,
    changed: bool,
    notes: Notes,
}

/// What mutating admission made of a request.
#[derive(Clone, Debug, PartialEq)]
pub struct Mutated {
    /// The object, in the version of the request; null where there was none.
    pub object: Value,
    /// Whether it is another one than before.
    pub changed: bool,
    /// Warnings and annotations. Those of a refused request are in [`Mutation::notes`].
    pub notes: Notes,
}

impl Hooks {
    /// Begins a request's way. `object` is what `crate::write` prepared, null for a deletion.
    pub fn mutation<'a>(
        &'a self,
        attributes: Attributes<'a>,
        around: Surroundings<'a>,
        object: Value,
        old_object: Option<&'a Value>,
    ) -> Mutation<'a> {
        let hooks = if matching::is_exempt(attributes.resource) { &[][..] } else { self.mutating.as_slice() };
        Mutation {
            hooks,
            attributes,
            around,
            object,
            old_object,
            at: 0,
            is_second: false,
            asked: BTreeSet::new(),
            again: BTreeSet::new(),
            pending: None,
            changed: false,
            notes: Notes::default(),
        }
    }
}

impl Mutation<'_> {
    /// The next call to make, or `None` when all is done. `uid` makes a fresh one for the review.
    ///
    /// # Errors
    /// A dry run that would reach a webhook with side effects; conditions that cannot be evaluated.
    pub fn next(&mut self, uid: impl FnOnce() -> String) -> Result<Option<Call>> {
        loop {
            let Some(hook) = self.hooks.get(self.at) else {
                // One more round at most, for those that a later change concerns.
                if self.is_second || self.again.is_empty() {
                    return Ok(None);
                }
                (self.is_second, self.at) = (true, 0);
                continue;
            };
            let at = self.at;
            self.at += 1;
            if self.is_second && !self.again.contains(&at) {
                continue;
            }
            let objects =
                Objects { object: (!self.object.is_null()).then_some(&self.object), old_object: self.old_object };
            let Some(view) = matching::view(hook, &self.attributes, &self.around, objects)? else { continue };
            if self.attributes.dry_run && !hook.dry_runs {
                return Err(ApiError::webhook_dry_run(&hook.name));
            }
            let uid = uid();
            let body = review::body(hook, &self.attributes, &view, objects, &uid);
            self.pending = Some((at, view));
            return Ok(Some(Call { hook: Arc::clone(hook), uid, body }));
        }
    }

    /// Takes what came of the call that [`Mutation::next`] gave: the answer's body (of HTTP status 200), or why there is none, as in
    /// `Post "https://…?timeout=5s": connection refused`.
    ///
    /// # Errors
    /// The webhook's refusal or failure; the request ends with it.
    pub fn answer(&mut self, call: &Call, result: std::result::Result<Bytes, String>) -> Result<()> {
        let Some((at, view)) = self.pending.take() else { return Ok(()) };
        let place = format!("round_{}_index_{at}", u8::from(self.is_second));
        let failed_open = format!("failed-open.{MUTATION_PREFIX}{place}");
        let patch = answer::judge(call, result, &failed_open, &mut self.notes)?;
        let changed = patch.as_ref().map(|it| self.change(call, &view, it, at)).transpose()?.unwrap_or_default();
        self.note(call, &place, patch.filter(|_| changed).as_ref());
        if call.hook.reinvoke {
            self.asked.insert(at);
        }
        Ok(())
    }

    /// Notes for the audit log whether a webhook changed the object, and how (as upstream does).
    fn note(&mut self, call: &Call, place: &str, patch: Option<&json_patch::Patch>) {
        let (configuration, webhook) = (call.configuration(), call.webhook());
        let mutation = json!({"configuration": configuration, "webhook": webhook, "mutated": patch.is_some()});
        let annotations = &mut self.notes.audit_annotations;
        annotations.insert(format!("{MUTATION_PREFIX}{place}"), mutation.to_string());
        if let Some(patch) = patch {
            let patch =
                json!({"configuration": configuration, "webhook": webhook, "patch": patch, "patchType": "JSONPatch"});
            annotations.insert(format!("{PATCH_PREFIX}{place}"), patch.to_string());
        }
    }

    /// Whether the patch made a difference.
    fn change(&mut self, call: &Call, view: &View, patch: &json_patch::Patch, at: usize) -> Result<bool> {
        let mut object = review::shown(&self.attributes, view, &self.object).into_owned();
        answer::apply(call, patch, &mut object)?;
        let mut object = review::unshown(&self.attributes, view, object);
        if *self.attributes.kind == self.attributes.resource.gvk {
            shape::default(self.attributes.resource, &mut object);
        }
        let changed = object != self.object;
        if changed {
            self.object = object;
            self.changed = true;
            if !self.is_second {
                self.again.extend(self.asked.iter().copied().filter(|it| *it != at));
            }
        }
        Ok(changed)
    }

    /// What was said so far: for the answer to a request that is refused.
    pub fn notes(&self) -> &Notes {
        &self.notes
    }

    /// What the webhooks made of the request.
    pub fn finish(self) -> Mutated {
        Mutated { object: self.object, changed: self.changed, notes: self.notes }
    }
}
