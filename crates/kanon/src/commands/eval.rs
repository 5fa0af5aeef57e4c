//! `kanon eval`: one expression, or one a line, against a context.

use std::{
    io::{BufRead, Read, Write},
    path::Path,
};

use kanon_core::{Node, Object};
use kanon_lang::{Arena, Environment, Language, LanguageId, Limits, Options, Value};
use serde_json::{Value as Json, json};

use crate::{
    cli::{EvalArgs, Lang},
    exit::{Exit, Failure},
    languages,
    output::{Format, print, print_data, table},
};

/// Evaluates what was asked for.
pub(crate) fn run(args: EvalArgs) -> Result<Exit, Failure> {
    let languages = languages::all();
    let id = match args.lang {
        Lang::Expr => LanguageId::EXPR,
        Lang::Cel => LanguageId::CEL,
        Lang::Rego => LanguageId::REGO,
    };
    let language = &*languages[&id];
    let context = match &args.context {
        Some(path) => read_context(path)?,
        None => Object::from_value(&json!({})),
    };
    if args.batch {
        return batch(language, &context);
    }
    let source = args.expression.unwrap_or_default();
    let context = Context::new(language, &context);
    if args.explain {
        return explain(language, &source, &context, args.output);
    }
    match context.evaluate(language, &source, false) {
        Ok(value) => {
            match args.output {
                Format::Table => print(&format!("{value}\n"))?,
                Format::Json | Format::Yaml => print_data(args.output, &value)?,
            }
            Ok(Exit::Fine)
        }
        Err(error) => Err(Failure::new(error)),
    }
}

/// The variables an expression may use.
struct Context {
    /// Always an object.
    whole: Object,
    env: Environment,
}

impl Context {
    /// The members of `whole` are the variables; for Rego they are `input` and `data`, and any other object is the input.
    fn new(language: &dyn Language, whole: &Object) -> Context {
        let names = |it: &Object| it.root().members().map(|(name, _)| name.into_owned()).collect::<Vec<_>>();
        let mut whole = whole.clone();
        if language.id() == LanguageId::REGO && !names(&whole).iter().all(|it| it == "input" || it == "data") {
            whole = Object::from_value(&json!({"input": whole.to_value()}));
        }
        let names = names(&whole);
        Context { env: Environment::new(names.iter().map(String::as_str)), whole }
    }

    fn values<'a>(&'a self, arena: &'a Arena) -> Vec<Value<'a>> {
        self.whole.root().members().map(|(_, node)| Value::from_node(node, arena)).collect()
    }

    fn evaluate(&self, language: &dyn Language, source: &str, unchecked: bool) -> Result<Json, String> {
        let options = Options { unchecked, ..Options::default() };
        let program = language.compile(source, &self.env, &options).map_err(|it| it.to_string())?;
        let arena = Arena::new();
        let (values, limits) = (self.values(&arena), Limits::default());
        let value = program.evaluate(&values, &limits, &arena).map_err(|it| it.to_string())?;
        Ok(value.to_json(&arena))
    }
}

fn explain(language: &dyn Language, source: &str, context: &Context, output: Format) -> Result<Exit, Failure> {
    let program = language.compile(source, &context.env, &Options::default());
    let program = program.map_err(|it| Failure::new(it.to_string()))?;
    let arena = Arena::new();
    let (values, limits) = (context.values(&arena), Limits::default());
    let explained = program.explain(&values, &limits, &arena);
    let result = match &explained.result {
        Ok(value) => json!({"value": value.to_json(&arena)}),
        Err(error) => json!({"error": error.to_string()}),
    };
    match output {
        Format::Table => {
            let rows: Vec<_> = explained.values.iter().map(|it| vec![it.text.clone(), it.value.to_string()]).collect();
            print(&table(&["EXPRESSION", "VALUE"], &rows))?;
            print(&format!("{result}\n"))?;
        }
        Format::Json | Format::Yaml => {
            print_data(output, &json!({"result": result, "values": explained.values}))?;
        }
    }
    Ok(if explained.result.is_ok() { Exit::Fine } else { Exit::Failure })
}

/// One JSON object a line, one answer a line. A line that makes no sense is answered like an expression that does not.
fn batch(language: &dyn Language, default: &Object) -> Result<Exit, Failure> {
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
                (id, batch_line(language, &request, &default))
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

fn batch_line(language: &dyn Language, request: &Object, default: &Context) -> Result<Json, String> {
    let source = request.root().get("expr").and_then(Node::as_str).ok_or("`expr` is missing or not a string")?;
    let unchecked = request.root().get("check").and_then(Node::as_bool) == Some(false);
    let own = request.root().get("context").map(|it| Context::new(language, &it.to_object()));
    own.as_ref().unwrap_or(default).evaluate(language, &source, unchecked)
}

fn read_context(path: &Path) -> Result<Object, Failure> {
    let mut text = String::new();
    let read = if path.as_os_str() == "-" {
        std::io::stdin().read_to_string(&mut text).map(|_| ())
    } else {
        std::fs::read_to_string(path).map(|it| text = it)
    };
    let named = |problem: &dyn std::fmt::Display| {
        Failure::new(format!("the context `{}` cannot be read: {problem}", path.display()))
    };
    read.map_err(|error| named(&error))?;
    // JSON first: its numbers come through exactly as written.
    let object = match Object::parse(text.clone()) {
        Ok(object) => object,
        Err(_) => {
            let value: Json = serde_saphyr::from_str(&text).map_err(|error| named(&error))?;
            Object::from_value(&value)
        }
    };
    match object.root().kind() {
        kanon_core::NodeKind::Object => Ok(object),
        _ => Err(named(&"it is not an object of variables")),
    }
}
