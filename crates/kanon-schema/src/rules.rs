//! `x-kubernetes-validations`: rules in CEL at places of a schema (spec/kubernetes-api.md 4.8).
//!
//! Rules are compiled once per schema, when a CRD is created; the language comes in from outside. They see `self`, the value
//! at their place, and `oldSelf`, the value it replaces. They run after everything else was found right.

mod compile;
mod convert;
mod cost;
mod declare;
mod fields;
mod run;

use std::{collections::BTreeMap, sync::Arc};

use kanon_lang::{Language, Program};
use serde_json::Value;

pub use self::compile::compile_problem;
use self::{convert::Conversion, cost::Costs};
use crate::{
    error::{FieldError, FieldErrorKind},
    path::FieldPath,
    schema::{Rule, Schema},
    validate::Validator,
};

/// What is wrong with a value.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Findings {
    /// What keeps the value from being written.
    pub errors: Vec<FieldError>,
    /// Rules that a part breaks which the write does not change: the client is warned, and the write goes on.
    pub ratcheted: Vec<FieldError>,
}

/// The rules of a schema, compiled.
#[derive(Clone, Default)]
pub struct Rules {
    root: Option<Arc<RuleNode>>,
}

/// Rules at one place and below it; places without any are left out.
struct RuleNode {
    schema: Arc<Schema>,
    rules: Vec<CompiledRule>,
    /// How rules see values that are not what their JSON is.
    conversion: Option<Conversion>,
    properties: BTreeMap<String, RuleNode>,
    additional: Option<Box<RuleNode>>,
    items: Option<Box<RuleNode>>,
}

struct CompiledRule {
    rule: Rule,
    program: Arc<dyn Program>,
    /// Whether it reads `oldSelf`.
    transition: bool,
    message: Option<Arc<dyn Program>>,
    /// `fieldPath` as errors print it.
    field: Option<String>,
}

impl Rules {
    /// Compiles all rules of `schema`, whose own place (for the errors) is `path`.
    ///
    /// # Errors
    /// Every rule that does not compile, reads `oldSelf` where old values cannot be told from each other, or may cost too much.
    pub fn compile(
        schema: &Arc<Schema>,
        language: &dyn Language,
        path: &FieldPath<'_>,
    ) -> Result<Rules, Vec<FieldError>> {
        let mut compiler = compile::Compiler { language, errors: Vec::new(), costs: Costs::default() };
        let root = compiler.node(schema, path, compile::Above { root: true, lost: None, times: Some(1) });
        let errors = compiler.finish(path);
        if errors.is_empty() { Ok(Rules { root: root.map(Arc::new) }) } else { Err(errors) }
    }

    /// Whether there is no rule.
    pub fn is_empty(&self) -> bool {
        self.root.is_none()
    }

    /// Rules that `new` breaks, of a write that replaces `old`. What did not change gives no errors but those of rules about the
    /// change.
    pub fn judge(&self, new: &Value, old: Option<&Value>) -> Findings {
        self.root.as_deref().map(|root| run::run(root, new, old)).unwrap_or_default()
    }
}

/// Whether rules cannot be judged because of what was already found.
fn blocks(error: &FieldError) -> bool {
    match error.kind {
        FieldErrorKind::Required
        | FieldErrorKind::NotSupported
        | FieldErrorKind::TooLong
        | FieldErrorKind::TooMany
        | FieldErrorKind::TypeInvalid => true,
        FieldErrorKind::NotFound
        | FieldErrorKind::Duplicate
        | FieldErrorKind::Invalid
        | FieldErrorKind::Forbidden
        | FieldErrorKind::Internal => false,
    }
}

/// A schema with its rules, ready to judge values.
#[derive(Clone)]
pub struct Checker {
    /// What the schema says.
    pub validator: Validator,
    /// What its rules say.
    pub rules: Rules,
}

impl Checker {
    /// Compiles patterns and rules; see [`Rules::compile`].
    ///
    /// # Errors
    /// Rules that do not compile.
    pub fn new(
        schema: &Arc<Schema>,
        language: &dyn Language,
        path: &FieldPath<'_>,
    ) -> Result<Checker, Vec<FieldError>> {
        Ok(Checker { rules: Rules::compile(schema, language, path)?, validator: Validator::new(schema.clone()) })
    }

    /// Everything wrong with `new`, which replaces `old` or is created: by the schema, then by its rules. When the schema
    /// finds what keeps rules from being judged, one more error says so.
    pub fn judge(&self, new: &Value, old: Option<&Value>) -> Findings {
        let mut errors = match old {
            Some(old) => self.validator.validate_update(new, old),
            None => self.validator.validate(new),
        };
        if self.rules.is_empty() {
            return Findings { errors, ..Findings::default() };
        }
        if errors.iter().any(blocks) {
            let why = "some validation rules were not checked because the object was invalid; correct the existing errors \
                       to complete validation";
            errors.push(FieldError::invalid(&FieldPath::root(), Value::Null, why));
            return Findings { errors, ..Findings::default() };
        }
        let found = self.rules.judge(new, old);
        errors.extend(found.errors);
        Findings { errors, ratcheted: found.ratcheted }
    }

    /// What [`Checker::judge`] refuses.
    pub fn check(&self, new: &Value, old: Option<&Value>) -> Vec<FieldError> {
        self.judge(new, old).errors
    }
}

#[cfg(test)]
mod fake;
#[cfg(test)]
mod tests;
