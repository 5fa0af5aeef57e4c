//! `matchConditions`: expressions that all have to hold before a webhook is called.

use std::{collections::BTreeMap, fmt, sync::Arc};

use kanon_core::{Object, UserInfo};
use kanon_lang::{
    Arena, Environment, Language, Limits, ObjectType, Opaque, Options, Program, Type, Value as LangValue,
};
use kanon_schema::compile_problem;
use serde_json::Value;

use super::{
    Attributes,
    authorizer::{self, Authorizer},
};
use crate::{rbac::Rules, status::Cause};

/// One condition.
pub(super) struct Condition {
    expression: String,
    program: Result<Arc<dyn Program>, String>,
}

/// What conditions look at.
pub(super) struct Facts<'a> {
    pub(super) object: Object,
    pub(super) old_object: Object,
    /// The request of the review, without the objects.
    pub(super) request: Object,
    pub(super) attributes: &'a Attributes<'a>,
    /// Name of the object.
    pub(super) name: &'a str,
    pub(super) rules: &'a Rules,
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

/// What conditions may name: the objects are whatever they are, the request has its fields.
fn environment() -> Environment {
    let mut env = Environment::default()
        .with_variable("object", Type::Dyn)
        .with_variable("oldObject", Type::Dyn)
        .with_variable("request", request_type());
    for (name, of) in authorizer::VARIABLES {
        env = env.with_variable(name, of);
    }
    env.with_functions(authorizer::functions())
}

fn request_type() -> Type {
    let object = |name: &str, fields: &[(&str, Type)]| {
        let fields: BTreeMap<String, Type> = fields.iter().map(|(name, of)| ((*name).to_owned(), of.clone())).collect();
        Type::Object(Arc::new(ObjectType { name: format!("kubernetes.{name}"), fields }))
    };
    let texts =
        |name: &str, fields: &[&str]| object(name, &fields.iter().map(|it| (*it, Type::String)).collect::<Vec<_>>());
    let kind = || texts("GroupVersionKind", &["group", "version", "kind"]);
    let resource = || texts("GroupVersionResource", &["group", "version", "resource"]);
    let user = object(
        "UserInfo",
        &[
            ("username", Type::String),
            ("uid", Type::String),
            ("groups", Type::list(Type::String)),
            ("extra", Type::map(Type::String, Type::list(Type::String))),
        ],
    );
    object(
        "AdmissionRequest",
        &[
            ("kind", kind()),
            ("resource", resource()),
            ("subResource", Type::String),
            ("requestKind", kind()),
            ("requestResource", resource()),
            ("requestSubResource", Type::String),
            ("name", Type::String),
            ("namespace", Type::String),
            ("operation", Type::String),
            ("userInfo", user),
            ("dryRun", Type::Bool),
            ("options", Type::Dyn),
        ],
    )
}

fn compile(expression: &str, cel: &dyn Language) -> Result<Arc<dyn Program>, String> {
    let (env, boolean) = (environment(), Options { boolean: true, ..Options::default() });
    cel.compile(expression, &env, &boolean).map_err(|why| match cel.compile(expression, &env, &Options::default()) {
        Ok(_) => "must evaluate to bool".to_owned(),
        Err(_) => compile_problem("compilation failed", &why),
    })
}

/// What is wrong with the conditions of a webhook configuration; those that were there before are not judged again.
pub(crate) fn validate_conditions(configuration: &Value, old: Option<&Value>, cel: &dyn Language) -> Vec<Cause> {
    let expressions = |configuration: &Value| -> Vec<(String, String)> {
        let mut found = Vec::new();
        for (at, webhook) in configuration["webhooks"].as_array().into_iter().flatten().enumerate() {
            for (index, condition) in webhook["matchConditions"].as_array().into_iter().flatten().enumerate() {
                let field = format!("webhooks[{at}].matchConditions[{index}].expression");
                found.push((field, condition["expression"].as_str().unwrap_or_default().to_owned()));
            }
        }
        found
    };
    let known: Vec<String> = old.map(expressions).unwrap_or_default().into_iter().map(|it| it.1).collect();
    let fresh = expressions(configuration).into_iter().filter(|(_, it)| !it.is_empty() && !known.contains(it));
    fresh
        .filter_map(|(field, expression)| {
            let problem = compile(&expression, cel).err()?;
            Some(Cause::invalid(&field, &expression.into(), &problem))
        })
        .collect()
}

impl Condition {
    pub(super) fn compile(value: &Value, cel: &dyn Language) -> Condition {
        let expression = value["expression"].as_str().unwrap_or_default().to_owned();
        Condition { program: compile(&expression, cel), expression }
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
pub(super) fn judge(conditions: &[Condition], facts: &Facts<'_>) -> Verdict {
    let user: &UserInfo = facts.attributes.user;
    // Outlives the arena, whose values refer to it.
    let authorizer = Authorizer { rules: facts.rules, user };
    let arena = Arena::new();
    let first: &dyn Opaque = &authorizer;
    let of = |object| LangValue::from_node(Object::root(object), &arena);
    let values = [
        of(&facts.object),
        of(&facts.old_object),
        of(&facts.request),
        LangValue::Opaque(first),
        authorizer::request_resource(facts.attributes, facts.name, first, &arena),
    ];
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
