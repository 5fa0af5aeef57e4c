//! The rights that the rules in force need, each with the rules that it is for: what they are about and look up, what their actions do,
//! and what is written about them. Nothing else is asked for; a Secret only where a rule reads it or an action takes tokens away.

use std::collections::BTreeSet;

use kanon_core::{GroupVersionKind, Kind};
use kanon_plane::{Actions, Need, Needs, Right};

use crate::{
    api,
    audit::sight::{is_about_stored, observed},
    index::{Entry, Rules},
    respond::Responses,
    rule::{Mode, Rule, Work},
};

/// What the rules need where violations are answered as `responses` says.
pub(crate) fn needs(rules: &Rules, responses: &Responses, actions: &Actions) -> Needs {
    let mut needs = Needs::default();
    for kind in [api::cluster_rule(), api::portal_rule()] {
        needs.add_status(&kind, "statuses of rules");
    }
    for kind in [api::cluster_exception(), api::exception()] {
        needs.add_status(&kind, "statuses of exceptions");
    }
    for kind in responses.reports.iter().flat_map(|it| [it.of_namespace(), it.of_cluster()]) {
        needs.add_apply(&kind, &[], None, "policy reports");
    }
    needs.add_events("what becomes of rules");
    for entry in rules.entries().iter().filter(|it| it.state.is_active()) {
        let Some(rule) = &entry.rule else { continue };
        let mut of_rule = OfRule { rules, entry, rule, needs: &mut needs };
        of_rule.reads();
        if !responses.dry_run {
            of_rule.acts(actions, &responses.namespace);
        }
        of_rule.unknown();
    }
    needs
}

/// One rule in force.
struct OfRule<'r> {
    rules: &'r Rules,
    entry: &'r Entry,
    rule: &'r Rule,
    needs: &'r mut Needs,
}

impl OfRule<'_> {
    fn reads(&mut self) {
        let (rules, entry, rule) = (self.rules, self.entry, self.rule);
        let of_stored = is_about_stored(entry, rules).then(|| entry.own().keys().chain(entry.needs().keys()));
        let observes = rules.settings.loops.contains(&Mode::Runtime);
        let of_events = observes.then(|| observed(rule)).into_iter().flatten();
        let looked_up = entry.lookups.iter().chain(of_events);
        let kinds: BTreeSet<_> = of_stored.into_iter().flatten().chain(looked_up).collect();
        let reason = self.reason();
        for kind in kinds.into_iter().filter_map(|it| rules.resources.kind(it)) {
            self.needs.add_watch(kind, &reason);
        }
        // In admission these are read from the API server itself.
        let asks = rule.modes.contains(&Mode::Admission) && rules.settings.loops.contains(&Mode::Admission);
        if asks && rule.referenced.live {
            for kind in entry.lookups.iter().filter_map(|it| rules.resources.kind(it)) {
                for verb in ["get", "list"] {
                    self.needs.add(Right::new(verb, &kind.gvk.group, &kind.plural), &reason);
                }
            }
        }
    }

    /// `home` is the namespace that the process runs in.
    fn acts(&mut self, actions: &Actions, home: &str) {
        let loops = self.entry.active_on(&self.rules.settings.loops);
        let kinds = self.rule.matcher.kinds.iter().filter_map(|it| self.rules.resources.kind(it));
        let objects: Vec<_> = kinds.map(|it| Right::new("", &it.gvk.group, &it.plural)).collect();
        for response in &self.rule.responses {
            let on = &response.spec.on;
            let runs = on.is_empty() || on.iter().any(|it| loops.contains(it));
            let Work::Run { id, .. } = response.work else { continue };
            let Some(action) = actions.get(id).filter(|_| runs) else { continue };
            let reason = format!("action {id} of {}", self.reason());
            let params = &response.spec.params;
            let rights = action.rights(params, &objects).into_iter().chain(action.reads(params, &objects));
            for right in rights.collect::<Vec<_>>() {
                let namespace = self.rule.home.clone();
                self.needs.rights.insert(Need { right, names: Vec::new(), namespace, reason: reason.clone() });
            }
            if let Some(map) = action.notes_in(params) {
                self.notes(map, home, &reason);
            }
        }
    }

    /// A ConfigMap of its own. The name of what is yet to be created is not known to authorization.
    fn notes(&mut self, map: &str, home: &str, reason: &str) {
        for (verb, names) in [("create", &[][..]), ("get", &[map.to_owned()]), ("patch", &[map.to_owned()])] {
            let (right, namespace) = (Right::new(verb, "", "configmaps"), Some(home.to_owned()));
            self.needs.rights.insert(Need { right, names: names.to_vec(), namespace, reason: reason.to_owned() });
        }
    }

    /// What no rights can be given for yet.
    fn unknown(&mut self) {
        let unserved = |it: &&GroupVersionKind| self.rules.resources.kind(it).is_none();
        let named = |it: &GroupVersionKind| format!("{} {}", it.api_version(), it.kind);
        let kinds = self.rule.matcher.kinds.iter().filter(unserved).map(named);
        let lookups = self.entry.unknown.iter().map(|it| format!("`cluster.{it}`"));
        let reason = self.reason();
        let sentences = kinds.chain(lookups).map(|it| format!("{reason}: no definition of {it} is known"));
        self.needs.unknown.extend(sentences);
    }

    fn reason(&self) -> String {
        let Rule { name, home, .. } = self.rule;
        match home {
            Some(home) => format!("rule {home}/{name}"),
            None => format!("rule {name}"),
        }
    }
}

/// The kinds without which rules decide wrongly: reports only remember, and the brake holds where nothing is known of it.
pub(crate) fn awaited() -> Vec<Kind> {
    vec![api::cluster_rule(), api::portal_rule(), api::cluster_exception(), api::exception()]
}
