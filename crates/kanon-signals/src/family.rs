//! `impl Family`: routes ConfigMaps and files to the policies' slots, and what becomes of them to Events, records, the
//! state map and the view. No policy logic.

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use kanon_core::{
    Change, Digest, EventType, Evidence, FamilyId, Input, Kind, Mono, Now, Object, ObjectRef, Outcome as Decided,
    PolicyFile, PolicyRef, Verdict,
};
use kanon_lang::Language;
use kanon_plane::{Family, Needs, Outbox, View};

use crate::{
    APPROVAL_POLICY, CLASSIFICATION_POLICY, FAMILY, api,
    approve::Approver,
    classify::Classifier,
    memory::{self, Remembered, STATE_MAP},
    mode::SignalModes,
    place::Place,
    policy::Surface,
    slot::{Outcome, Slot, Text},
    view::{ModesState, SignalsView},
};

/// Event reasons and reasons of records.
const LOADED: &str = "PolicyLoaded";
const REJECTED: &str = "PolicyRejected";
const MODES_STALE: &str = "SignalModesStale";

/// Where policies are looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Namespaces whose ConfigMaps count, the first one first. Tenants' namespaces must not be among them.
    pub namespaces: Vec<String>,
}

impl Settings {
    /// The namespace that Kanon runs in, then the usual one. Where the first is not known, that of a usual installation.
    pub fn of(namespace: &str) -> Settings {
        let own = if namespace.is_empty() { "kanon-system" } else { namespace };
        Settings { namespaces: vec![own.to_owned(), api::USUAL_NAMESPACE.to_owned()] }
    }

    /// The same for a process that looks after these namespaces alone, if there are such: besides them it knows its own.
    #[must_use]
    pub fn within(mut self, namespaces: &[String]) -> Settings {
        let own = self.namespaces.first().cloned();
        self.namespaces.retain(|it| namespaces.is_empty() || own.as_ref() == Some(it) || namespaces.contains(it));
        self
    }
}

/// Owner of the policies and the signal modes.
pub struct SignalsFamily {
    language: Arc<dyn Language>,
    settings: Settings,
    kind: Kind,
    /// Where its ConfigMaps stand.
    places: Vec<kanon_core::Place>,
    classification: Slot<Classifier>,
    approval: Slot<Approver>,
    /// Texts of the signal modes that were seen, the first one first.
    modes: BTreeMap<Place, Option<String>>,
    modes_state: Arc<ModesState>,
    /// State maps by namespace, as read before the policies settled and as written since.
    memory: BTreeMap<String, Object>,
    written: BTreeMap<String, BTreeMap<String, String>>,
    settled: bool,
    view: Arc<SignalsView>,
}

impl SignalsFamily {
    /// The family with the policies of this version. `language` compiles the others: Rego in the binary.
    pub fn new(language: Arc<dyn Language>, settings: Settings) -> SignalsFamily {
        let classification = Slot::built_in(&*language, CLASSIFICATION_POLICY);
        let approval = Slot::built_in(&*language, APPROVAL_POLICY);
        let modes_state = Arc::new(ModesState::built_in());
        let view = SignalsView {
            classification: classification.state.clone(),
            approval: approval.state.clone(),
            modes: modes_state.clone(),
        };
        let kind = api::config_map();
        let place = |it: &String| kanon_core::Place { kind: kind.clone(), namespace: it.clone(), name: None };
        SignalsFamily {
            language,
            places: settings.namespaces.iter().map(place).collect(),
            settings,
            kind: kind.clone(),
            classification,
            approval,
            modes: BTreeMap::new(),
            modes_state,
            memory: BTreeMap::new(),
            written: BTreeMap::new(),
            settled: false,
            view: Arc::new(view),
        }
    }

    fn handle_map(&mut self, change: Change, object: &Object, now: Now, out: &mut Outbox) {
        let text = |name| object.str_at(&["metadata", name]).to_owned();
        let (namespace, name) = (text("namespace"), text("name"));
        let Some(rank) = self.settings.namespaces.iter().position(|it| *it == namespace) else { return };
        if name == STATE_MAP {
            if !self.settled && change == Change::Applied {
                self.memory.insert(namespace, object.clone());
            }
            return;
        }
        let place =
            |rank| Place::ConfigMap { rank, namespace: namespace.clone(), name: name.clone(), uid: text("uid") };
        let key = |key: &str| object.at(&["data", key]).and_then(|it| it.as_str());
        let bytes = |name: &str| key(name).map(|it| Bytes::from(it.into_owned()));
        let found = |name: &str| {
            (change == Change::Applied).then(|| Text { policy: bytes(name), tests: bytes(api::TESTS_KEY) })
        };
        let names = api::APPROVAL_MAPS.len();
        if name == api::CLASSIFICATION_MAP {
            self.classification.put(&place(rank * names), found(api::CLASSIFICATION_KEY));
        } else if let Some(at) = api::APPROVAL_MAPS.iter().position(|it| *it == name) {
            self.approval.put(&place(rank * names + at), found(api::APPROVAL_KEY));
        } else if name == api::MODES_MAP {
            let place = place(rank * names);
            self.modes.retain(|it, _| !it.is_same(&place));
            if change == Change::Applied {
                self.modes.insert(place, key(api::MODES_KEY).map(std::borrow::Cow::into_owned));
            }
            self.note_modes(out);
        } else {
            return;
        }
        self.refresh(now, out);
    }

    fn handle_folder(&mut self, files: &[PolicyFile], now: Now, out: &mut Outbox) {
        let is =
            |file: &PolicyFile, surface: Surface| file.path.rsplit('/').next().is_some_and(|it| it == surface.key());
        let place = |file: &PolicyFile| Place::File { path: file.path.clone() };
        let keep: Vec<_> = files.iter().map(place).collect();
        self.classification.retain_files(&keep);
        self.approval.retain_files(&keep);
        for file in files {
            let text = || Some(Text { policy: Some(file.text.clone()), tests: None });
            if is(file, Surface::Classification) {
                self.classification.put(&place(file), text());
            } else if is(file, Surface::Approval) {
                self.approval.put(&place(file), text());
            }
        }
        self.refresh(now, out);
    }

    fn refresh(&mut self, now: Now, out: &mut Outbox) {
        let outcome = self.classification.refresh(&*self.language, now);
        self.tell(Surface::Classification, &outcome, now, out);
        let outcome = self.approval.refresh(&*self.language, now);
        self.tell(Surface::Approval, &outcome, now, out);
        self.publish(out);
    }

    /// All ConfigMaps that existed at the start were seen.
    fn settle(&mut self, now: Now, out: &mut Outbox) {
        if self.settled {
            return;
        }
        self.settled = true;
        let memory = std::mem::take(&mut self.memory);
        let remembered = |surface: Surface, place: &Place| {
            let Place::ConfigMap { namespace, .. } = place else { return None };
            Remembered::read(memory.get(namespace)?, surface).filter(|it| it.is_about(place))
        };
        let surface = Surface::Classification;
        let outcome = self.classification.settle(&*self.language, |place| remembered(surface, place), now);
        self.tell(surface, &outcome, now, out);
        let surface = Surface::Approval;
        let outcome = self.approval.settle(&*self.language, |place| remembered(surface, place), now);
        self.tell(surface, &outcome, now, out);
        if let Some((place, text)) = self.modes.first_key_value() {
            let read = text.as_deref().ok_or_else(|| format!("it has no key `{}`", api::MODES_KEY));
            let read = read.and_then(|text| SignalModes::parse(text).map_err(|error| error.to_string()));
            // Not fatal: without a table every signal is reactive.
            let (modes, problem) = read.map_or_else(|it| (SignalModes::default(), Some(it)), |it| (it, None));
            self.modes_state = Arc::new(ModesState { modes, place: place.clone(), problem, stale: false });
        }
        for (namespace, map) in memory {
            let data = map.at(&["data"]).into_iter().flat_map(|it| it.members().collect::<Vec<_>>());
            let data = data.filter_map(|(key, value)| Some((key.into_owned(), value.as_str()?.into_owned())));
            self.written.insert(namespace, data.collect());
        }
        self.publish(out);
    }

    /// Signal modes are read once; what was edited since is worth a word.
    fn note_modes(&mut self, out: &mut Outbox) {
        if !self.settled {
            return;
        }
        let text = self.modes.first_key_value().and_then(|(_, text)| text.as_deref());
        let hash = text.map(|it| Digest::of(&[it.as_bytes()]));
        let built_in = self.modes_state.place == Place::BuiltIn;
        let stale = if built_in { !self.modes.is_empty() } else { hash != self.modes_state.modes.hash };
        if stale != self.modes_state.stale {
            let state = ModesState { stale, ..(*self.modes_state).clone() };
            let (place, hash) = (state.place.clone(), hash.unwrap_or(Digest::ZERO));
            self.modes_state = Arc::new(state);
            if stale && let Some(subject) = self.modes.first_key_value().and_then(|(place, _)| subject(place)) {
                let message =
                    format!("signal modes were changed after the start, when {place} was read: restart to use them");
                out.event(subject, EventType::Warning, MODES_STALE, &message, &hash.short());
            }
        }
    }

    /// Says what became of a text: an Event on its ConfigMap, and a record.
    fn tell(&self, surface: Surface, outcome: &Outcome, now: Now, out: &mut Outbox) {
        let word = surface.as_str();
        let (place, decided, reason, revision, message) = match outcome {
            Outcome::Unchanged | Outcome::Noted => return,
            Outcome::Loaded { place, hash, before } => {
                let before = before.map(|it| format!(", in place of {}", it.short())).unwrap_or_default();
                let message = format!("{word} policy {} is in force{before}", hash.short());
                (place, Decided::Allow, LOADED, hash.short(), message)
            }
            Outcome::Rejected { place, message } => {
                let active = match surface {
                    Surface::Classification => self.classification.state.active.as_ref().map(|it| it.hash),
                    Surface::Approval => self.approval.state.active.as_ref().map(|it| it.hash),
                };
                let stays = match active {
                    Some(hash) => format!("{} stays in force", hash.short()),
                    None => "none is in force".to_owned(),
                };
                let message = format!("{word} policy was rejected, {stays}: {message}");
                (place, Decided::Error, REJECTED, Digest::of(&[message.as_bytes()]).short(), message)
            }
        };
        let subject = subject(place);
        if let Some(subject) = &subject {
            let event_type = if decided == Decided::Allow { EventType::Normal } else { EventType::Warning };
            out.event(subject.clone(), event_type, reason, &message, &format!("{revision} {}", now.wall));
        }
        let (namespace, name) = match place {
            Place::ConfigMap { namespace, name, .. } => (namespace.clone(), name.clone()),
            Place::File { path } => (String::new(), path.clone()),
            Place::BuiltIn => (String::new(), word.to_owned()),
        };
        out.verdict(Verdict {
            family: FAMILY,
            policy: PolicyRef { kind: place.kind().to_owned(), namespace, name, revision },
            subject: subject.unwrap_or_default(),
            occasion: "policy",
            outcome: decided,
            reason,
            message,
            evidence: Evidence::default(),
            now,
        });
    }

    /// A new view when a state changed, and the state maps that do not say so yet.
    fn publish(&mut self, out: &mut Outbox) {
        let same = Arc::ptr_eq(&self.view.classification, &self.classification.state)
            && Arc::ptr_eq(&self.view.approval, &self.approval.state)
            && Arc::ptr_eq(&self.view.modes, &self.modes_state);
        if same {
            return;
        }
        self.view = Arc::new(SignalsView {
            classification: self.classification.state.clone(),
            approval: self.approval.state.clone(),
            modes: self.modes_state.clone(),
        });
        let mut maps: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
        let entries = [
            memory::entry(Surface::Classification, &self.classification.state),
            memory::entry(Surface::Approval, &self.approval.state),
        ];
        for (namespace, data) in entries.into_iter().flatten() {
            maps.entry(namespace).or_default().extend(data);
        }
        for (namespace, data) in maps {
            if self.written.get(&namespace) == Some(&data) {
                continue;
            }
            let kind = &self.kind;
            let subject = ObjectRef {
                gvk: kind.gvk.clone(),
                namespace: namespace.clone(),
                name: STATE_MAP.to_owned(),
                uid: String::new(),
            };
            out.apply(kind, subject, memory::manifest(&namespace, &data));
            self.written.insert(namespace, data);
        }
    }
}

/// The object of a place, which Events are about.
fn subject(place: &Place) -> Option<ObjectRef> {
    let Place::ConfigMap { namespace, name, uid, .. } = place else { return None };
    let gvk = api::config_map().gvk;
    Some(ObjectRef { gvk, namespace: namespace.clone(), name: name.clone(), uid: uid.clone() })
}

impl Family for SignalsFamily {
    fn id(&self) -> FamilyId {
        FAMILY
    }

    fn kinds(&self) -> &[Kind] {
        &[]
    }

    fn places(&self) -> &[kanon_core::Place] {
        &self.places
    }

    fn awaited(&self) -> Vec<Kind> {
        vec![self.kind.clone()]
    }

    fn needs(&self) -> Needs {
        let mut needs = Needs::default();
        for namespace in &self.settings.namespaces {
            needs.add_apply(&self.kind, &[STATE_MAP], Some(namespace), "what is in force of signal policies");
            needs.add_events_in(namespace, "what became of signal policies");
        }
        needs
    }

    fn crds(&self) -> Vec<serde_json::Value> {
        Vec::new()
    }

    fn handle(&mut self, input: &Input, now: Now, out: &mut Outbox) {
        match input {
            Input::Object { kind, change, object } if **kind == self.kind => {
                self.handle_map(*change, object, now, out);
            }
            Input::Folder { files, .. } => self.handle_folder(files, now, out),
            Input::PlacesSynced { kind } | Input::Synced { kind, .. } if **kind == self.kind => self.settle(now, out),
            // What was not written is written with the next change.
            Input::Delivered(delivery) if delivery.result.is_err() && delivery.subject.name == STATE_MAP => {
                self.written.remove(&delivery.subject.namespace);
            }
            Input::Object { .. }
            | Input::Synced { .. }
            | Input::PlacesSynced { .. }
            | Input::Reviewed { .. }
            | Input::Observed { .. }
            | Input::Delivered(_)
            | Input::Leadership(_)
            | Input::WatchFailed { .. }
            | Input::Unwatched { .. }
            | Input::Resources { .. }
            | Input::Scanned { .. }
            | Input::AlertTemplates { .. }
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
