//! `kanon eval --batch`: one JSON object a line, one answer a line. A line that makes no sense is answered like an expression
//! that does not.

use std::io::{BufRead, Write};

use kanon_core::{Node, Object};
use kanon_lang::{Arena, Language, Limits, Options};
use serde_json::{Value as Json, json};

use crate::{
    commands::texts::Context,
    exit::{Exit, Failure},
};

/// Answers every line of standard input. `default` holds the variables of lines without a context of their own.
pub(super) fn run(language: &dyn Language, default: &Object) -> Result<Exit, Failure> {
    let default = Context::new(language, default);
    let mut out = std::io::BufWriter::new(anstream::stdout().lock());
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        if line.trim().is_empty() {
            continue;
        }
        let (id, result) = match Object::parse(line) {
            Err(error) => (Json::Null, Err(error.to_string())),
            Ok(request) => {
                let id = request.root().get("id").map_or(Json::Null, Node::to_value);
                (id, answer(language, &request, &default))
            }
        };
        let answer = match result {
            Ok(value) => json!({"id": id, "value": value}),
            Err(error) => json!({"id": id, "error": error}),
        };
        writeln!(out, "{answer}")?;
    }
    out.flush()?;
    Ok(Exit::Fine)
}

fn answer(language: &dyn Language, request: &Object, default: &Context) -> Result<Json, String> {
    let source = request.root().get("expr").and_then(Node::as_str).ok_or("`expr` is missing or not a string")?;
    let unchecked = request.root().get("check").and_then(Node::as_bool) == Some(false);
    let own = request.root().get("context").map(|it| Context::new(language, &it.to_object()));
    let context = own.as_ref().unwrap_or(default);
    let options = Options { unchecked, ..Options::default() };
    let program = language.compile(&source, context.env(), &options).map_err(|it| it.to_string())?;
    let arena = Arena::new();
    let (values, limits) = (context.values(&arena), Limits::default());
    let value = program.evaluate(&values, &limits, &arena).map_err(|it| it.to_string())?;
    Ok(value.to_json(&arena))
}
