//! The family: routes inputs to the policy store, the snapshot, the status plans and the audit. No policy logic.

mod auditing;
mod breaking;
mod excepting;
pub(crate) mod figures;
mod networking;
mod timing;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, atomic::Ordering::Relaxed},
};

use kanon_core::{
    Change, FamilyId, Figures, Input, Kind, Mono, Now, Object, ObjectRef, Place, PolicyFile, Review, Scope,
    UnreadableFile,
};
use kanon_lang::Language;
use kanon_plane::{Actions, Applied, Facts, Family, Needs, Outbox, PolicyKey, PolicyStore, View};

use crate::{
    FAMILY, api,
    audit::{
        Audit,
        sight::{Sight, facts},
    },
    breaker::Breaker,
    decide::{RuleTally, Tally},
    documents::{Document, file_of, read_file},
    exceptions::register::Register,
    index::{Counts, Entry, FOLDER, Item, Rules, Settings},
    lookups::resources::Resources,
    needs,
    network::Network,
    plan::{Resource, Version, World},
    respond::{Responder, Responses, places},
    rule::{Mode, Rule},
    validate::{Cases, Compiler, validate, without_cases},
    vet::{Vet, VetSettings},
    view::RulesView,
};

/// What is known of a policy besides its revisions.
struct Source {
    /// The best known name.
    name: String,
    counts: Arc<Counts>,
}

/// Owner of all rules: PortalClusterRules, PortalRules and the folder.
pub struct RulesFamily {
    compiler: Compiler,
    settings: Settings,
    /// Those of its policies first.
    kinds: Vec<Kind>,
    places: Vec<Place>,
    facts: Arc<Facts>,
    /// Kinds and their plurals.
    served: Arc<Resources>,
    store: PolicyStore<Rule>,
    sources: BTreeMap<PolicyKey, Source>,
    /// Keys of the folder's policies in file order.
    folder: Vec<PolicyKey>,
    resources: BTreeMap<PolicyKey, Resource>,
    /// When counts of an object are to be written.
    due: BTreeSet<(Mono, PolicyKey)>,
    rules: Arc<Rules>,
    positions: BTreeMap<PolicyKey, usize>,
    view: Arc<RulesView>,
    respond: Responder,
    audit: Audit,
    network: Network,
    breaker: Breaker,
    exceptions: Register,
    figures: Arc<Figures>,
    /// How many rules there are, as last shown.
    population: figures::Population,
    /// How many exceptions there are, as last shown.
    shown_exceptions: figures::Population,
    /// Files with problems, as last shown.
    broken_files: figures::BrokenFiles,
    /// Whether rules of admission are being timed.
    times_review: bool,
}

impl RulesFamily {
    /// A family without rules. `language` compiles the expressions: expr-lang in the binary.
    pub fn new(language: Arc<dyn Language>, settings: Settings) -> RulesFamily {
        let served = Resources::default().shaped(settings.shapes.clone()).confined(!settings.namespaces.is_empty());
        let served = Arc::new(served);
        let rules = Arc::new(Rules::new(Vec::new(), Vec::new(), settings.clone(), Arc::clone(&served)));
        let audit = Audit::new(Mode::Audit, settings.loops.contains(&Mode::Audit), settings.resync, settings.sweep);
        let settings_breaker = settings.breaker;
        RulesFamily {
            compiler: Compiler::new(Arc::clone(&language), settings.shapes.clone()),
            settings,
            kinds: needs::awaited(),
            places: Vec::new(),
            facts: Arc::new(facts(&rules, &Sight::default())),
            served,
            store: PolicyStore::default(),
            sources: BTreeMap::new(),
            folder: Vec::new(),
            resources: BTreeMap::new(),
            due: BTreeSet::new(),
            positions: BTreeMap::new(),
            view: Arc::new(RulesView::watching(rules.clone(), vec![audit.findings()], None)),
            respond: Responder::new(Responses { leads: true, ..Responses::default() }, Arc::clone(&language)),
            audit,
            network: Network::off(),
            breaker: Breaker::new(settings_breaker),
            exceptions: Register::default(),
            figures: Arc::default(),
            population: figures::Population::new(),
            shown_exceptions: figures::Population::new(),
            broken_files: figures::BrokenFiles::new(),
            times_review: false,
            rules,
        }
    }

    /// A view of the rules as they are, with what the loops found.
    fn watching(&self) -> Arc<RulesView> {
        let findings = vec![self.audit.findings(), self.network.patrol.findings()];
        let vet = (self.settings.vet != VetSettings::default())
            .then(|| Arc::new(Vet { settings: self.settings.vet, compiler: self.compiler.clone() }));
        Arc::new(RulesView::watching(self.rules.clone(), findings, vet))
    }

    /// The snapshot in force.
    pub(crate) fn rules(&self) -> &Arc<Rules> {
        &self.rules
    }

    /// The same family, whose rules may have these actions done.
    #[must_use]
    pub fn with_actions(mut self, actions: Actions) -> RulesFamily {
        self.compiler.actions = actions;
        self
    }

    /// The same family with what this process can do about violations.
    #[must_use]
    pub fn with_responses(mut self, responses: Responses) -> RulesFamily {
        self.compiler.alerts = responses.alerts.is_some();
        self.compiler.allowed = responses.allowed.clone();
        // Where it is not known what is allowed, it is not known either who may be called.
        self.compiler.hooks = responses.allowed.as_ref().map(|_| responses.hooks.clone());
        self.kinds.extend(responses.reports.iter().flat_map(|it| [it.of_namespace(), it.of_cluster()]));
        self.places = places(&responses.namespace);
        self.figures = Arc::clone(&responses.figures);
        self.respond = Responder::new(responses, self.compiler.language());
        self.view = self.watching();
        self
    }

    fn handle_object(&mut self, kind: &Kind, change: Change, object: &Object, now: Now, out: &mut Outbox) {
        let key = PolicyKey {
            origin: kind.gvk.kind.clone(),
            namespace: object.str_at(&["metadata", "namespace"]).to_owned(),
            name: object.str_at(&["metadata", "name"]).to_owned(),
        };
        match change {
            Change::Deleted => {
                self.store.remove(&key);
                self.breaker.retain(|it| *it != key);
                self.resources.remove(&key);
                self.sources.remove(&key);
                self.publish(None, now, out);
            }
            Change::Applied => {
                let spec = object.at(&["spec"]).map(|it| it.to_value()).unwrap_or_default();
                let home = (kind.scope == Scope::Namespaced).then_some(key.namespace.as_str());
                let applied = compile(&mut self.store, &self.compiler, &key, &spec, home);
                let version = Version::of(object);
                if applied == Applied::Unchanged
                    && let Some(resource) = self.resources.get_mut(&key).filter(|it| it.is_version(&version))
                {
                    // Status or metadata, most often our own write: nothing to decide (spec/rules 1.7, 4).
                    resource.seen(object);
                    return;
                }
                let resource = Resource::new(kind, object, now);
                if applied == Applied::Broken
                    && let Some(entry) = self.store.get(&key)
                {
                    resource.announce(entry.problem.as_deref().unwrap_or_default(), &entry.revision.short(), out);
                }
                self.sources
                    .insert(key.clone(), Source { name: name_of(&spec, &key), counts: resource.counts().clone() });
                self.resources.insert(key.clone(), resource);
                self.publish(Some(&key), now, out);
            }
        }
    }

    pub(crate) fn handle_folder(
        &mut self,
        files: &[PolicyFile],
        unreadable: &[UnreadableFile],
        now: Now,
        out: &mut Outbox,
    ) {
        let mut all: Vec<(&str, Result<&PolicyFile, &str>)> = files.iter().map(|it| (&*it.path, Ok(it))).collect();
        all.extend(unreadable.iter().map(|it| (&*it.path, Err(&*it.problem))));
        all.sort_by_key(|it| it.0);
        let (mut keys, mut exceptions, mut unread) = (Vec::new(), BTreeSet::new(), BTreeSet::new());
        for (path, file) in all {
            let file = match file {
                Ok(file) => file,
                Err(problem) => {
                    unread.insert(path);
                    keys.extend(self.note_whole(path, problem, problem.as_bytes()));
                    continue;
                }
            };
            match read_file(file) {
                Ok((documents, unreadable)) => {
                    for Document { place, exception, home, spec } in documents {
                        let key = folder_key(&place);
                        if let Some(name) = exception {
                            self.exceptions.document(&key, &spec, home.as_deref(), &name, now);
                            exceptions.insert(key);
                            continue;
                        }
                        if compile(&mut self.store, &self.compiler, &key, &spec, home.as_deref()) != Applied::Unchanged
                        {
                            let source = Source { name: name_of(&spec, &key), counts: Arc::default() };
                            self.sources.insert(key.clone(), source);
                        }
                        keys.push(key);
                    }
                    for it in unreadable {
                        keys.push(self.note_unreadable(folder_key(&it.place), &it.problem, &file.text));
                    }
                }
                Err(it) => {
                    unread.insert(path);
                    keys.extend(self.note_whole(&it.place, &it.problem, &file.text));
                }
            }
        }
        let found: BTreeSet<_> = keys.iter().collect();
        self.breaker.retain(|key| key.origin != FOLDER || found.contains(key));
        self.store.retain(|key| key.origin != FOLDER || found.contains(key));
        self.sources.retain(|key, _| key.origin != FOLDER || found.contains(key));
        self.folder = keys;
        self.exceptions.retain_documents(&exceptions, |file| unread.contains(file));
        self.publish(None, now, out);
    }

    /// Nothing is known of the rules in a file: those it held before stay in force, and say so.
    fn note_whole(&mut self, path: &str, problem: &str, text: &[u8]) -> Vec<PolicyKey> {
        let before: Vec<_> = self.folder.iter().filter(|key| file_of(key) == path).cloned().collect();
        let noted = if before.is_empty() { vec![folder_key(path)] } else { before };
        noted.into_iter().map(|key| self.note_unreadable(key, problem, text)).collect()
    }

    fn note_unreadable(&mut self, key: PolicyKey, problem: &str, text: &[u8]) -> PolicyKey {
        self.store.apply(key.clone(), text, |_| Err(problem.to_owned()));
        let source = || Source { name: key.name.clone(), counts: Arc::default() };
        self.sources.entry(key.clone()).or_insert_with(source);
        key
    }

    fn handle_reviewed(&mut self, review: &Review, tally: &Tally, now: Now, out: &mut Outbox) {
        let subject = review.subject();
        self.count_rows(&tally.rules, &tally.rows, Mode::Admission, |_| Some(&subject), now, out);
    }

    /// Adds what rules of a snapshot did to their counts; `failed` says on which object one failed.
    fn count_rows<'o>(
        &mut self,
        rules: &Rules,
        rows: &[RuleTally],
        mode: Mode,
        failed: impl Fn(usize) -> Option<&'o ObjectRef>,
        now: Now,
        out: &mut Outbox,
    ) {
        for row in rows {
            let Some(entry) = rules.entries().get(row.entry()) else { continue };
            let counts = &entry.counts;
            count(counts, row);
            figures::count_errors(&self.figures, &entry.policy.name, row, mode);
            let is_news = !counts.unreported.swap(true, Relaxed) || row.last_error.is_some();
            let recovers = row.errors == 0 && counts.errors_in_a_row.swap(0, Relaxed) > 0;
            if !is_news && !recovers {
                continue;
            }
            let Some(resource) = self.resources.get_mut(&entry.key) else { continue };
            if !Arc::ptr_eq(resource.counts(), counts) {
                continue;
            }
            if let (Some(error), Some(object)) = (&row.last_error, failed(row.entry())) {
                resource.failed(error, object, now);
            }
            let Some(entry) = self.positions.get(&entry.key).and_then(|at| self.rules.entries().get(*at)) else {
                continue;
            };
            let world = World { rules: &self.rules, sight: &self.audit.sight };
            if (row.last_error.is_some() || recovers) && resource.must_report(entry, world, now) {
                resource.plan(entry, world, false, now, out);
            } else {
                self.due.insert((resource.counts_due(now.mono), entry.key.clone()));
            }
        }
    }

    /// Writes counts whose time has come.
    fn flush(&mut self, now: Now, out: &mut Outbox) {
        while self.due.first().is_some_and(|(at, _)| *at <= now.mono) {
            let Some((_, key)) = self.due.pop_first() else { return };
            let entry = self.positions.get(&key).and_then(|at| self.rules.entries().get(*at));
            if let (Some(resource), Some(entry)) = (self.resources.get_mut(&key), entry) {
                let world = World { rules: &self.rules, sight: &self.audit.sight };
                resource.plan(entry, world, true, now, out);
            }
        }
    }

    /// Swaps the snapshot, then writes the statuses that this changes: `lastApplied` says the rule is live.
    fn publish(&mut self, changed: Option<&PolicyKey>, now: Now, out: &mut Outbox) {
        let folder = self.folder.iter().filter_map(|key| Some((key, self.store.get(key)?)));
        let objects = self.store.iter().filter(|(key, _)| key.origin != FOLDER);
        let items = objects.chain(folder).map(|(key, entry)| {
            let source = self.sources.get(key);
            Item {
                key: key.clone(),
                name: source.map(|it| it.name.clone()).unwrap_or_default(),
                revision: entry.revision.short(),
                rule: entry.good.clone(),
                problem: entry.problem.clone(),
                broken: self.breaker.is_open(key, &entry.revision.short()),
                counts: source.map(|it| it.counts.clone()).unwrap_or_default(),
            }
        });
        let (items, exceptions) = (items.collect(), self.exceptions.listed());
        self.rules = Arc::new(Rules::new(items, exceptions, self.settings.clone(), Arc::clone(&self.served)));
        let entries = self.rules.entries().iter().enumerate();
        self.positions = entries.map(|(at, entry)| (entry.key.clone(), at)).collect();
        self.view = self.watching();
        figures::count_rules(&self.figures, &self.rules, &mut self.population);
        figures::count_exceptions(&self.figures, &self.rules, &mut self.shown_exceptions);
        figures::count_files(&self.figures, &self.rules, &mut self.broken_files);
        self.plan(
            |entry, resource| changed == Some(&entry.key) || resource.state.as_ref() != Some(&entry.state),
            now,
            out,
        );
        self.exceptions.plan(&self.rules, now, out);
        self.audit_rules(now, out);
    }

    fn plan(&mut self, which: impl Fn(&Entry, &Resource) -> bool, now: Now, out: &mut Outbox) {
        for entry in self.rules.entries() {
            if let Some(resource) = self.resources.get_mut(&entry.key)
                && which(entry, resource)
            {
                resource.plan(entry, World { rules: &self.rules, sight: &self.audit.sight }, false, now, out);
            }
        }
    }
}

impl Family for RulesFamily {
    fn id(&self) -> FamilyId {
        FAMILY
    }

    fn kinds(&self) -> &[Kind] {
        &self.kinds
    }

    fn places(&self) -> &[Place] {
        &self.places
    }

    fn facts(&self) -> Arc<Facts> {
        Arc::clone(&self.facts)
    }

    fn awaited(&self) -> Vec<Kind> {
        needs::awaited()
    }

    fn needs(&self) -> Needs {
        needs::needs(&self.rules, self.respond.settings(), &self.compiler.actions)
    }

    fn crds(&self) -> Vec<serde_json::Value> {
        // Where no reports are written, theirs need not be there.
        let is_used = |it: &serde_json::Value| {
            let (group, kind) = (&it["spec"]["group"], &it["spec"]["names"]["kind"]);
            self.kinds.iter().any(|it| *kind == it.gvk.kind && *group == it.gvk.group)
        };
        api::crds().into_iter().filter(is_used).collect()
    }

    fn handle(&mut self, input: &Input, now: Now, out: &mut Outbox) {
        self.end_exceptions(input, now, out);
        match input {
            Input::Object { kind, change, object } if api::is_exception(kind) => {
                self.handle_exception(kind, *change, object, now, out);
            }
            Input::Object { kind, change, object } if kind.gvk.group == api::GROUP => {
                self.handle_object(kind, *change, object, now, out);
            }
            Input::Folder { files, unreadable } => self.handle_folder(files, unreadable, now, out),
            Input::Reviewed { family, review, verdicts, counts } if *family == FAMILY => {
                if let Some(tally) = counts.downcast_ref::<Tally>() {
                    self.respond.admission(review, verdicts, tally, now, out);
                    self.handle_reviewed(review, tally, now, out);
                    self.count_denials(verdicts, tally, now, out);
                    self.time_review(review, tally, out);
                }
            }
            Input::Observed { family, verdicts, counts } if *family == FAMILY => {
                if let Some(tally) = counts.downcast_ref::<Tally>() {
                    self.respond.observed(verdicts, tally, now, out);
                    let subject = verdicts.first().map(|it| &it.subject);
                    self.count_rows(&tally.rules, &tally.rows, Mode::Runtime, |_| subject, now, out);
                    figures::show_times(&self.figures, &tally.rules, &tally.times, Mode::Runtime);
                }
            }
            Input::Delivered(delivery) if delivery.result.is_err() => {
                let lost = self.resources.iter_mut().find(|(_, it)| *it.subject() == delivery.subject);
                if let Some((key, resource)) = lost {
                    self.due.insert((resource.undelivered(now.mono), key.clone()));
                }
            }
            Input::Scanned { result, .. } => self.timed(&**result),
            // A follower's statuses were held; what was last planned may be old.
            Input::Leadership(shards) if shards.leads() => self.plan(|_, _| true, now, out),
            Input::Object { .. }
            | Input::Synced { .. }
            | Input::WatchFailed { .. }
            | Input::PlacesSynced { .. }
            | Input::Unwatched { .. }
            | Input::Resources { .. }
            | Input::Reviewed { .. }
            | Input::Observed { .. }
            | Input::AlertTemplates { .. }
            | Input::Delivered(_)
            | Input::Leadership(_)
            | Input::Tick => {}
        }
        self.audit_input(input, now, out);
        self.network_input(input, now, out);
        self.respond.handle(input, now, out);
        self.flush(now, out);
        if self.is_ready() {
            self.settle(now, out);
            self.audit.go_on(now, out);
            self.network.patrol.go_on(now, out);
        }
        self.count_exceptions(now, out);
    }

    fn next_deadline(&self) -> Option<Mono> {
        let due = self.due.first().map(|(at, _)| *at);
        let network = if self.is_ready() { self.network.next_deadline() } else { None };
        let exceptions = self.exceptions.next_deadline();
        let loops = [self.audit.next_deadline(), network, exceptions];
        [due, self.respond.next_deadline()].into_iter().chain(loops).flatten().min()
    }

    fn view(&self) -> Arc<dyn View> {
        self.view.clone()
    }
}

fn compile(
    store: &mut PolicyStore<Rule>,
    compiler: &Compiler,
    key: &PolicyKey,
    spec: &serde_json::Value,
    home: Option<&str>,
) -> Applied {
    let text = format!("{}\0{}", home.unwrap_or_default(), without_cases(spec));
    let applied = store.apply(key.clone(), text.as_bytes(), |_| validate(spec, home, compiler));
    if applied == Applied::Unchanged {
        store.amend(key, |rule| rule.with_cases(Cases::of(spec)));
    }
    applied
}

/// The name in a spec that may be broken, or that of its source.
fn name_of(spec: &serde_json::Value, key: &PolicyKey) -> String {
    let name = spec["name"].as_str().filter(|it| !it.is_empty());
    name.unwrap_or(&key.name).to_owned()
}

fn folder_key(place: &str) -> PolicyKey {
    PolicyKey { origin: FOLDER.to_owned(), namespace: String::new(), name: place.to_owned() }
}

fn count(counts: &Counts, row: &RuleTally) {
    counts.evaluations.fetch_add(row.evaluations.into(), Relaxed);
    counts.violations.fetch_add(row.violations.into(), Relaxed);
    if row.errors > 0 {
        counts.errors.fetch_add(row.errors.into(), Relaxed);
        if row.errors < row.evaluations {
            counts.errors_in_a_row.store(row.errors_at_end.into(), Relaxed);
        } else {
            counts.errors_in_a_row.fetch_add(row.errors_at_end.into(), Relaxed);
        }
    }
}
