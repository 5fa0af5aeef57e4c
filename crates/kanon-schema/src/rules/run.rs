//! Rules at work: through an object, with the old one at hand.
//!
//! Broken rules at places that the write leaves as they were do not refuse it (upstream calls that ratcheting).

use std::ops::ControlFlow;

use kanon_core::{Node, Object};
use kanon_lang::{Arena, ErrorKind, EvalError, Limits, Program, Spent, Value as LangValue};
use serde_json::Value;

use super::{CompiledRule, Findings, RuleNode, convert};
use crate::{
    error::{FieldError, FieldErrorKind},
    gotext,
    path::FieldPath,
    schema::{MapType, Rule, Type},
    validate::OldItems,
};

/// What all rules may take of one object, in steps; one evaluation may take what [`Limits`] says.
const OBJECT_STEPS: u64 = 10_000_000;

/// Longest message that a message expression may give, in bytes (upstream's limit).
const MESSAGE_MAX: usize = 5 * 1024;

/// Judges an object, which replaces `old` or is created.
pub(super) fn run(root: &RuleNode, new: &Value, old: Option<&Value>) -> Findings {
    let new_object = Object::from_value(new);
    let old_object = old.map(Object::from_value);
    let place =
        Place { new: (new, new_object.root()), old: old.zip(old_object.as_ref().map(Object::root)), unchanged: false };
    let mut run = Run { found: Findings::default(), steps: OBJECT_STEPS };
    // What breaks off has said why.
    let _ = root.check(place, &FieldPath::root(), &mut run);
    run.found
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
    found: Findings,
    /// What is left for all of them.
    steps: u64,
}

impl Run {
    /// Takes what an evaluation cost; false when that is more than there is.
    fn spend(&mut self, spent: Option<Spent>) -> bool {
        let left = self.steps.checked_sub(spent.map_or(0, |it| it.steps));
        self.steps = left.unwrap_or_default();
        left.is_some()
    }
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
        if rule.transition && place.old.is_none() && !rule.rule.optional_old_self {
            return ControlFlow::Continue(());
        }
        let arena = Arena::new();
        let values = self.values(rule, place, &arena);
        let limits = Limits::default();
        let (result, spent) = rule.program.measure(&values, &limits, &arena);
        if !run.spend(spent) {
            let why = "validation failed due to running out of cost budget, no further validation rules will be run";
            run.found.errors.push(FieldError::invalid(path, self.type_name(), why));
            return ControlFlow::Break(());
        }
        match result {
            Ok(LangValue::Bool(true)) => ControlFlow::Continue(()),
            Ok(_) => self.broken(rule, place, path, run),
            Err(error) => {
                run.found.errors.push(FieldError::invalid(path, self.type_name(), failure(&error, &rule.rule)));
                if error.kind == ErrorKind::Budget { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            }
        }
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

    /// Notes that a value breaks a rule. What the write did not bring is a warning.
    fn broken(&self, rule: &CompiledRule, place: Place<'_>, path: &FieldPath<'_>, run: &mut Run) -> ControlFlow<()> {
        let text = &rule.rule;
        let message = match rule.message.as_deref().map(|it| self.message(rule, it, place, run)) {
            Some(Message::Text(message)) => Ok(message),
            Some(Message::TooDear(why)) => Err(why),
            Some(Message::Unusable) | None => Ok(match &text.message {
                Some(message) => message.trim().to_owned(),
                None => format!("failed rule: {}", text.rule.trim()),
            }),
        };
        let kind = text.reason.as_deref().and_then(FieldErrorKind::from_reason);
        let (kind, detail, flow) = match message {
            // A duplicate shows its value only.
            Ok(_) if kind == Some(FieldErrorKind::Duplicate) => {
                (FieldErrorKind::Duplicate, String::new(), ControlFlow::Continue(()))
            }
            Ok(message) => (kind.unwrap_or(FieldErrorKind::Invalid), message, ControlFlow::Continue(())),
            Err(why) => (FieldErrorKind::Invalid, why, ControlFlow::Break(())),
        };
        let at = rule.field.as_deref().map(|it| path.child(it));
        let error = FieldError::new(kind, at.as_ref().unwrap_or(path), self.type_name().into(), detail);
        if !rule.transition && place.unchanged {
            run.found.ratcheted.push(error);
        } else {
            run.found.errors.push(error);
        }
        flow
    }

    /// What a message expression gives.
    fn message(&self, rule: &CompiledRule, program: &dyn Program, place: Place<'_>, run: &mut Run) -> Message {
        let arena = Arena::new();
        let values = self.values(rule, place, &arena);
        let limits = Limits::default();
        let (result, spent) = program.measure(&values, &limits, &arena);
        if !run.spend(spent) {
            let why = "messageExpression evaluation failed due to running out of cost budget, no further validation rules will be run";
            return Message::TooDear(why.to_owned());
        }
        match result {
            Ok(LangValue::Str(text)) => {
                let text = text.trim();
                let fine = !text.is_empty() && text.len() <= MESSAGE_MAX && !text.contains('\n');
                if fine { Message::Text(text.to_owned()) } else { Message::Unusable }
            }
            Err(error) if error.kind == ErrorKind::Budget => Message::TooDear(format!(
                "no further validation rules will be run due to call cost exceeds limit for messageExpression: {}",
                gotext::quote(program.source())
            )),
            Ok(_) | Err(_) => Message::Unusable,
        }
    }
}

/// What came of a message expression.
enum Message {
    Text(String),
    /// No text that can be shown: the rule's plain message is.
    Unusable,
    /// It took more than there was: no other rule is tried.
    TooDear(String),
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
