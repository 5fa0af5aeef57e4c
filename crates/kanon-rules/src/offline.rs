//! Rules without a cluster: what `kanon check` and editors use. The same store, snapshot and decision as in the family.

use std::sync::Arc;

use kanon_core::{Mono, Now, PolicyFile};
use kanon_lang::Language;
use kanon_plane::{Actions, Outbox};

use crate::{
    FAMILY,
    family::RulesFamily,
    index::{Entry, Rules, Settings, State},
    respond::{AlertScope, Responses},
    rule::Mode,
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
        let loops = vec![Mode::Admission, Mode::Audit, Mode::Network, Mode::Runtime];
        // The sinks of the process that will run the rules are not known here.
        let responses = Responses { alerts: Some(AlertScope::default()), ..Responses::default() };
        let mut family =
            RulesFamily::new(language, Settings { loops, ..settings }).with_actions(actions).with_responses(responses);
        // Files have no status, so the moment is not seen anywhere.
        let now = Now::new(jiff::Timestamp::UNIX_EPOCH, Mono::default());
        family.handle_folder(files, now, &mut Outbox::new(FAMILY));
        let rules = family.rules().clone();
        let problems = rules.entries().iter().flat_map(problems_of).collect();
        (rules, problems)
    }
}

fn problems_of(entry: &Entry) -> Vec<Problem> {
    let make = |message: &str, warning| Problem {
        place: entry.key.name.clone(),
        rule: entry.policy.name.clone(),
        message: message.to_owned(),
        warning,
    };
    let mut problems: Vec<_> = problem(entry).map(|it| make(it, false)).into_iter().collect();
    problems.extend(entry.rule.iter().flat_map(|it| &it.warnings).map(|it| make(it, true)));
    if let State::Replaced { .. } = entry.state {
        problems.push(make(&entry.state.sentence(), true));
    }
    problems
}
