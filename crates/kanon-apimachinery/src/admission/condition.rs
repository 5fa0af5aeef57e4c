//! `matchConditions`: expressions that all have to hold before a webhook is called.

use std::{fmt, sync::Arc};

use kanon_core::Object;
use kanon_lang::{Arena, Environment, Language, Limits, Options, Program, Value as LangValue};
use serde_json::Value;

/// The variables, by slot. Upstream's `authorizer` is not among them: a condition that asks it does not compile, and counts as
/// one that fails.
const VARIABLES: [&str; 3] = ["object", "oldObject", "request"];

/// One condition.
pub(super) struct Condition {
    expression: String,
    program: Result<Arc<dyn Program>, String>,
}

/// What conditions look at.
pub(super) struct Facts {
    pub(super) object: Object,
    pub(super) old_object: Object,
    /// The request of the review, without the objects.
    pub(super) request: Object,
}

/// What conditions say together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Holds,
    /// One is false: then errors of others do not matter.
    Not,
    /// None is false, but some could not be evaluated.
    Error(String),
}

impl Condition {
    pub(super) fn compile(value: &Value, cel: &dyn Language) -> Condition {
        let expression = value["expression"].as_str().unwrap_or_default().to_owned();
        let options = Options { boolean: true, ..Options::default() };
        let program = cel.compile(&expression, &Environment::new(VARIABLES), &options);
        let first = |mistakes: kanon_lang::Diagnostics| {
            mistakes.list.into_iter().next().map_or_else(|| "it does not compile".to_owned(), |it| it.message)
        };
        Condition { expression, program: program.map_err(first) }
    }

    fn evaluate(&self, values: &[LangValue<'_>], arena: &Arena) -> Result<bool, String> {
        let failed = |problem: &str| format!("expression '{}' resulted in error: {problem}", self.expression);
        let program = self.program.as_ref().map_err(|problem| failed(problem))?;
        match program.evaluate(values, &Limits::default(), arena) {
            Ok(LangValue::Bool(holds)) => Ok(holds),
            Ok(_) => Err(failed("the result is no boolean")),
            Err(error) => Err(failed(&error.message)),
        }
    }
}

/// Evaluates conditions in order, up to the first that is false.
pub(super) fn judge(conditions: &[Condition], facts: &Facts) -> Verdict {
    let arena = Arena::new();
    let of = |object| LangValue::from_node(Object::root(object), &arena);
    let values = [of(&facts.object), of(&facts.old_object), of(&facts.request)];
    let mut errors: Vec<String> = Vec::new();
    for condition in conditions {
        match condition.evaluate(&values, &arena) {
            Ok(true) => {}
            Ok(false) => return Verdict::Not,
            Err(error) if errors.contains(&error) => {}
            Err(error) => errors.push(error),
        }
    }
    match errors.as_slice() {
        [] => Verdict::Holds,
        [one] => Verdict::Error(one.clone()),
        more => Verdict::Error(format!("[{}]", more.join(", "))),
    }
}

impl fmt::Debug for Condition {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.expression)
    }
}
