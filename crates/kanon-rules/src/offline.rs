//! Rules without a cluster: what `kanon check` and editors use. The same store, snapshot and decision as in the family.

use std::{collections::BTreeSet, fmt, sync::Arc};

use jiff::Timestamp;
use kanon_core::{Change, GroupVersionKind, Input, Kind, Mono, Now, Object, PolicyFile};
use kanon_lang::Language;
use kanon_plane::{Actions, Family, Outbox};

use crate::{
    FAMILY,
    exceptions::{Exception, Listed},
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
    /// The rule's name, empty where it could not be read; or the exception's.
    pub rule: String,
    /// Whether it is about an exception.
    pub exception: bool,
    /// What it is; may have several lines.
    pub message: String,
    /// Whether the rule works all the same.
    pub warning: bool,
}

impl fmt::Display for Problem {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Problem { place, rule, exception, message, .. } = self;
        write!(out, "{} `{rule}` ({place}): {message}", if *exception { "exception" } else { "rule" })
    }
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
        let problems = rules.entries().iter().flat_map(problems_of);
        let problems =
            problems.chain(rules.exceptions().iter().flat_map(|it| problems_of_exception(it, &rules))).collect();
        (rules, problems)
    }

    /// Exceptions that cover nothing any more.
    pub fn expired_exceptions(&self, now: Timestamp) -> Vec<Problem> {
        self.exceptions_that(|it| {
            let at = it.expires().filter(|_| it.is_over(now))?;
            Some(format!("`expires`: the exception ended at {at}, and covers nothing any more"))
        })
    }

    /// Exceptions that nobody has to think of again.
    pub fn endless_exceptions(&self) -> Vec<Problem> {
        self.exceptions_that(|it| {
            let text = "`expires`: is not set: an exception with an end is looked at again, one without is forgotten";
            it.expires().is_none().then(|| text.to_owned())
        })
    }

    fn exceptions_that(&self, says: impl Fn(&Exception) -> Option<String>) -> Vec<Problem> {
        let all = self.exceptions().iter().filter_map(|it| Some((it, says(it.exception.as_ref()?)?)));
        all.map(|(it, message)| problem_with(it, &message, true)).collect()
    }

    /// How many exceptions there are, those with mistakes and those that have ended, too.
    pub fn count_exceptions(&self) -> usize {
        self.exceptions().len()
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
    /// Rules and exceptions as objects.
    pub objects: &'s [(Arc<Kind>, Object)],
    /// Files of a folder.
    pub files: &'s [PolicyFile],
}

fn problems_of_exception(listed: &Listed, rules: &Rules) -> Vec<Problem> {
    let mistakes = listed.problem.iter().map(|it| problem_with(listed, it, false));
    let remarks = listed.remarks(rules.entries());
    mistakes.chain(remarks.iter().map(|it| problem_with(listed, it, true))).collect()
}

fn problem_with(listed: &Listed, message: &str, warning: bool) -> Problem {
    let (place, rule) = (listed.key.name.clone(), listed.policy.name.clone());
    Problem { place, rule, exception: true, message: message.to_owned(), warning }
}

fn problems_of(entry: &Entry) -> Vec<Problem> {
    let make = |message: &str, warning| Problem {
        place: entry.key.name.clone(),
        rule: entry.policy.name.clone(),
        exception: false,
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
