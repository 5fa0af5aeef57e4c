//! From the rules' text to programs, and every mistake on the way.

use std::sync::Arc;

use kanon_lang::{Diagnostics, Environment, Language, Options, Program};

use super::{CompiledRule, RuleNode, fields::undefined};
use crate::{
    crd::rule_field,
    error::FieldError,
    path::FieldPath,
    schema::{ListType, MapType, Rule, Schema},
};

/// Names that rules may use; the order is that of the values given to them.
pub(super) const VARIABLES: [&str; 2] = ["self", "oldSelf"];
/// The slot of `oldSelf`.
const OLD_SELF: usize = 1;

/// What is above a place.
#[derive(Clone, Copy)]
pub(super) struct Above<'a> {
    /// Nothing: the place is the object itself.
    pub(super) root: bool,
    /// The place from which on an old value cannot be found for a new one.
    pub(super) lost: Option<&'a str>,
}

/// Compiles the rules at a place and below; `None` where there are none.
pub(super) fn node(
    schema: &Arc<Schema>,
    language: &dyn Language,
    path: &FieldPath<'_>,
    above: Above<'_>,
    errors: &mut Vec<FieldError>,
) -> Option<RuleNode> {
    let Above { root: _, lost } = above;
    let here = path.to_string();
    let map_lost = lost.or_else(|| (schema.map_type == MapType::Atomic).then_some(here.as_str()));
    let list_lost = lost.or_else(|| (!matches!(schema.list_type, ListType::Map(_))).then_some(here.as_str()));

    let list = path.child("x-kubernetes-validations");
    let mut rules = Vec::new();
    for (index, text) in schema.validations.iter().enumerate() {
        rules.extend(rule(schema, text, language, &list.index(index), above, errors));
    }
    let members = path.child("properties");
    let properties = schema.properties.iter().filter_map(|(name, it)| {
        let node = node(it, language, &members.key(name), Above { root: false, lost: map_lost }, errors)?;
        Some((name.clone(), node))
    });
    let properties = properties.collect();
    let mut inner = |schema: &Option<Arc<Schema>>, step: &str, lost: Option<&str>| {
        let above = Above { root: false, lost };
        let node = node(schema.as_ref()?, language, &path.child(step), above, errors)?;
        Some(Box::new(node))
    };
    let additional = inner(&schema.additional, "additionalProperties", map_lost);
    let items = inner(&schema.items, "items", list_lost);
    let node = RuleNode { schema: schema.clone(), rules, properties, additional, items };
    let is_empty =
        node.rules.is_empty() && node.properties.is_empty() && node.additional.is_none() && node.items.is_none();
    (!is_empty).then_some(node)
}

fn rule(
    schema: &Arc<Schema>,
    text: &Rule,
    language: &dyn Language,
    path: &FieldPath<'_>,
    above: Above<'_>,
    errors: &mut Vec<FieldError>,
) -> Option<CompiledRule> {
    let before = errors.len();
    let at = path.child("rule");
    let resource = above.root || schema.embedded_resource;
    let compile = |source: &str, options: &Options| {
        let program = language.compile(source, &Environment::new(VARIABLES), options)?;
        undefined(&*program, schema, resource).map_or(Ok(program), Err)
    };
    let program = compile(&text.rule, &Options { boolean: true, ..Options::default() })
        .map_err(|why| errors.push(FieldError::invalid(&at, text.rule.clone(), failed("compilation failed", &why))))
        .ok();
    let message = text.message_expression.as_deref().and_then(|expression| {
        let at = path.child("messageExpression");
        compile(expression, &Options::default())
            .map_err(|why| {
                let why = failed("messageExpression compilation failed", &why);
                errors.push(FieldError::invalid(&at, expression, why));
            })
            .ok()
    });
    let mut program = program?;
    let transition = program.reads().variables.contains(&OLD_SELF);
    if let (true, Some(lost)) = (transition, above.lost) {
        let why = format!("oldSelf cannot be used on the uncorrelatable portion of the schema within {lost}");
        errors.push(FieldError::invalid(&at, text.rule.clone(), why));
    }
    if text.optional_old_self && !transition {
        let why = "may not be set if oldSelf is not used in rule";
        errors.push(FieldError::invalid(&path.child("optionalOldSelf"), true, why));
    }
    if text.optional_old_self && errors.len() == before {
        program = with_optional_old(&text.rule, language)
            .map_err(|why| errors.push(FieldError::invalid(&at, text.rule.clone(), failed("compilation failed", &why))))
            .ok()?;
    }
    let field = text.field_path.as_deref().and_then(|it| rule_field(schema, it));
    (errors.len() == before).then(|| CompiledRule { rule: text.clone(), program, transition, message, field })
}

/// The rule with `oldSelf` as an optional. Values of the language interface have none, so the old value comes in as a list
/// of none or one, and the rule is put where a comprehension binds `oldSelf` to the optional made of it. The line break
/// ends a comment in the rule.
fn with_optional_old(rule: &str, language: &dyn Language) -> Result<Arc<dyn Program>, Diagnostics> {
    const OLD: &str = "oldSelfList";
    let bound = format!("[size({OLD}) == 0 ? optional.none() : optional.of({OLD}[0])].all(oldSelf, ({rule}\n))");
    let options = Options { boolean: true, ..Options::default() };
    language.compile(&bound, &Environment::new(["self", OLD]), &options)
}

/// As CEL's own checker prints mistakes: `ERROR: <input>:1:5: what`, the line, and a caret below the place.
fn failed(what: &str, why: &Diagnostics) -> String {
    let lines = why.list.iter().map(|it| {
        let (line, column) = why.position(it.span);
        let text = why.source.lines().nth(line - 1).unwrap_or_default();
        format!("ERROR: <input>:{line}:{column}: {}\n | {text}\n | {}^", it.message, ".".repeat(column - 1))
    });
    format!("{what}: {}", lines.collect::<Vec<_>>().join("\n"))
}
