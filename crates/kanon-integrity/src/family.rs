//! `impl Family`: routes policy objects to validation and resolution, and the result to status, records and the view.

use std::sync::Arc;

use kanon_core::{
    Change, EventType, Evidence, FamilyId, Input, Kind, Mono, NodeKind, Now, Object, ObjectRef, Outcome, PolicyRef,
    Verdict,
};
use kanon_plane::{Applied, Family, Needs, Outbox, PolicyStore, View};

use crate::{
    api::{self, PandoCorePolicySpec},
    env::Env,
    resolve::{Defaults, resolve},
    status::{self, Standing},
    validate::validate,
    view::{Compiled, IntegrityView, NAME_MESSAGE, key},
    warning::{Reason, Warning},
};

/// Event reason for an object that cannot be read at all (1.6).
const POLICY_INVALID: &str = "PandoPolicyInvalid";
const UNREADABLE_MESSAGE: &str = "`spec` is not an object; the last good policy, if any, stays in force";

/// The run family.
pub struct IntegrityFamily {
    kinds: [Kind; 1],
    env: Env,
    defaults: Defaults,
    policies: PolicyStore<Compiled>,
    view: Arc<IntegrityView>,
}

impl IntegrityFamily {
    /// The family over this environment and these built-in values, without policies.
    pub fn new(env: Env, defaults: Defaults) -> IntegrityFamily {
        let view = Arc::new(IntegrityView::new(&env, &defaults));
        IntegrityFamily { kinds: [api::kind()], env, defaults, policies: PolicyStore::default(), view }
    }

    fn apply(&mut self, object: &Object, now: Now, out: &mut Outbox) {
        let subject = subject(object);
        let key = key(&subject.namespace, &subject.name);
        let text = object.at(&["spec"]).map_or("{}", |it| it.raw());
        let (env, defaults) = (&self.env, &self.defaults);
        let applied = self.policies.apply(key.clone(), text.as_bytes(), |_| compile(object, env, defaults));
        let Some(entry) = self.policies.get(&key) else { return };
        let standing = match (&entry.good, &entry.problem) {
            _ if subject.name != api::POLICY_NAME => {
                Standing::Refused { reason: status::NAME_IGNORED, message: NAME_MESSAGE }
            }
            (Some(it), None) => {
                Standing::InForce { effective: &it.effective, problems: &it.problems, warnings: &it.warnings }
            }
            (_, problem) => {
                let message = problem.as_deref().unwrap_or(UNREADABLE_MESSAGE);
                Standing::Refused { reason: status::UNREADABLE, message }
            }
        };
        let revision = entry.revision.short();
        // A restart sees every object again: what its status says already was recorded when it was written.
        if let Some(status) = status::status(object, &standing, now) {
            if applied == Applied::Broken {
                let message = UNREADABLE_MESSAGE;
                out.event(subject.clone(), EventType::Warning, POLICY_INVALID, message, &revision);
            }
            out.verdict(verdict(object, &subject, revision, &standing, now));
            out.status(&self.kinds[0], subject, status, true);
        }
        if applied != Applied::Unchanged {
            self.publish();
        }
    }

    fn remove(&mut self, object: &Object, now: Now, out: &mut Outbox) {
        let subject = subject(object);
        let key = key(&subject.namespace, &subject.name);
        let Some(entry) = self.policies.get(&key) else { return };
        let revision = entry.revision.short();
        self.policies.remove(&key);
        self.publish();
        if subject.name == api::POLICY_NAME {
            let message = "PandoCorePolicy CRD removed, reverting to environment configuration".to_owned();
            out.verdict(record(subject, revision, Outcome::Allow, "Removed", message, now));
        }
    }

    fn publish(&mut self) {
        let fallback = self.view.fallback.clone();
        self.view = Arc::new(IntegrityView { policies: self.policies.clone(), fallback });
    }
}

/// Without an environment: what a control plane knows, whose own variables are not the sidecars'.
impl Default for IntegrityFamily {
    fn default() -> IntegrityFamily {
        IntegrityFamily::new(Env::new(), Defaults::default())
    }
}

impl Family for IntegrityFamily {
    fn id(&self) -> FamilyId {
        api::FAMILY
    }

    fn kinds(&self) -> &[Kind] {
        &self.kinds
    }

    fn needs(&self) -> Needs {
        let mut needs = Needs::default();
        needs.add_status(&self.kinds[0], "statuses of policies");
        needs.add_events("broken policies");
        needs
    }

    fn crds(&self) -> Vec<serde_json::Value> {
        api::crds()
    }

    fn handle(&mut self, input: &Input, now: Now, out: &mut Outbox) {
        match input {
            Input::Object { change: Change::Applied, object, .. } => self.apply(object, now, out),
            Input::Object { change: Change::Deleted, object, .. } => self.remove(object, now, out),
            Input::Synced { .. }
            | Input::Folder { .. }
            | Input::AlertTemplates { .. }
            | Input::Reviewed { .. }
            | Input::Observed { .. }
            | Input::Delivered(_)
            | Input::Leadership(_)
            | Input::WatchFailed { .. }
            | Input::PlacesSynced { .. }
            | Input::Unwatched { .. }
            | Input::Resources { .. }
            | Input::Scanned { .. }
            | Input::Tick => {}
        }
    }

    fn next_deadline(&self) -> Option<Mono> {
        None
    }

    fn view(&self) -> Arc<dyn View> {
        self.view.clone()
    }
}

/// Validates and resolves a policy object. Only one whose `spec` is no object has no usable field at all.
fn compile(object: &Object, env: &Env, defaults: &Defaults) -> Result<Compiled, String> {
    let spec = match object.at(&["spec"]).filter(|it| !it.is_null()) {
        None => PandoCorePolicySpec::default(),
        Some(spec) if spec.kind() != NodeKind::Object => return Err(UNREADABLE_MESSAGE.to_owned()),
        // The decoder's own text is not passed on: it may quote a credential.
        Some(spec) => serde_json::from_str(spec.raw()).map_err(|_| UNREADABLE_MESSAGE.to_owned())?,
    };
    let (policy, problems) = validate(&spec);
    let (effective, mut warnings) = resolve(Some(&policy), env, defaults);
    if problems.iter().any(|it| it.path.starts_with("spec.exclude")) {
        let message = "an exclusion that is not a namespace name or a label matches nothing";
        warnings.push(Warning::new(Reason::ExclusionIgnored, message));
    }
    Ok(Compiled { policy, problems, effective, warnings })
}

fn subject(object: &Object) -> ObjectRef {
    let text = |name| object.str_at(&["metadata", name]).to_owned();
    ObjectRef { gvk: api::kind().gvk, namespace: text("namespace"), name: text("name"), uid: text("uid") }
}

fn verdict(object: &Object, subject: &ObjectRef, revision: String, standing: &Standing<'_>, now: Now) -> Verdict {
    let (outcome, reason, message) = match standing {
        Standing::InForce { effective, problems, .. } => {
            let mode = effective.mode.value.as_str();
            let version = object.str_at(&["metadata", "resourceVersion"]);
            let applied = format!("Applied PandoCorePolicy mode={mode} resource_version=\"{version}\"");
            if problems.is_empty() {
                (Outcome::Allow, status::VALID, applied)
            } else {
                (Outcome::Warn, status::FIELDS_IGNORED, format!("{applied}; {}", status::sentence(problems)))
            }
        }
        Standing::Refused { reason, message } => (Outcome::Error, *reason, (*message).to_owned()),
    };
    record(subject.clone(), revision, outcome, reason, message, now)
}

fn record(
    subject: ObjectRef,
    revision: String,
    outcome: Outcome,
    reason: &'static str,
    message: String,
    now: Now,
) -> Verdict {
    let (namespace, name) = (subject.namespace.clone(), subject.name.clone());
    let policy = PolicyRef { kind: api::KIND.to_owned(), namespace, name, revision };
    let evidence = Evidence::default();
    Verdict { family: api::FAMILY, policy, subject, occasion: "policy", outcome, reason, message, evidence, now }
}
