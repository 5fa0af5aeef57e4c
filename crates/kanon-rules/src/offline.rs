//! Rules without a cluster: what `kanon check` and editors use. The same store, snapshot and decision as in the family.

use std::{collections::BTreeSet, sync::Arc};

use kanon_core::{Change, GroupVersionKind, Input, Kind, Mono, Now, Object, PolicyFile};
use kanon_lang::Language;
use kanon_plane::{Actions, Family, Outbox};

use crate::{
    FAMILY,
    family::RulesFamily,
    index::{Entry, Rules, Settings, State},
    respond::{AlertScope, Responses},
    rule::{Mode, Rule},
    status::problem,
};

/// Something wrong, or hardly meant, in a rule document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// File, or document in it: `base.yaml#0`.
    pub place: String,
    /// The rule's name; empty where it could not be read.
    pub rule: String,
    /// What it is; may have several lines.
    pub message: String,
    /// Whether the rule works all the same.
    pub warning: bool,
}

impl Rules {
    /// The rules of policy files, and everything wrong with them, in file order. Broken rules take no part. Whoever asks
    /// names the loops, so all of them count as running. Actions are held against `actions`, unless there is none.
    pub fn from_documents(
        files: &[PolicyFile],
        language: Arc<dyn Language>,
        settings: Settings,
        actions: Actions,
    ) -> (Arc<Rules>, Vec<Problem>) {
        Rules::from_sources(&Sources { files, ..Sources::default() }, language, settings, actions)
    }

    /// The same of objects and files together, with their precedence.
    pub fn from_sources(
        sources: &Sources<'_>,
        language: Arc<dyn Language>,
        settings: Settings,
        actions: Actions,
    ) -> (Arc<Rules>, Vec<Problem>) {
        let loops = vec![Mode::Admission, Mode::Audit, Mode::Network, Mode::Runtime];
        // The sinks of the process that will run the rules are not known here.
        let responses = Responses { alerts: Some(AlertScope::default()), ..Responses::default() };
        let mut family =
            RulesFamily::new(language, Settings { loops, ..settings }).with_actions(actions).with_responses(responses);
        // Files have no status, so the moment is not seen anywhere; the status of objects is not written here.
        let now = Now::new(jiff::Timestamp::UNIX_EPOCH, Mono::default());
        if !sources.served.is_empty() {
            let kinds = sources.served.into();
            family.handle(&Input::Resources { kinds }, now, &mut Outbox::new(FAMILY));
        }
        for (kind, object) in sources.objects {
            let input = Input::Object { kind: Arc::clone(kind), change: Change::Applied, object: object.clone() };
            family.handle(&input, now, &mut Outbox::new(FAMILY));
        }
        family.handle_folder(sources.files, &[], now, &mut Outbox::new(FAMILY));
        let rules = family.rules().clone();
        let problems = rules.entries().iter().flat_map(problems_of).collect();
        (rules, problems)
    }

    /// The kinds that the rules in force are about.
    pub fn kinds(&self) -> BTreeSet<GroupVersionKind> {
        self.active().flat_map(|it| it.matcher.kinds.iter().cloned()).collect()
    }

    /// Of every policy whose rule can be read: the namespace that it is confined to, and its name.
    pub fn names(&self) -> impl Iterator<Item = (Option<&str>, &str)> {
        self.entries().iter().filter_map(|it| it.rule.as_ref()).map(|it| (it.home.as_deref(), it.name.as_str()))
    }

    /// Every rule that can be read, parked ones too, with the place of its document.
    pub fn placed(&self) -> impl Iterator<Item = (&str, &Rule)> {
        self.entries().iter().filter_map(|it| Some((it.key.name.as_str(), it.rule.as_deref()?)))
    }

    /// The kinds that the rules in force look things up of.
    pub fn looked_up(&self) -> BTreeSet<GroupVersionKind> {
        let active = self.entries().iter().filter(|it| it.state.is_active());
        active.flat_map(|it| it.lookups.iter().cloned()).collect()
    }
}

/// Where rules come from.
#[derive(Clone, Copy, Default)]
pub struct Sources<'s> {
    /// Every kind that the API server serves, where one was asked: how rules name the resources that they look up.
    pub served: &'s [Kind],
    /// PortalClusterRules and PortalRules.
    pub objects: &'s [(Arc<Kind>, Object)],
    /// Files of a folder.
    pub files: &'s [PolicyFile],
}

fn problems_of(entry: &Entry) -> Vec<Problem> {
    let make = |message: &str, warning| Problem {
        place: entry.key.name.clone(),
        rule: entry.policy.name.clone(),
        message: message.to_owned(),
        warning,
    };
    let mut problems: Vec<_> = problem(entry).map(|it| make(it, false)).into_iter().collect();
    problems.extend(entry.rule.iter().flat_map(|it| it.remarks()).map(|it| make(it, true)));
    if let State::Replaced { .. } | State::NoMode = entry.state {
        problems.push(make(&entry.state.sentence(), true));
    }
    problems
}
