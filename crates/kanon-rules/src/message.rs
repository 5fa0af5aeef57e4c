//! The text of a finding: plain text with `{{ expression }}` parts over the rule's own variables (spec/rules 1.11).

use std::sync::Arc;

use kanon_lang::{Arena, Environment, Language, Limits, Options, Program, Value};

/// Longest rendered text, in bytes (spec/rules 2.11).
const LEN_MAX: usize = 1024;
/// What stands for a part that cannot be evaluated.
const UNKNOWN: &str = "<unknown>";

/// A checked message.
#[derive(Clone)]
pub struct Message {
    parts: Vec<Part>,
}

#[derive(Clone)]
enum Part {
    Text(String),
    Expression(Arc<dyn Program>),
}

impl Message {
    /// The default text of a rule's findings (spec/rules 3).
    pub(crate) fn of_rule(name: &str) -> Message {
        Message { parts: vec![Part::Text(format!("rule violated: {name}"))] }
    }

    /// Reads a template. A part ends at the first `}}`.
    ///
    /// # Errors
    /// One sentence for people: an open part, or an expression that does not compile.
    pub(crate) fn parse(text: &str, language: &dyn Language, env: &Environment) -> Result<Message, String> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("{{") {
            let Some((expression, after)) = after.split_once("}}") else {
                return Err("`{{` without `}}`".to_owned());
            };
            let program = language.compile(expression.trim(), env, &Options::default());
            parts.push(Part::Text(before.to_owned()));
            parts.push(Part::Expression(program.map_err(|it| format!("compile: {it}"))?));
            rest = after;
        }
        parts.push(Part::Text(rest.to_owned()));
        Ok(Message { parts })
    }

    /// Whether a part reads the variable in this slot.
    pub(crate) fn reads(&self, slot: usize) -> bool {
        self.parts.iter().any(|part| match part {
            Part::Text(_) => false,
            Part::Expression(program) => program.reads().variables.contains(&slot),
        })
    }

    /// The programs of its parts.
    pub(crate) fn programs(&self) -> impl Iterator<Item = &Arc<dyn Program>> {
        self.parts.iter().filter_map(|part| match part {
            Part::Text(_) => None,
            Part::Expression(program) => Some(program),
        })
    }

    /// The text for one finding. A part that fails reads `<unknown>`: a message never hides its violation.
    pub(crate) fn render<'a>(&'a self, values: &'a [Value<'a>], limits: &'a Limits, arena: &'a Arena) -> String {
        if let [Part::Text(text)] = &self.parts[..] {
            return text.clone();
        }
        let mut out = String::new();
        for part in &self.parts {
            match part {
                Part::Text(text) => out.push_str(text),
                Part::Expression(program) => match program.evaluate(values, limits, arena) {
                    Ok(Value::Str(text)) => out.push_str(text),
                    Ok(value) => out.push_str(&value.to_json(arena).to_string()),
                    Err(_) => out.push_str(UNKNOWN),
                },
            }
        }
        if out.len() > LEN_MAX {
            let cut = (0..=LEN_MAX - 3).rev().find(|at| out.is_char_boundary(*at)).unwrap_or(0);
            out.truncate(cut);
            out.push_str("...");
        }
        out
    }
}
