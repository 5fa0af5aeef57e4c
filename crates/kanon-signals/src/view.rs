//! What everybody else sees: the policies in force, and the two questions.

use std::sync::Arc;

use kanon_core::{Digest, FamilyId, Now, Review};
use kanon_lang::Language;
use kanon_plane::{AdmissionRule, Explanation, Lookups, PolicySummary, Reviewed, Section, Target, View};
use serde_json::{Value, json};

use crate::{
    APPROVAL_POLICY, CLASSIFICATION_POLICY, FAMILY, SIGNAL_MODES,
    api::{ApprovalInput, ClassificationInput},
    approve::{Approval, Approver},
    classify::{Classification, Classifier},
    memory::report,
    mode::SignalModes,
    place::Place,
    policy::{Compiled, Surface},
    slot::{Problem, Slot, State},
    validate,
};

/// The word for the signal modes, beside those of the two policies.
const MODES: &str = "modes";
/// What is said where nothing says why there is no policy.
const NOTHING: &str = "Policy file not found";

/// The signal modes in force.
#[derive(Clone, Debug)]
pub struct ModesState {
    /// The table.
    pub modes: SignalModes,
    /// Where it was found.
    pub place: Place,
    /// Why it is empty, when it should not be.
    pub problem: Option<String>,
    /// The text is another one by now; it counts from the next start on.
    pub stale: bool,
}

/// The family's snapshot: each policy with its hash, history and problems.
#[derive(Clone)]
pub struct SignalsView {
    /// Classification.
    pub classification: Arc<State<Classifier>>,
    /// Approval.
    pub approval: Arc<State<Approver>>,
    /// Signal modes.
    pub modes: Arc<ModesState>,
}

impl SignalsView {
    /// The policies of this version. `language` is Rego in the binary.
    pub fn built_in(language: &dyn Language) -> SignalsView {
        SignalsView {
            classification: Slot::built_in(language, CLASSIFICATION_POLICY).state,
            approval: Slot::built_in(language, APPROVAL_POLICY).state,
            modes: Arc::new(ModesState::built_in()),
        }
    }

    /// The same with another policy in the place of one: how offline commands ask about a file. A text that compiles is
    /// asked, even one that [`crate::check`] would not let come into force; any other, or none, leaves no policy at all.
    #[must_use]
    pub fn with_policy(
        mut self,
        language: &dyn Language,
        surface: Surface,
        path: &str,
        text: Result<&[u8], String>,
        now: Now,
    ) -> SignalsView {
        let place = Place::File { path: path.to_owned() };
        match surface {
            Surface::Classification => self.classification = state(language, text, place, now),
            Surface::Approval => self.approval = state(language, text, place, now),
        }
        self
    }

    /// The same with other signal modes.
    #[must_use]
    pub fn with_modes(mut self, modes: SignalModes, path: &str) -> SignalsView {
        let place = Place::File { path: path.to_owned() };
        self.modes = Arc::new(ModesState { modes, place, problem: None, stale: false });
        self
    }

    /// What a signal is (1.1).
    pub fn classify(&self, input: &ClassificationInput, now: Now) -> Classification {
        match &self.classification.active {
            Some(policy) => policy.queries.classify(input, policy.hash, now),
            None => Classification::not_loaded(input, &why(&self.classification)),
        }
    }

    /// Whether a person must approve (3.1).
    pub fn decide(&self, input: &ApprovalInput, now: Now) -> Approval {
        match &self.approval.active {
            Some(policy) => policy.queries.decide(input, policy.hash, now),
            None => Approval::not_loaded(&why(&self.approval)),
        }
    }
}

impl ModesState {
    pub(crate) fn built_in() -> ModesState {
        let (modes, problem) = match SignalModes::parse(SIGNAL_MODES) {
            Ok(modes) => (modes, None),
            Err(error) => (SignalModes::default(), Some(error.to_string())),
        };
        ModesState { modes, place: Place::BuiltIn, problem, stale: false }
    }
}

fn state<Q: Compiled>(language: &dyn Language, text: Result<&[u8], String>, place: Place, now: Now) -> Arc<State<Q>> {
    let compiled = match text {
        Ok(text) => validate::compile(language, text, place.clone())
            .map_err(|problems| (Some(Digest::of(&[text])), problems.join("\n"))),
        Err(missing) => Err((None, missing)),
    };
    let (since, newest, gone) = (now.rfc3339(), None, false);
    let state = match compiled {
        Ok(loaded) => {
            let active = Some(Arc::new(loaded));
            State { active, problem: None, reloads: 1, errors: 0, loaded_at: since, newest, gone }
        }
        Err((hash, message)) => {
            let problem = Some(Problem { place, hash, message, since });
            State { active: None, problem, reloads: 0, errors: 1, loaded_at: String::new(), newest, gone }
        }
    };
    Arc::new(state)
}

fn why<Q>(state: &State<Q>) -> String {
    state.problem.as_ref().map_or_else(|| NOTHING.to_owned(), |it| it.decision())
}

impl View for SignalsView {
    fn family(&self) -> FamilyId {
        FAMILY
    }

    fn admission_rules(&self) -> Vec<AdmissionRule> {
        Vec::new()
    }

    fn review(&self, _: &Review, _: &dyn Lookups, _: Now) -> Reviewed {
        Reviewed { verdicts: Vec::new(), counts: Arc::new(()) }
    }

    fn policies(&self) -> Vec<PolicySummary> {
        let modes = &self.modes;
        vec![
            summary(Surface::Classification, &self.classification),
            summary(Surface::Approval, &self.approval),
            listed(&modes.place, MODES, modes.problem.is_none(), modes.problem.clone().unwrap_or_default()),
        ]
    }

    fn explain(&self, target: &Target, _: Now) -> Option<Explanation> {
        let is = |word: &str| target.kind.eq_ignore_ascii_case(word);
        let by_word = is("signals") || is("signal");
        let by_map = is("configmap") || is("configmaps") || is("cm");
        let meant = |word: &str, place: Option<&Place>| match place {
            _ if by_word => target.name.eq_ignore_ascii_case(word),
            Some(Place::ConfigMap { namespace, name, .. }) if by_map => {
                target.name == *name && (target.namespace.is_empty() || target.namespace == *namespace)
            }
            _ => false,
        };
        if meant(Surface::Classification.as_str(), shown(&self.classification)) {
            return Some(explanation(Surface::Classification, &self.classification));
        }
        if meant(Surface::Approval.as_str(), shown(&self.approval)) {
            return Some(explanation(Surface::Approval, &self.approval));
        }
        meant(MODES, Some(&self.modes.place)).then(|| explain_modes(&self.modes))
    }
}

/// The place that a policy's state is about: that of the newest text.
fn shown<Q>(state: &State<Q>) -> Option<&Place> {
    let problem = state.problem.as_ref().map(|it| &it.place);
    problem.or(state.active.as_ref().map(|it| &it.place))
}

fn summary<Q>(surface: Surface, state: &State<Q>) -> PolicySummary {
    let problem = match (&state.problem, state.gone) {
        (Some(problem), _) => problem.line(),
        (None, true) => "its source is gone; it stays in force until the process ends".to_owned(),
        (None, false) => String::new(),
    };
    listed(shown(state).unwrap_or(&Place::BuiltIn), surface.as_str(), state.active.is_some(), problem)
}

fn listed(place: &Place, word: &str, active: bool, problem: String) -> PolicySummary {
    let (namespace, name) = match place {
        Place::ConfigMap { namespace, name, .. } => (namespace.clone(), name.clone()),
        Place::File { path } => (String::new(), path.clone()),
        Place::BuiltIn => (String::new(), word.to_owned()),
    };
    PolicySummary { kind: place.kind().to_owned(), namespace, name, active, problem }
}

fn explanation<Q>(surface: Surface, state: &State<Q>) -> Explanation {
    let word = surface.as_str();
    let mut rows = Vec::new();
    let mut row = |head: &str, text: String| rows.push(vec![head.to_owned(), text]);
    let headline = match (&state.active, &state.problem) {
        (Some(active), None) if state.gone => {
            format!("the {word} policy of {} is in force, although that is gone", active.place)
        }
        (Some(active), None) => format!("the {word} policy of {} is in force", active.place),
        (Some(active), Some(problem)) => format!(
            "the {word} policy of {} is broken; the last good one, {}, stays in force",
            problem.place,
            active.hash.short()
        ),
        (None, Some(problem)) => format!("no {word} policy is in force: that of {} is broken", problem.place),
        (None, None) => format!("no {word} policy is in force"),
    };
    if let Some(active) = &state.active {
        row("source", active.place.to_string());
        row("hash", active.hash.to_string());
        if !state.loaded_at.is_empty() {
            row("loaded", state.loaded_at.clone());
        }
    }
    row("reloads", state.reloads.to_string());
    row("errors", state.errors.to_string());
    for warning in state.active.iter().flat_map(|it| &it.warnings) {
        row("warning", warning.clone());
    }
    let mut sections = vec![Section { title: String::new(), columns: Vec::new(), rows }];
    if let Some(problem) = &state.problem {
        let mut rows = vec![vec!["source".to_owned(), problem.place.to_string()]];
        if let Some(hash) = &problem.hash {
            rows.push(vec!["hash".to_owned(), hash.to_string()]);
        }
        rows.push(vec!["since".to_owned(), problem.since.clone()]);
        let lines = problem.message.lines().enumerate();
        rows.extend(lines.map(|(at, line)| {
            let head = if at == 0 { "why" } else { "" };
            vec![head.to_owned(), line.to_owned()]
        }));
        sections.push(Section { title: "Not in force".to_owned(), columns: Vec::new(), rows });
    }
    let mut data = report(state);
    data.insert("policy".to_owned(), json!(word));
    data.insert("text".to_owned(), json!(state.active.as_ref().map(|it| it.text.to_string())));
    Explanation { headline, sections, data: Value::Object(data) }
}

fn explain_modes(state: &ModesState) -> Explanation {
    let count = state.modes.iter().count();
    let headline = match (&state.problem, state.stale) {
        (Some(problem), _) => {
            format!("the signal modes of {} are broken, every signal is reactive: {problem}", state.place)
        }
        (None, true) => {
            format!("{count} signals are proactive; {} was changed and counts from the next start on", state.place)
        }
        (None, false) => format!("{count} signals are proactive, by {}", state.place),
    };
    let rows = state.modes.iter().map(|(name, base)| vec![name.to_owned(), base.to_owned()]).collect();
    let columns = vec!["PROACTIVE SIGNAL".to_owned(), "FORETELLS".to_owned()];
    let table: serde_json::Map<_, _> = state.modes.iter().map(|(name, base)| (name.to_owned(), json!(base))).collect();
    let data = json!({
        "policy": MODES, "source": state.place.to_string(), "hash": state.modes.hash, "stale": state.stale,
        "problem": state.problem, "proactive": table,
    });
    Explanation { headline, sections: vec![Section { title: String::new(), columns, rows }], data }
}
