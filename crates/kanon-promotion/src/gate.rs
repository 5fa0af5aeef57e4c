//! Gates: from the wire to something that can be asked (spec/promotion-gates 1.3).

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::{Arc, Mutex, PoisonError, Weak},
};

use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use kanon_lang::{Diagnostics, Language, Options, Program};

use crate::{
    api::{LabelSelector, PolicyGateSpec},
    duration, functions,
    references::{Grain, References, VARIABLES},
    window::zone,
};

/// Default of `spec.recheckInterval`.
pub const RECHECK: SignedDuration = SignedDuration::from_mins(5);

/// Names that are planned and not there: gates that use them are closed (7.10).
const PLANNED: [&str; 2] = ["delegation", "externalApproval"];

/// A gate that can be asked.
#[derive(Clone)]
pub struct Gate {
    /// CEL, as written.
    pub expression: String,
    /// For people.
    pub message: String,
    /// Polling fallback and freshness base.
    pub recheck: SignedDuration,
    /// When it is asked (2.3.3).
    pub when: When,
    /// Environments or patterns, besides those of its label and annotation.
    pub applies_to: Vec<String>,
    /// Pipelines it is restricted to.
    pub selector: Option<LabelSelector>,
    /// Recorded exceptions, in order.
    pub overrides: Vec<Override>,
    /// Zone of `schedule.local`.
    pub zone: TimeZone,
    /// Whether it only tells and never blocks.
    pub warn_only: bool,
    /// Inline unit tests, as written.
    pub tests: Vec<serde_json::Value>,
    /// The source's own flag, which has no effect.
    pub skip_permission: bool,
    /// What its expression mentions.
    pub references: Arc<References>,
    /// What of that changes by itself.
    pub times: Arc<Times>,
    /// The compiled expression.
    pub program: Arc<dyn Program>,
}

/// What makes an answer change without a change of facts, read from the text once.
#[derive(Clone, Debug)]
pub struct Times {
    /// How finely the clock is looked at.
    pub grain: Grain,
    /// Whether soak time is read.
    pub soak: bool,
    /// Windows that are looked at; all of them where none are named.
    pub windows: Option<BTreeSet<String>>,
    /// Metrics that can become stale.
    pub metrics: BTreeSet<String>,
}

impl Times {
    fn of(references: &References) -> Times {
        let owned = |it: BTreeSet<&str>| it.into_iter().map(str::to_owned).collect();
        Times {
            grain: references.grain(),
            soak: references.soak(),
            windows: match references.mentions("changewindow") {
                false => Some(BTreeSet::new()),
                true if references.windows_are_named() => Some(owned(references.windows())),
                true => None,
            },
            metrics: owned(references.metrics()),
        }
    }
}

/// `spec.when`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum When {
    /// Before the target's step is made.
    #[default]
    PostDeploy,
    /// Before the target's step starts its work.
    PreDeploy,
}

impl When {
    /// As the manifest has it.
    pub fn as_str(self) -> &'static str {
        match self {
            When::PostDeploy => "post-deploy",
            When::PreDeploy => "pre-deploy",
        }
    }
}

/// A recorded exception (2.8).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Override {
    /// Why.
    pub reason: String,
    /// Environment; empty for all.
    pub stage: String,
    /// Pipeline; empty for all.
    pub pipeline: String,
    /// Bundle; empty for all.
    pub bundle: String,
    /// Who.
    pub by: String,
    /// Last instant at which it counts; none counts as expired.
    pub expires_at: Option<Timestamp>,
    /// Whether it was taken back.
    pub revoked: bool,
}

/// Why a gate cannot be asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// The expression is no CEL, or uses what is not there.
    #[error("{0}")]
    Syntax(String),
    /// It uses a name that is planned.
    #[error("{0}")]
    Planned(String),
    /// It is CEL, and its result is no boolean.
    #[error("expression returned non-boolean: {0}")]
    NotBoolean(String),
    /// Another field makes no sense.
    #[error("{0}")]
    Field(String),
}

impl Problem {
    /// `status.reason`, for a template or an instance (2.5.4).
    pub fn reason(&self, template: bool) -> String {
        match self {
            Problem::Syntax(text) if template => format!("CEL syntax error: {text}"),
            Problem::Syntax(text) => format!("CEL compile error: {text}"),
            // Also where the checker finds it: the seed calls it an evaluation error.
            Problem::Planned(text) => format!("CEL evaluation error: {text}"),
            Problem::NotBoolean(_) => format!("CEL evaluation error: {self}"),
            Problem::Field(text) => format!("invalid gate: {text}"),
        }
    }
}

/// Compiles gates.
#[derive(Clone)]
pub struct Compiler {
    language: Arc<dyn Language>,
    environment: Arc<kanon_lang::Environment>,
    /// What gates that are there were made of: of thousands of instances, most have the text of their template.
    known: Arc<Mutex<BTreeMap<String, Known>>>,
}

/// An expression that some gate may still have.
struct Known(Weak<References>, Weak<Times>, Weak<dyn Program>);

/// The same while a gate has it.
type Shared = (Arc<References>, Arc<Times>, Arc<dyn Program>);

/// Expressions that no gate has any more are forgotten when so many more have come.
const FORGET_EVERY: usize = 1024;

impl Compiler {
    /// A compiler of gates in this language: CEL in the binary.
    pub fn new(language: Arc<dyn Language>) -> Compiler {
        Compiler { language, environment: Arc::new(functions::environment()), known: Arc::default() }
    }

    /// Checks a gate.
    ///
    /// # Errors
    /// The first thing that keeps it from being asked.
    pub fn gate(&self, spec: &PolicyGateSpec) -> Result<Gate, Problem> {
        let (references, times, program) = self.expression(&spec.expression)?;
        let zone = zone(&spec.timezone).map_err(|it| Problem::Field(format!("`spec.timezone` {it}")))?;
        let when = match spec.when.as_str() {
            "" | "post-deploy" => When::PostDeploy,
            "pre-deploy" => When::PreDeploy,
            other => {
                let text = format!("`spec.when` is `{other}`: write `pre-deploy` or `post-deploy`");
                return Err(Problem::Field(text));
            }
        };
        let exception = |it: &crate::api::OverrideSpec| Override {
            reason: it.reason.clone(),
            stage: it.stage.clone(),
            pipeline: it.pipeline.clone(),
            bundle: it.bundle.clone(),
            by: if it.created_by.is_empty() { "unknown".to_owned() } else { it.created_by.clone() },
            expires_at: it.expires_at.parse().ok(),
            revoked: !it.revoked_at.is_empty(),
        };
        Ok(Gate {
            expression: spec.expression.trim().to_owned(),
            message: spec.message.clone(),
            recheck: duration::positive(&spec.recheck_interval, RECHECK),
            when,
            applies_to: spec.applies_to.clone(),
            selector: spec.selector.clone(),
            overrides: spec.overrides.iter().map(exception).collect(),
            zone,
            warn_only: spec.mode == "Warn",
            tests: spec.tests.clone(),
            skip_permission: spec.skip_permission,
            times,
            references,
            program,
        })
    }

    /// What compiles and is likely a mistake: the language's own hints, on one line each.
    pub fn hints(&self, source: &str) -> Vec<String> {
        let options = Options { boolean: true, ..Options::default() };
        let list = self.language.lint(source, &self.environment, &options);
        let one = |it| line(&Diagnostics { source: source.to_owned(), list: vec![it] });
        list.into_iter().map(one).collect()
    }

    /// An expression, compiled once for all gates that have its text.
    fn expression(&self, source: &str) -> Result<Shared, Problem> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(Known(references, times, program)) = known.get(source)
            && let (Some(references), Some(times), Some(program)) =
                (references.upgrade(), times.upgrade(), program.upgrade())
        {
            return Ok((references, times, program));
        }
        let references = References::of(source);
        let program = self.compile(source, &references)?;
        let (times, references) = (Arc::new(Times::of(&references)), Arc::new(references));
        if known.len() % FORGET_EVERY == FORGET_EVERY - 1 {
            known.retain(|_, it| it.2.strong_count() > 0);
        }
        let weak = Known(Arc::downgrade(&references), Arc::downgrade(&times), Arc::downgrade(&program));
        known.insert(source.to_owned(), weak);
        Ok((references, times, program))
    }

    /// Compiles an expression that must be boolean.
    fn compile(&self, source: &str, references: &References) -> Result<Arc<dyn Program>, Problem> {
        if source.trim().is_empty() {
            return Err(Problem::Syntax("the expression is empty".to_owned()));
        }
        let on_another = |it: &&crate::references::Call| {
            let first = it.receiver.first().map(String::as_str);
            let windows = matches!(it.name.as_str(), "isAllowed" | "isBlocked");
            windows && first.is_some_and(|it| it != "changewindow" && VARIABLES.contains(&it))
        };
        if let Some(call) = references.calls.iter().find(on_another) {
            let (name, receiver) = (&call.name, call.receiver.join("."));
            return Err(Problem::Syntax(format!("`{name}` is a method of `changewindow`, not of `{receiver}`")));
        }
        let compile = |boolean| {
            let options = Options { boolean, ..Options::default() };
            self.language.compile(source, &self.environment, &options)
        };
        compile(true).map_err(|mistakes| {
            if PLANNED.iter().any(|it| references.mentions(it)) {
                return Problem::Planned(line(&mistakes));
            }
            // A text that compiles otherwise is CEL with another result.
            match compile(false) {
                Ok(_) => Problem::NotBoolean(line(&mistakes)),
                Err(_) => Problem::Syntax(line(&mistakes)),
            }
        })
    }
}

/// The mistakes on one line: `message (1:5); …`.
fn line(mistakes: &Diagnostics) -> String {
    let mistake = |it: &kanon_lang::Diagnostic| {
        let (line, column) = mistakes.position(it.span);
        let help = it.help.as_ref().map(|it| format!(", {it}")).unwrap_or_default();
        let message = it.message.split_whitespace().collect::<Vec<_>>().join(" ");
        format!("{message} ({line}:{column}){help}")
    };
    mistakes.list.iter().map(mistake).collect::<Vec<_>>().join("; ")
}

impl fmt::Debug for Gate {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Gate({})", self.expression)
    }
}

impl LabelSelector {
    /// Whether an object with these labels is meant.
    pub fn matches(&self, labels: &BTreeMap<String, String>) -> bool {
        let equal = self.match_labels.iter().all(|(key, value)| labels.get(key) == Some(value));
        equal
            && self.match_expressions.iter().all(|it| {
                let value = labels.get(&it.key);
                match it.operator.as_str() {
                    "In" => value.is_some_and(|value| it.values.contains(value)),
                    "NotIn" => value.is_none_or(|value| !it.values.contains(value)),
                    "Exists" => value.is_some(),
                    "DoesNotExist" => value.is_none(),
                    _ => false,
                }
            })
    }
}
