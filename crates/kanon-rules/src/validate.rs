//! From the wire to a checked [`Rule`]: every mistake a user can make, with its field path. The only way to get a rule.
//!
//! Mistakes keep a revision out of force. Things that work but hardly as meant (unknown keys, a `rateLimit` that is no
//! rate) are warnings of the rule.

mod actions;
mod cases;
mod facade;
pub(crate) mod keys;
mod runtime;

use std::{collections::BTreeSet, str::FromStr, sync::Arc, time::Duration};

use kanon_core::GroupVersionKind;
use kanon_lang::{Environment, Language, Options, Program};
use kanon_plane::{Action, Actions, Params};
use serde_json::Value;

use crate::{
    api::{
        self,
        crds::{EXPRESSION_LEN_MAX, KINDS_MAX, NAME_LEN_MAX},
    },
    facts::{VARIABLES, pod::PodShapes, slot},
    lookups::{Referenced, resources::ANY},
    message::Message,
    narrow::Narrow,
    reads::ObjectReads,
    rule::{ExceptionScope, Matcher, Mode, OnError, Preexisting, Rule, UnknownWord},
};

pub use cases::Cases;
pub(crate) use cases::without_cases;
pub(crate) use keys::restore_on;

/// What compiles rules: the language and the names that expressions may use.
#[derive(Clone)]
pub(crate) struct Compiler {
    language: Arc<dyn Language>,
    env: Environment,
    /// Which kinds make pods.
    shapes: PodShapes,
    /// What this process can do; empty where rules are only looked at.
    pub(crate) actions: Actions,
    /// Whether there is an Alertmanager.
    pub(crate) alerts: bool,
    /// Actions that run only where this says so; `None` for all.
    pub(crate) allowed: Option<BTreeSet<String>>,
    /// Receivers by HTTP; `None` where nobody knows which there are.
    pub(crate) hooks: Option<BTreeSet<String>>,
}

impl Compiler {
    pub(crate) fn new(language: Arc<dyn Language>, shapes: PodShapes) -> Compiler {
        Compiler {
            language,
            shapes,
            env: Environment::new(VARIABLES),
            actions: Actions::new(),
            alerts: false,
            allowed: None,
            hooks: None,
        }
    }

    /// What compiles.
    pub(crate) fn language(&self) -> Arc<dyn Language> {
        Arc::clone(&self.language)
    }

    /// The word by which an administrator would have to allow an action, and has not.
    fn lacks_leave(&self, action: &dyn Action, params: &Params) -> Option<&'static str> {
        let allowed = self.allowed.as_ref()?;
        action.leave(params).filter(|it| !allowed.contains(*it))
    }
}

/// Checks and compiles the fields of `spec`; `home` is the namespace of a PortalRule.
///
/// # Errors
/// Every mistake, one a line, each with its field path; compile errors begin with `compile: ` (spec/rules 2.1). A rule
/// that is switched off is never an error: it is parked, with its mistakes noted in [`Rule::problem`].
pub(crate) fn validate(spec: &Value, home: Option<&str>, compiler: &Compiler) -> Result<Rule, String> {
    let mut mistakes = Mistakes::default();
    let unknown = keys::unknown(spec);
    let mut spec = keys::without_nulls(spec);
    keys::restore_on(&mut spec);
    let wire: api::RuleSpec = match serde_path_to_error::deserialize(&spec) {
        Ok(wire) => wire,
        Err(error) => {
            mistakes.add(error.path().to_string(), error.inner());
            // The kill switch counts even where another field cannot be read.
            let name = spec["name"].as_str().unwrap_or_default().to_owned();
            api::RuleSpec { name, enabled: spec["enabled"] != Value::Bool(false), ..api::RuleSpec::default() }
        }
    };
    let readable = mistakes.list.is_empty();
    let mut rule = check(&wire, home, compiler, &mut mistakes, readable);
    rule.warnings.splice(..0, unknown);
    rule.tests = Cases::of(&spec);
    match (mistakes.list.is_empty(), wire.enabled) {
        (true, _) => Ok(rule),
        (false, true) => Err(mistakes.list.join("\n")),
        (false, false) => Ok(Rule { problem: Some(mistakes.list.join("\n")), ..rule }),
    }
}

/// Collects mistakes as `path: what is wrong`.
#[derive(Default)]
pub(crate) struct Mistakes {
    pub(crate) list: Vec<String>,
}

impl Mistakes {
    pub(crate) fn add(&mut self, path: impl Into<String>, what: impl ToString) {
        let path = path.into();
        self.list.push(if path == "." { what.to_string() } else { format!("`{path}`: {}", what.to_string()) });
    }

    /// Reads a word; the empty one is none.
    pub(crate) fn word<T: FromStr<Err = UnknownWord>>(&mut self, path: &str, text: &str) -> Option<T> {
        if text.is_empty() {
            return None;
        }
        text.parse().map_err(|it| self.add(path, it)).ok()
    }

    /// Reads a list of modes, each once.
    pub(crate) fn modes(&mut self, path: &str, list: &[String]) -> Vec<Mode> {
        let mut modes = Vec::new();
        for (at, text) in list.iter().enumerate() {
            match text.parse() {
                Ok(mode) if !modes.contains(&mode) => modes.push(mode),
                Ok(_) => {}
                Err(error) => self.add(format!("{path}[{at}]"), error),
            }
        }
        modes
    }
}

/// Checks field by field. What `readable` says: the wire form is whole, so its absent fields are absent for the user too.
fn check(
    wire: &api::RuleSpec,
    home: Option<&str>,
    compiler: &Compiler,
    mistakes: &mut Mistakes,
    readable: bool,
) -> Rule {
    let mut warnings = Vec::new();
    let program = if readable {
        check_name(&wire.name, mistakes);
        check_expression(&wire.rule, compiler, mistakes)
    } else {
        None
    };
    let mut matcher = check_matcher(&wire.matcher, mistakes, readable);
    matcher.narrow = Narrow::of(&wire.matcher, &wire.container_types, mistakes);
    let message = if wire.message.is_empty() {
        Message::of_rule(&wire.name)
    } else {
        let message = Message::parse(&wire.message, &*compiler.language, &compiler.env);
        message.map_err(|it| mistakes.add("message", it)).unwrap_or_else(|()| Message::of_rule(&wire.name))
    };
    let reads = Reading::of(program.as_deref(), &message);
    if reads.referenced.computed {
        let text = "reads `cluster` by a name that is computed: name the resource in the text, so that it is watched";
        warnings.push(text.to_owned());
    }
    // A rule that names types of containers is about containers, whether it reads them or not.
    let per_container = reads.container || !wire.container_types.is_empty();
    let programs = program.iter().chain(message.programs());
    let stored = ObjectReads::of(programs.flat_map(|it| &it.reads().paths), per_container, reads.network);
    let modes = mistakes.modes("mode", &wire.mode);
    if reads.network && !modes.is_empty() && !modes.contains(&Mode::Network) {
        warnings.push("reads `network`, which is nil in every loop but `network`: add that to `mode`".to_owned());
    }
    let paths = program.as_deref().map_or(&[][..], |it| &it.reads().paths);
    warnings.extend(facade::warnings(paths, &matcher.kinds, &compiler.shapes));
    let modes = mistakes.modes("mode", &wire.mode);
    let events = runtime::check(&wire.runtime, &modes, mistakes, &mut warnings);
    let actions = actions::check(wire, home.is_some(), mistakes, &mut warnings);
    Rule {
        name: wire.name.clone(),
        home: home.map(str::to_owned),
        enabled: wire.enabled,
        severity: mistakes.word("severity", &wire.severity),
        modes,
        enforcement: mistakes.word("enforcementAction", &wire.enforcement_action),
        matcher,
        events,
        expression: wire.rule.clone(),
        program,
        problem: None,
        on_error: mistakes.word("onError", &wire.on_error).unwrap_or(OnError::Skip),
        preexisting: mistakes.word("preexisting", &wire.preexisting).unwrap_or(Preexisting::Enforce),
        exceptions: mistakes.word("exceptions", &wire.exceptions).unwrap_or(ExceptionScope::Cluster),
        resolve_after: check_time(&wire.resolve_after, mistakes),
        message,
        responses: actions::prepare(&actions, compiler, &mut warnings),
        actions,
        tests: Cases::default(),
        warnings,
        reads_object: reads.object,
        per_container,
        reads_operation: reads.operation,
        reads_clock: reads.clock,
        reads_network: reads.network,
        referenced: reads.referenced,
        reads: stored,
    }
}

fn check_name(name: &str, mistakes: &mut Mistakes) {
    if name.is_empty() {
        mistakes.add("name", "is required");
    } else if name.len() > NAME_LEN_MAX {
        mistakes.add("name", format!("has {} bytes, at most {NAME_LEN_MAX} are allowed", name.len()));
    }
}

/// Longest `resolveAfter`: what is clean for a day is clean.
const RESOLVE_AFTER_MAX: Duration = Duration::from_hours(24);

fn check_time(text: &str, mistakes: &mut Mistakes) -> Duration {
    if text.is_empty() {
        return Duration::ZERO;
    }
    let time = text.parse::<jiff::SignedDuration>().ok().and_then(|it| Duration::try_from(it).ok());
    time.filter(|it| *it <= RESOLVE_AFTER_MAX).unwrap_or_else(|| {
        mistakes.add("resolveAfter", format!("`{text}` is not a time such as `90s` or `10m`, at most `24h`"));
        Duration::ZERO
    })
}

fn check_expression(text: &str, compiler: &Compiler, mistakes: &mut Mistakes) -> Option<Arc<dyn Program>> {
    if text.trim().is_empty() {
        mistakes.add("rule", "is required");
        return None;
    }
    if text.len() > EXPRESSION_LEN_MAX {
        mistakes.add("rule", format!("has {} bytes, at most {EXPRESSION_LEN_MAX} are allowed", text.len()));
        return None;
    }
    let options = Options { boolean: true, ..Options::default() };
    let program = compiler.language.compile(text, &compiler.env, &options);
    // First and without a path: `parseError` begins with `compile: ` (spec/rules 2.1).
    program.map_err(|it| mistakes.list.insert(0, format!("compile: {it}"))).ok()
}

/// Kinds and namespaces of `match`; `needs_kinds` says that it must name kinds.
pub(crate) fn check_matcher(wire: &api::MatcherSpec, mistakes: &mut Mistakes, needs_kinds: bool) -> Matcher {
    if needs_kinds && wire.gvk.is_empty() {
        mistakes.add("match.gvk", "is required: name at least one kind as {group, version, kind}");
    }
    if wire.gvk.len() > KINDS_MAX {
        mistakes.add("match.gvk", format!("has {} entries, at most {KINDS_MAX} are allowed", wire.gvk.len()));
    }
    let (mut kinds, mut patterns) = (Vec::new(), Vec::new());
    for (at, entry) in wire.gvk.iter().enumerate() {
        for (field, text) in [("version", &entry.version), ("kind", &entry.kind)] {
            if text.is_empty() {
                mistakes.add(format!("match.gvk[{at}].{field}"), "is required");
            }
        }
        let kind = GroupVersionKind::new(&entry.group, &entry.version, &entry.kind);
        let has_stars = [&entry.group, &entry.version, &entry.kind].into_iter().any(|it| it == ANY);
        let list = if has_stars { &mut patterns } else { &mut kinds };
        if !list.contains(&kind) {
            list.push(kind);
        }
    }
    let namespaces = &wire.namespaces;
    let (include, exclude) = (namespaces.include.clone(), namespaces.exclude.clone());
    Matcher { kinds, patterns, include, exclude, narrow: Narrow::default() }
}

/// Which variables decide how a rule is run.
#[derive(Default)]
struct Reading {
    container: bool,
    object: bool,
    operation: bool,
    clock: bool,
    network: bool,
    referenced: Referenced,
}

impl Reading {
    fn of(program: Option<&dyn Program>, message: &Message) -> Reading {
        let Some(program) = program else { return Reading::default() };
        let reads = program.reads();
        let operation = |path: &Vec<String>| {
            path.first().is_some_and(|it| it == "request") && path.get(1).is_none_or(|it| it == "operation")
        };
        // The name and the namespace are in the event too.
        let of_object = |path: &Vec<String>| {
            let names: Vec<_> = path.iter().map(String::as_str).collect();
            match names[..] {
                ["metadata", "name" | "namespace", ..] => false,
                [first, ..] => ["object", "metadata", "container", "spec", "securityContext"].contains(&first),
                [] => true,
            }
        };
        let paths = || reads.paths.iter().chain(message.programs().flat_map(|program| &program.reads().paths));
        Reading {
            object: paths().any(of_object),
            container: reads.variables.contains(&slot::CONTAINER) || message.reads(slot::CONTAINER),
            operation: reads.paths.iter().any(operation),
            clock: reads.clock,
            network: reads.variables.contains(&slot::NETWORK) || message.reads(slot::NETWORK),
            referenced: Referenced::of(paths()),
        }
    }
}
