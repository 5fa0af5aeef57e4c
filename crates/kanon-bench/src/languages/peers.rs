//! The crates that the engines replace, on the same rules and documents, as their own documentation says to use them:
//! programs compiled once, values converted once, contexts kept.

use std::sync::Arc;

use kanon_lang::LanguageId;
use serde_json::{Map, Value as Json};

use super::{
    inputs::{Document, Inputs},
    rego::Query,
    rules::Rule,
    stopwatch::Side,
};

const CEL: &str = "cel 0.15, context kept";
const EXPR: &str = "expr-lang 2.1, context kept";

fn variables(document: Document, inputs: &Inputs) -> anyhow::Result<Map<String, Json>> {
    let json: Json = serde_json::from_slice(inputs.object(document).text())?;
    match json {
        json if matches!(document, Document::Pod | Document::Pair) => Ok(Map::from_iter([("object".to_owned(), json)])),
        Json::Object(members) => Ok(members),
        other => anyhow::bail!("the document is no object but {other}"),
    }
}

/// The crate of the rule's language, where it takes the rule and gives the right answer.
pub(crate) fn rule(rule: &Rule, inputs: &Inputs) -> anyhow::Result<Option<Side<'static>>> {
    let variables = variables(rule.document, inputs)?;
    if rule.language == LanguageId::CEL {
        let env = Arc::new(cel::Env::stdlib());
        let program = env.compile(rule.source).map_err(|errors| anyhow::anyhow!("cel: {errors}"))?;
        let mut context = cel::Context::with_env(env);
        for (name, value) in &variables {
            let value = cel::to_value(value).map_err(|error| anyhow::anyhow!("cel: {error}"))?;
            context.add_variable_from_value(name.as_str(), value);
        }
        let answer = program.execute(&context);
        anyhow::ensure!(
            matches!(answer, Ok(cel::Value::Bool(it)) if it == rule.expected),
            "cel gives {answer:?} for {}",
            rule.id
        );
        return Ok(Some(Side::new(CEL, move || program.execute(&context).is_ok())));
    }
    let Ok(program) = expr::compile(rule.source) else {
        // Ordinary rules that it does not parse have no figure.
        return Ok(None);
    };
    let mut context = expr::Context::default();
    for (name, value) in &variables {
        context.insert(name.clone(), expr::to_value(value).map_err(|error| anyhow::anyhow!("expr-lang: {error}"))?);
    }
    let environment = expr::Environment::new();
    match environment.run(&program, &context) {
        Ok(expr::Value::Bool(it)) if it == rule.expected => {}
        _ => return Ok(None),
    }
    Ok(Some(Side::new(EXPR, move || environment.run(&program, &context).is_ok())))
}

/// The crate of the rule's language, compiling.
pub(crate) fn compile(rule: &'static Rule) -> anyhow::Result<Option<Side<'static>>> {
    if rule.language == LanguageId::CEL {
        let env = Arc::new(cel::Env::stdlib());
        return Ok(Some(Side::new("cel 0.15", move || env.compile(rule.source).is_ok())));
    }
    Ok(Some(Side::new("expr-lang 2.1", || expr::compile(rule.source).is_ok())))
}

/// The interpreter of `regorus`, with its own meaning of `not` (no policy here tells the two apart).
pub(crate) fn query(query: &'static Query, inputs: &Inputs) -> anyhow::Result<Option<Side<'static>>> {
    let mut engine = regorus::Engine::new();
    engine.add_policy("policy.rego".to_owned(), query.policy().to_owned())?;
    let input = regorus::Value::from_json_str(std::str::from_utf8(query.input(inputs).text())?)?;
    let rules = query.query.matches('.').count();
    let is_package = if query.approval { rules == 2 } else { rules == 1 };
    Ok(Some(Side::new("regorus 0.14, interpreter", move || {
        engine.set_input(input.clone());
        if is_package {
            engine.eval_query(query.query.to_owned(), false).is_ok()
        } else {
            engine.eval_rule(query.query.to_owned()).is_ok()
        }
    })))
}
