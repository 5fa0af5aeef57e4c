//! `kanon eval`: one expression, or one a line, against a context; and what there is to know about how it came to its value.

mod batch;
mod tree;

use kanon_core::EvidenceValue;
use kanon_lang::{
    Arena, Environment, EvalError, Explained, Limits, ModuleOptions, Options, Program, Spent, ir::Estimate, suggest,
};
use serde_json::{Map, Value as Json, json};

use crate::{
    cli::{EvalArgs, Lang},
    commands::texts::{Context, Text, explain_unknown_variables, language, leading_word, read_context},
    exit::{Exit, Failure},
    output::{Format, print, print_data, table},
    report,
};

/// Evaluates what was asked for.
pub(crate) fn run(args: EvalArgs) -> Result<Exit, Failure> {
    if args.batch {
        let language = language(args.text.lang.unwrap_or(Lang::Expr));
        return batch::run(&*language, &read_context(args.text.context.as_ref())?);
    }
    let text = Text::read(&args.text)?;
    let mut answer = Answer::default();
    if args.ast {
        let tree = text.language.tree(&text.source).map_err(|it| report::compile_failure(&text.place, &it))?;
        answer.section("ast", json!(tree), tree.clone());
        if !(args.reads || args.explain || args.cost.is_some()) {
            return answer.print(args.output, Exit::Fine);
        }
    }
    let context = Context::read(&*text.language, args.text.context.as_ref())?.with_clock(args.now);
    let module = ModuleOptions { query: args.query.clone(), ..ModuleOptions::default() };
    let options = Options { module, ..Options::default() };
    let program = text.language.compile(&text.source, context.env(), &options);
    let program = program.map_err(|mut it| {
        explain_unknown_variables(&mut it, &*text.language, context.env(), &options);
        report::compile_failure(&text.place, &it)
    })?;
    if args.reads {
        let (data, shown) = reads(&*program, context.env());
        answer.section("reads", data, shown);
        if !(args.explain || args.cost.is_some()) {
            return answer.print(args.output, Exit::Fine);
        }
    }
    let (arena, limits) = (Arena::new(), Limits::default());
    let values = context.values(&arena);
    let Explained { result, values, spent } = match args.explain || args.cost.is_some() {
        true => program.explain(&values, &limits, &arena),
        false => {
            let result = program.evaluate(&values, &limits, &arena);
            Explained { result, values: Vec::new(), spent: None }
        }
    };
    let result = result.map(|it| it.to_json(&arena));
    if args.explain {
        answer.section("values", json!(values), explained(&text.source, &values, &result));
    }
    if let Some(size) = args.cost {
        let (data, shown) = cost(spent, &limits, size, program.estimate(size));
        answer.section("cost", data, shown);
    }
    answer.finish(&text, args.output, result, context.env())
}

/// What was asked for, for people and for machines.
#[derive(Default)]
struct Answer {
    data: Map<String, Json>,
    shown: Vec<String>,
}

impl Answer {
    /// Adds a part.
    fn section(&mut self, name: &str, data: Json, shown: String) {
        self.data.insert(name.to_owned(), data);
        if !shown.is_empty() {
            self.shown.push(shown);
        }
    }

    /// Prints all parts.
    fn print(self, output: Format, exit: Exit) -> Result<Exit, Failure> {
        match output {
            Format::Table => print(&self.shown.join("\n"))?,
            Format::Json | Format::Yaml => print_data(output, &Json::Object(self.data))?,
        }
        Ok(exit)
    }

    /// Adds the value, or the error, and prints all. A value that nothing else was asked about stands alone.
    fn finish(
        mut self,
        text: &Text,
        output: Format,
        result: Result<Json, EvalError>,
        env: &Environment,
    ) -> Result<Exit, Failure> {
        match result {
            Ok(value) if output != Format::Table && self.data.is_empty() => {
                print_data(output, &value)?;
                Ok(Exit::Fine)
            }
            Ok(value) => {
                self.section("result", json!({ "value": value }), format!("{value}\n"));
                self.print(output, Exit::Fine)
            }
            Err(error) => {
                let failure = report::eval_failure(
                    &text.place,
                    &text.source,
                    &error,
                    unknown_variable(&text.source, &error, env),
                );
                if output == Format::Table || self.data.is_empty() {
                    print(&self.shown.join("\n"))?;
                    return Err(failure);
                }
                self.section("result", json!({ "error": error.message }), String::new());
                self.print(output, Exit::Failure)
            }
        }
    }
}

/// What was likely meant, where a language reads unknown variables as nil and the error came of that.
fn unknown_variable(source: &str, error: &EvalError, env: &Environment) -> Option<String> {
    let at = source.floor_char_boundary(error.span?.start as usize);
    let word = leading_word(&source[tree::chain_start(source, at)..]);
    if word.is_empty() || env.slot(word).is_some() {
        return None;
    }
    let meant = suggest(word, env.variables.iter().map(String::as_str).filter(|it| *it != Environment::NOW))?;
    Some(format!("`{word}` is no variable here; did you mean `{meant}`?"))
}

/// The values on the way; nothing for a text of which nothing was noted.
fn explained(source: &str, values: &[EvidenceValue], result: &Result<Json, EvalError>) -> String {
    tree::render(source, values, result.is_err())
}

/// What the program reads.
fn reads(program: &dyn Program, env: &Environment) -> (Json, String) {
    let reads = program.reads();
    let names = reads.variables.iter().filter_map(|slot| env.variables.get(*slot));
    let names: Vec<&String> = names.filter(|it| *it != Environment::NOW).collect();
    let mut rows: Vec<_> = names.iter().map(|it| vec!["variable".to_owned(), (*it).clone()]).collect();
    rows.extend(reads.paths.iter().map(|it| vec!["path".to_owned(), it.join(".")]));
    if reads.clock {
        rows.push(vec!["clock".to_owned(), String::new()]);
    }
    let shown = if rows.is_empty() { "reads nothing\n".to_owned() } else { table(&["READS", "NAME"], &rows) };
    (json!({"variables": names, "paths": reads.paths, "clock": reads.clock}), shown)
}

/// What the evaluation took, and what it may take.
fn cost(spent: Option<Spent>, limits: &Limits, size: u64, estimate: Option<Estimate>) -> (Json, String) {
    let data = json!({
        "spent": spent.map(|it| json!({"steps": it.steps, "memory": it.memory})),
        "limits": {"steps": limits.steps, "memory": limits.memory},
        "estimate": estimate.map(|it| json!({"size": size, "min": it.min, "max": it.max})),
    });
    let of = |value: Option<u64>| value.map_or_else(|| "not counted".to_owned(), |it| it.to_string());
    let row = |name: &str, value: Option<u64>, limit: u64| vec![name.to_owned(), of(value), limit.to_string()];
    let rows = [
        row("steps", spent.map(|it| it.steps), limits.steps),
        row("memory", spent.map(|it| it.memory), limits.memory),
        row("steps at least", estimate.map(|it| it.min), limits.steps),
        row(&format!("steps at most, lists of {size}"), estimate.map(|it| it.max), limits.steps),
    ];
    (data, table(&["COST", "VALUE", "LIMIT"], &rows))
}
