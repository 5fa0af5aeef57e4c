//! The family: routes inputs to the policy store (`sources`), the snapshot, the status plans (`counting`) and the audit (`auditing`). No
//! policy logic.

mod auditing;
mod breaking;
mod counting;
mod excepting;
pub(crate) mod figures;
mod networking;
mod sources;
mod timing;

use std::{
    cell::LazyCell,
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use kanon_core::{FamilyId, Figures, Input, Kind, Mono, Now, Place};
use kanon_lang::Language;
use kanon_plane::{Actions, Facts, Family, Needs, Outbox, PolicyKey, PolicyStore, View};

use crate::{
    FAMILY, api,
    audit::{
        Audit,
        sight::{Sight, facts},
    },
    breaker::Breaker,
    decide::Tally,
    exceptions::register::Register,
    index::{Counts, Entry, FOLDER, Item, Rules, Settings},
    lookups::resources::Resources,
    needs,
    network::Network,
    plan::{Resource, World},
    respond::{Responder, Responses, places},
    rule::{Mode, Rule},
    validate::Compiler,
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
        let positions = &self.positions;
        self.respond.denied.retain(|it| positions.contains_key(it));
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

    /// Statuses of rules of which something else is missing than before.
    fn report_denied(&mut self, now: Now, out: &mut Outbox) {
        while let Some(key) = self.respond.denied.next_changed() {
            self.plan(|entry, _| entry.key == key, now, out);
        }
    }

    fn plan(&mut self, which: impl Fn(&Entry, &Resource) -> bool, now: Now, out: &mut Outbox) {
        for entry in self.rules.entries() {
            if let Some(resource) = self.resources.get_mut(&entry.key)
                && which(entry, resource)
            {
                resource.plan(
                    entry,
                    World { rules: &self.rules, sight: &self.audit.sight, denied: &self.respond.denied },
                    false,
                    now,
                    out,
                );
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
        if self.audit.take_change_of_passes() {
            self.respond.recount(now);
        }
        let (passes, objects) = (LazyCell::new(|| self.audit.passes()), out.objects());
        let passes = |namespace: &str| objects.map_or(0, |it| passes.in_namespace(namespace, it));
        self.respond.handle(input, passes, now, out);
        self.report_denied(now, out);
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
