//! From the rules' text to programs, and every mistake on the way.

use std::{collections::BTreeMap, sync::Arc};

use kanon_lang::{Diagnostics, Environment, Language, Options, Program, Type as LangType};

use super::{
    CompiledRule, RuleNode,
    convert::Conversion,
    cost::{Costs, Place},
    declare::{Declared, declare},
};
use crate::{
    crd::rule_field,
    error::FieldError,
    path::FieldPath,
    schema::{ListType, MapType, Rule, Schema},
};

/// The slot of `oldSelf`, behind that of `self`.
const OLD_SELF: usize = 1;

/// What is above a place.
#[derive(Clone, Copy)]
pub(super) struct Above<'a> {
    /// Nothing: the place is the object itself.
    pub(super) root: bool,
    /// The place from which on an old value cannot be found for a new one.
    pub(super) lost: Option<&'a FieldPath<'a>>,
    /// How many values the place can have in one object; `None` without bound.
    pub(super) times: Option<u64>,
}

/// Compiles rules and gathers what is wrong with them.
pub(super) struct Compiler<'l> {
    pub(super) language: &'l dyn Language,
    pub(super) errors: Vec<FieldError>,
    pub(super) costs: Costs,
}

impl Compiler<'_> {
    /// Everything wrong with the rules of the schema at `path`.
    pub(super) fn finish(mut self, path: &FieldPath<'_>) -> Vec<FieldError> {
        self.costs.finish(path, &mut self.errors);
        self.errors
    }

    /// Compiles the rules at a place and below; `None` where there are none.
    pub(super) fn node(&mut self, schema: &Arc<Schema>, path: &FieldPath<'_>, above: Above<'_>) -> Option<RuleNode> {
        let Above { root: _, lost, times } = above;
        let map_lost = lost.or_else(|| (schema.map_type == MapType::Atomic).then_some(path));
        let list_lost = lost.or_else(|| (!matches!(schema.list_type, ListType::Map(_))).then_some(path));
        let within = |most: Option<u64>| times.zip(most).map(|(times, most)| times.saturating_mul(most));

        let list = path.child("x-kubernetes-validations");
        let mut rules = Vec::new();
        for (index, text) in schema.validations.iter().enumerate() {
            rules.extend(self.rule(schema, text, &list.index(index), above));
        }
        let members = path.child("properties");
        let mut properties = BTreeMap::new();
        for (name, it) in &schema.properties {
            let above = Above { root: false, lost: map_lost, times };
            if let Some(node) = self.node(it, &members.key(name), above) {
                properties.insert(name.clone(), node);
            }
        }
        let mut inner = |schema: &Option<Arc<Schema>>, step: &str, lost: Option<&FieldPath<'_>>, most: Option<u64>| {
            let above = Above { root: false, lost, times: within(most) };
            Some(Box::new(self.node(schema.as_ref()?, &path.child(step), above)?))
        };
        let additional = inner(&schema.additional, "additionalProperties", map_lost, schema.rules.max_properties);
        let items = inner(&schema.items, "items", list_lost, schema.rules.max_items);
        let conversion = if rules.is_empty() { None } else { Conversion::of(schema) };
        let node = RuleNode { schema: schema.clone(), rules, conversion, properties, additional, items };
        let is_empty =
            node.rules.is_empty() && node.properties.is_empty() && node.additional.is_none() && node.items.is_none();
        (!is_empty).then_some(node)
    }

    fn rule(
        &mut self,
        schema: &Arc<Schema>,
        text: &Rule,
        path: &FieldPath<'_>,
        above: Above<'_>,
    ) -> Option<CompiledRule> {
        let (language, errors) = (self.language, &mut self.errors);
        let before = errors.len();
        let at = path.child("rule");
        let declared = declare(schema, above.root || schema.embedded_resource);
        let env = environment(declared.as_ref(), text);
        let program = boolean(language, &text.rule, &env)
            .map_err(|why| errors.push(FieldError::invalid(&at, text.rule.clone(), why)))
            .ok();
        let message = text.message_expression.as_deref().and_then(|expression| {
            let at = path.child("messageExpression");
            message(language, expression, &env)
                .map_err(|why| errors.push(FieldError::invalid(&at, expression, why)))
                .ok()
        });
        if let (true, Some(declared)) = (errors.len() == before, declared) {
            let place = Place { path, times: above.times.unwrap_or_else(|| declared.cardinality()) };
            self.costs.rule(text, language, &env, declared, place, errors);
        }
        let program = program?;
        let transition = program.reads().variables.contains(&OLD_SELF);
        if let (true, Some(lost)) = (transition, above.lost) {
            let why = format!("oldSelf cannot be used on the uncorrelatable portion of the schema within {lost}");
            errors.push(FieldError::invalid(&at, text.rule.clone(), why));
        }
        if text.optional_old_self && !transition {
            let why = "may not be set if oldSelf is not used in rule";
            errors.push(FieldError::invalid(&path.child("optionalOldSelf"), true, why));
        }
        let field = text.field_path.as_deref().and_then(|it| rule_field(schema, it));
        (errors.len() == before).then(|| CompiledRule { rule: text.clone(), program, transition, message, field })
    }
}

/// A rule, or what is wrong with it: one that is fine but for its type is told so.
fn boolean(language: &dyn Language, rule: &str, env: &Environment) -> Result<Arc<dyn Program>, String> {
    let boolean = Options { boolean: true, ..Options::default() };
    language.compile(rule, env, &boolean).map_err(|why| match language.compile(rule, env, &Options::default()) {
        Ok(_) => "cel expression must evaluate to a bool".to_owned(),
        Err(_) => compile_problem("compilation failed", &why),
    })
}

/// A message expression, or what is wrong with it.
fn message(language: &dyn Language, expression: &str, env: &Environment) -> Result<Arc<dyn Program>, String> {
    let options = Options::default();
    let program = language
        .compile(expression, env, &options)
        .map_err(|why| compile_problem("messageExpression compilation failed", &why))?;
    // Only text can be added to text. The line break ends a comment.
    match language.compile(&format!("({expression}\n) + ''"), env, &options) {
        Ok(_) => Ok(program),
        Err(_) => Err("messageExpression must evaluate to a string".to_owned()),
    }
}

/// The variables of a rule, with the types that the schema gives them.
fn environment(declared: Option<&Declared>, rule: &Rule) -> Environment {
    let of = declared.map_or(LangType::Dyn, |it| it.of.clone());
    let old = if rule.optional_old_self { LangType::optional(of.clone()) } else { of.clone() };
    Environment::default().with_variable("self", of).with_variable("oldSelf", old)
}

/// Mistakes in an expression as kube-apiserver prints them: `ERROR: <input>:1:5: what`, the line, and a caret below the place.
pub fn compile_problem(what: &str, why: &Diagnostics) -> String {
    let lines = why.list.iter().map(|it| {
        let (line, column) = why.position(it.span);
        let text = why.source.lines().nth(line - 1).unwrap_or_default();
        format!("ERROR: <input>:{line}:{column}: {}\n | {text}\n | {}^", it.message, ".".repeat(column - 1))
    });
    format!("{what}: {}", lines.collect::<Vec<_>>().join("\n"))
}
