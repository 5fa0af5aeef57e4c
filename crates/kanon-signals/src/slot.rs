//! One policy's texts and what is in force of them (spec/signal-approval 5.2, 5.3): the first place that has a text counts; a
//! text is tried once; a broken one never replaces a good one; one that goes away leaves what it brought.

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use kanon_core::{Digest, Now};
use kanon_lang::Language;

use crate::{
    memory::Remembered,
    place::Place,
    policy::{Compiled, Loaded},
    validate,
};

/// What a place holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Text {
    /// The policy; none where the place is there and has no text.
    pub policy: Option<Bytes>,
    /// Its own examples.
    pub tests: Option<Bytes>,
}

impl Text {
    /// Tells texts apart; with the examples, since they decide too.
    fn digest(&self) -> Digest {
        let part = |it: &Option<Bytes>| it.clone().unwrap_or_default();
        let (policy, tests) = (part(&self.policy), part(&self.tests));
        let mark = [u8::from(self.policy.is_some()), u8::from(self.tests.is_some())];
        Digest::of(&[&mark, &(policy.len() as u64).to_be_bytes(), &policy, &tests])
    }
}

/// Why the newest text is not in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where that text is.
    pub place: Place,
    /// SHA-256 of its policy; none where it has none.
    pub hash: Option<Digest>,
    /// Every reason, by lines.
    pub message: String,
    /// When it was found.
    pub since: String,
}

impl Problem {
    /// The words that a decision without policy begins with (3.4).
    pub(crate) fn decision(&self) -> String {
        let kind = if self.hash.is_some() { "Policy compilation failed" } else { "Policy file not found" };
        format!("{kind}: {}: {}", self.place, self.line())
    }

    /// The message in one line.
    pub(crate) fn line(&self) -> String {
        let lines = self.message.lines().map(str::trim).filter(|it| !it.is_empty() && !it.starts_with('|'));
        lines.collect::<Vec<_>>().join("; ")
    }
}

/// What is in force, what is wrong, and how it came to be: one immutable snapshot.
#[derive(Clone, Debug)]
pub struct State<Q> {
    /// The policy in force; none where no good one is known.
    pub active: Option<Arc<Loaded<Q>>>,
    /// What is wrong with the newest text.
    pub problem: Option<Problem>,
    /// Texts that came into force; the first one is 1.
    pub reloads: u64,
    /// Texts that did not.
    pub errors: u64,
    /// When the policy in force came into force; empty for the built-in one.
    pub loaded_at: String,
    /// Digest of the newest text that was tried.
    pub(crate) newest: Option<Digest>,
    /// The place of the policy in force is gone.
    pub gone: bool,
}

/// What became of a change.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Outcome {
    /// Nothing that was not known.
    Unchanged,
    /// Something to show, nothing to tell.
    Noted,
    /// A text came into force, in place of the policy with this hash.
    Loaded { place: Place, hash: Digest, before: Option<Digest> },
    /// A text did not.
    Rejected { place: Place, message: String },
}

/// A policy with all its places.
pub(crate) struct Slot<Q> {
    texts: BTreeMap<Place, Text>,
    /// Whether all places were seen; before, texts are only gathered.
    settled: bool,
    pub state: Arc<State<Q>>,
}

impl<Q: Compiled + Clone> Slot<Q> {
    /// The built-in policy in force.
    pub(crate) fn built_in(language: &dyn Language, text: &str) -> Slot<Q> {
        // Its tests try it out; here it need only compile.
        let compiled = validate::compile::<Q>(language, text.as_bytes(), Place::BuiltIn);
        let (active, problem) = match compiled {
            Ok(loaded) => (Some(Arc::new(loaded)), None),
            Err(problems) => {
                let (message, since) = (problems.join("\n"), String::new());
                let hash = Some(Digest::of(&[text.as_bytes()]));
                (None, Some(Problem { place: Place::BuiltIn, hash, message, since }))
            }
        };
        let state =
            State { active, problem, reloads: 0, errors: 0, loaded_at: String::new(), newest: None, gone: false };
        Slot { texts: BTreeMap::new(), settled: false, state: Arc::new(state) }
    }

    /// A place has this text now, or is gone.
    pub(crate) fn put(&mut self, place: &Place, text: Option<Text>) {
        // A ConfigMap that was made anew has another UID.
        self.texts.retain(|it, _| !it.is_same(place));
        if let Some(text) = text {
            self.texts.insert(place.clone(), text);
        }
    }

    /// Forgets the files that are not among these.
    pub(crate) fn retain_files(&mut self, keep: &[Place]) {
        self.texts.retain(|it, _| !matches!(it, Place::File { .. }) || keep.contains(it));
    }

    /// All places were seen: the first text is taken, with what is remembered of it.
    pub(crate) fn settle(
        &mut self,
        language: &dyn Language,
        remembered: impl FnOnce(&Place) -> Option<Remembered>,
        now: Now,
    ) -> Outcome {
        if self.settled {
            return Outcome::Unchanged;
        }
        self.settled = true;
        let Some((place, text)) = self.texts.first_key_value() else { return Outcome::Unchanged };
        let known = remembered(place);
        let digest = text.digest();
        // The built-in policy is no last good one of a place that has its own: what is not known is not guessed.
        let mut before = State { active: None, problem: None, ..(*self.state).clone() };
        if let Some(known) = &known {
            (before.reloads, before.errors) = (known.reloads, known.errors);
            before.loaded_at.clone_from(&known.loaded_at);
            let good = known.good.as_ref();
            let good = good.and_then(|it| validate::compile::<Q>(language, it.as_bytes(), place.clone()).ok());
            before.active = good.map(Arc::new);
            if known.newest == Some(digest) {
                return self.resume(before, place.clone(), text.clone(), known.since.clone(), language, now);
            }
        }
        self.state = Arc::new(before);
        self.refresh(language, now)
    }

    /// The text was tried by an earlier process: the counts go on, and nothing is news.
    fn resume(
        &mut self,
        mut state: State<Q>,
        place: Place,
        text: Text,
        since: String,
        language: &dyn Language,
        now: Now,
    ) -> Outcome {
        state.newest = Some(text.digest());
        match take::<Q>(language, &text, &place, now) {
            Ok(loaded) => state.active = Some(Arc::new(loaded)),
            Err(message) => state.problem = Some(problem(place, &text, message, since)),
        }
        self.state = Arc::new(state);
        Outcome::Noted
    }

    /// Looks at the first text, if it is another one.
    pub(crate) fn refresh(&mut self, language: &dyn Language, now: Now) -> Outcome {
        if !self.settled {
            return Outcome::Unchanged;
        }
        let built_in = self.state.active.as_ref().is_some_and(|it| it.place == Place::BuiltIn);
        let Some((place, text)) = self.texts.first_key_value() else {
            // What a place brought stays when the place goes.
            if self.state.gone || (built_in && self.state.problem.is_none()) {
                return Outcome::Unchanged;
            }
            // A broken text that comes back is looked at again; a good one is known.
            let newest = self.state.newest.filter(|_| self.state.problem.is_none());
            self.state = Arc::new(State { gone: !built_in, problem: None, newest, ..(*self.state).clone() });
            return Outcome::Noted;
        };
        let (place, text, digest) = (place.clone(), text.clone(), text.digest());
        let shown = self.state.active.as_ref().map(|it| &it.place);
        let tried = self.state.problem.as_ref().map(|it| &it.place).or(shown);
        if self.state.newest == Some(digest) && tried.is_some_and(|it| it.is_same(&place)) {
            return if self.state.gone { self.back() } else { Outcome::Unchanged };
        }
        let mut state = State { gone: false, newest: Some(digest), problem: None, ..(*self.state).clone() };
        let before = state.active.as_ref().map(|it| it.hash);
        let outcome = match take::<Q>(language, &text, &place, now) {
            Ok(loaded) => {
                let hash = loaded.hash;
                state.active = Some(Arc::new(loaded));
                state.reloads += 1;
                state.loaded_at = now.wall.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string();
                Outcome::Loaded { place, hash, before }
            }
            Err(message) => {
                state.errors += 1;
                state.problem = Some(problem(place.clone(), &text, message.clone(), now.rfc3339()));
                Outcome::Rejected { place, message }
            }
        };
        self.state = Arc::new(state);
        outcome
    }

    fn back(&mut self) -> Outcome {
        self.state = Arc::new(State { gone: false, ..(*self.state).clone() });
        Outcome::Noted
    }
}

fn take<Q: Compiled>(language: &dyn Language, text: &Text, place: &Place, now: Now) -> Result<Loaded<Q>, String> {
    let Some(policy) = &text.policy else {
        return Err(format!("it has no key `{}`", Q::SURFACE.key()));
    };
    validate::load(language, policy, text.tests.as_deref(), place.clone(), now).map_err(|it| it.join("\n"))
}

fn problem(place: Place, text: &Text, message: String, since: String) -> Problem {
    Problem { place, hash: text.policy.as_ref().map(|it| Digest::of(&[it])), message, since }
}
