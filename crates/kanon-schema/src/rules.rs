//! `x-kubernetes-validations`: rules in CEL at places of a schema (spec/kubernetes-api.md 4.8).
//!
//! Rules are compiled once per schema, when a CRD is created; the language comes in from outside. They see `self`, the value
//! at their place, and `oldSelf`, the value it replaces. They run after everything else was found right.

mod compile;
mod convert;
mod cost;
mod declare;
mod fields;

use std::{collections::BTreeMap, ops::ControlFlow, sync::Arc};

use kanon_core::{Node, Object};
use kanon_lang::{Arena, ErrorKind, EvalError, Language, Limits, Program, Value as LangValue};
use serde_json::Value;

use self::{convert::Conversion, cost::Costs};
use crate::{
    error::{FieldError, FieldErrorKind},
    path::FieldPath,
    schema::{MapType, Rule, Schema, Type},
    validate::{OldItems, Validator},
};

/// What all rules may take of one object, in steps; one evaluation may take what [`Limits`] says.
const OBJECT_STEPS: u64 = 10_000_000;

/// Longest message that a message expression may give, in bytes (upstream's limit).
const MESSAGE_MAX: usize = 5 * 1024;

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

    /// Rules that `new` breaks, of a write that replaces `old`. Values that did not change are only judged by rules about
    /// the change.
    pub fn check(&self, new: &Value, old: Option<&Value>) -> Vec<FieldError> {
        let Some(root) = &self.root else { return Vec::new() };
        let new_object = Object::from_value(new);
        let old_object = old.map(Object::from_value);
        let place = Place {
            new: (new, new_object.root()),
            old: old.zip(old_object.as_ref().map(Object::root)),
            unchanged: false,
        };
        let mut run = Run { errors: Vec::new(), steps: OBJECT_STEPS };
        // What breaks off has said why.
        let _ = root.check(place, &FieldPath::root(), &mut run);
        run.errors
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
    pub fn check(&self, new: &Value, old: Option<&Value>) -> Vec<FieldError> {
        let mut errors = match old {
            Some(old) => self.validator.validate_update(new, old),
            None => self.validator.validate(new),
        };
        if self.rules.is_empty() {
            return errors;
        }
        if errors.iter().any(blocks) {
            let why = "some validation rules were not checked because the object was invalid; correct the existing errors \
                       to complete validation";
            errors.push(FieldError::invalid(&FieldPath::root(), Value::Null, why));
        } else {
            errors.extend(self.rules.check(new, old));
        }
        errors
    }
}

/// A value twice: as a tree to compare, and as the node that programs read.
type Both<'v> = (&'v Value, Node<'v>);

/// What a node of rules is asked about.
#[derive(Clone, Copy)]
struct Place<'v> {
    new: Both<'v>,
    old: Option<Both<'v>>,
    /// Whether the nearest value above that can be compared did not change.
    unchanged: bool,
}

impl<'v> Place<'v> {
    fn member(self, key: &str, comparable: bool) -> Option<Place<'v>> {
        let get = |(value, node): Both<'v>| value.get(key).zip(node.get(key));
        Some(Place { new: get(self.new)?, old: self.old.filter(|_| comparable).and_then(get), ..self })
    }
}

/// Rules on their way through an object.
struct Run {
    errors: Vec<FieldError>,
    /// What is left for all of them.
    steps: u64,
}

/// Each step breaks off when rules cost too much: no other is tried then.
impl RuleNode {
    fn check(&self, place: Place<'_>, path: &FieldPath<'_>, run: &mut Run) -> ControlFlow<()> {
        if place.new.0.is_null() {
            return ControlFlow::Continue(());
        }
        let unchanged = place.old.map_or(place.unchanged, |(old, _)| old == place.new.0);
        let place = Place { unchanged, ..place };
        for rule in &self.rules {
            self.check_rule(rule, place, path, run)?;
        }
        match place.new.0 {
            Value::Object(members) => self.check_members(members, place, path, run),
            Value::Array(_) => self.check_items(place, path, run),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => ControlFlow::Continue(()),
        }
    }

    fn check_members(
        &self,
        members: &serde_json::Map<String, Value>,
        place: Place<'_>,
        path: &FieldPath<'_>,
        run: &mut Run,
    ) -> ControlFlow<()> {
        let comparable = self.schema.map_type == MapType::Granular;
        for key in members.keys() {
            let Some(place) = place.member(key, comparable) else { continue };
            if let Some(node) = self.properties.get(key) {
                node.check(place, &path.child(key), run)?;
            } else if let Some(node) = &self.additional
                && !self.schema.properties.contains_key(key)
            {
                node.check(place, &path.key(key), run)?;
            }
        }
        ControlFlow::Continue(())
    }

    fn check_items(&self, place: Place<'_>, path: &FieldPath<'_>, run: &mut Run) -> ControlFlow<()> {
        let (Some(node), Some(items)) = (&self.items, place.new.0.as_array()) else {
            return ControlFlow::Continue(());
        };
        let old_items = OldItems::new(&self.schema, place.old.map(|(old, _)| old));
        for (index, (value, item)) in items.iter().zip(place.new.1.elements()).enumerate() {
            let old = old_items.find(value).and_then(|old| {
                let (list, nodes) = place.old?;
                let at = list.as_array()?.iter().position(|it| std::ptr::eq(it, old))?;
                Some((old, nodes.elements().nth(at)?))
            });
            node.check(Place { new: (value, item), old, ..place }, &path.index(index), run)?;
        }
        ControlFlow::Continue(())
    }

    fn check_rule(
        &self,
        rule: &CompiledRule,
        place: Place<'_>,
        path: &FieldPath<'_>,
        run: &mut Run,
    ) -> ControlFlow<()> {
        let applies =
            if rule.transition { place.old.is_some() || rule.rule.optional_old_self } else { !place.unchanged };
        if !applies {
            return ControlFlow::Continue(());
        }
        let arena = Arena::new();
        let values = self.values(rule, place, &arena);
        let limits = Limits::default();
        let (result, spent) = rule.program.measure(&values, &limits, &arena);
        match run.steps.checked_sub(spent.map_or(0, |it| it.steps)) {
            Some(left) => run.steps = left,
            None => {
                let why =
                    "validation failed due to running out of cost budget, no further validation rules will be run";
                run.errors.push(FieldError::invalid(path, self.type_name(), why));
                return ControlFlow::Break(());
            }
        }
        match result {
            Ok(LangValue::Bool(true)) => {}
            Ok(_) => run.errors.push(self.broken(rule, place, path)),
            Err(error) => {
                run.errors.push(FieldError::invalid(path, self.type_name(), failure(&error, &rule.rule)));
                if error.kind == ErrorKind::Budget {
                    return ControlFlow::Break(());
                }
            }
        }
        ControlFlow::Continue(())
    }

    /// What a rule's variables hold, in their order.
    fn values<'a>(&self, rule: &CompiledRule, place: Place<'a>, arena: &'a Arena) -> [LangValue<'a>; 2] {
        let value = |node| convert::value(self.conversion.as_ref(), node, arena);
        let old = place.old.map(|(_, node)| value(node));
        let old = match (rule.rule.optional_old_self, old) {
            (true, old) => LangValue::Optional(old.map(|it| &*arena.alloc(it))),
            (false, old) => old.unwrap_or(LangValue::Null),
        };
        [value(place.new.1), old]
    }

    /// The type as errors name the value by; those without type have none.
    fn type_name(&self) -> &'static str {
        match self.schema.kind {
            Type::Any | Type::IntOrString => "",
            other => other.name(),
        }
    }

    fn broken(&self, rule: &CompiledRule, place: Place<'_>, path: &FieldPath<'_>) -> FieldError {
        let text = &rule.rule;
        let written = || match &text.message {
            Some(message) => message.trim().to_owned(),
            None => format!("failed rule: {}", text.rule.trim()),
        };
        let detail = rule.message.as_ref().and_then(|it| self.message(rule, &**it, place)).unwrap_or_else(written);
        let kind = text.reason.as_deref().and_then(FieldErrorKind::from_reason).unwrap_or(FieldErrorKind::Invalid);
        // A duplicate shows its value only.
        let detail = if kind == FieldErrorKind::Duplicate { String::new() } else { detail };
        match &rule.field {
            Some(field) => FieldError::new(kind, &path.child(field), self.type_name().into(), detail),
            None => FieldError::new(kind, path, self.type_name().into(), detail),
        }
    }

    /// What a message expression gives; `None` when it gives no message that can be shown.
    fn message(&self, rule: &CompiledRule, program: &dyn Program, place: Place<'_>) -> Option<String> {
        let arena = Arena::new();
        let values = self.values(rule, place, &arena);
        match program.evaluate(&values, &Limits::default(), &arena) {
            Ok(LangValue::Str(text)) => {
                let text = text.trim();
                let fine = !text.is_empty() && text.len() <= MESSAGE_MAX && !text.contains('\n');
                fine.then(|| text.to_owned())
            }
            Ok(_) | Err(_) => None,
        }
    }
}

fn failure(error: &EvalError, rule: &Rule) -> String {
    let shown = rule.message.as_ref().unwrap_or(&rule.rule).trim();
    match error.kind {
        ErrorKind::Budget => format!(
            "'operation cancelled: actual cost limit exceeded': no further validation rules will be run due to call cost exceeds \
             limit for rule: {shown}"
        ),
        ErrorKind::Value if error.message.starts_with("no such overload") => format!(
            "'{error}': call arguments did not match a supported operator, function or macro signature for rule: {shown}"
        ),
        ErrorKind::Value => format!("{error} evaluating rule: {shown}"),
    }
}

#[cfg(test)]
mod fake;
#[cfg(test)]
mod tests;
