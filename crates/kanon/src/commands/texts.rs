//! What `eval`, `fmt` and `lint` share: the text, its language, and the variables it may use.

use std::{
    io::Read,
    path::{Path, PathBuf},
    sync::Arc,
};

use kanon_core::Object;
use kanon_lang::{Arena, Diagnostics, Environment, Language, LanguageId, Options, Value, did_you_mean};
use serde_json::{Value as Json, json};

use crate::{
    cli::{Lang, TextArgs},
    exit::Failure,
    languages,
};

/// The language that was named.
pub(crate) fn language(lang: Lang) -> Arc<dyn Language> {
    let id = match lang {
        Lang::Expr => LanguageId::EXPR,
        Lang::Cel => LanguageId::CEL,
        Lang::Rego => LanguageId::REGO,
    };
    languages::all()[&id].clone()
}

/// The language that a file's name stands for.
pub(crate) fn language_of(path: &Path) -> Option<Lang> {
    match path.extension()?.to_str()? {
        "expr" => Some(Lang::Expr),
        "cel" => Some(Lang::Cel),
        "rego" => Some(Lang::Rego),
        _ => None,
    }
}

/// A policy text with its language.
pub(crate) struct Text {
    /// How messages name it.
    pub(crate) place: String,
    /// Itself.
    pub(crate) source: String,
    /// Its language.
    pub(crate) language: Arc<dyn Language>,
}

impl Text {
    /// The text that the command line gives or names.
    pub(crate) fn read(args: &TextArgs) -> Result<Text, Failure> {
        match (&args.expression, &args.file) {
            (Some(name), _) if language_of(Path::new(name)).is_some() && Path::new(name).is_file() => {
                Err(Failure::usage(format!(
                    "`{name}` is a file: give it with --file (an expression that reads so stands in parentheses)"
                )))
            }
            (Some(expression), _) => Ok(Text {
                place: "expression".to_owned(),
                source: expression.clone(),
                language: language(args.lang.unwrap_or(Lang::Expr)),
            }),
            (None, Some(path)) => {
                if is_stdin(path) && args.context.as_deref().is_some_and(is_stdin) {
                    return Err(Failure::usage("the text and its context cannot both come from standard input"));
                }
                Text::read_file(path, args.lang)
            }
            (None, None) => Err(Failure::usage("give an expression, or a file with --file")),
        }
    }

    /// The text in a file, without the line break that ends it.
    pub(crate) fn read_file(path: &Path, lang: Option<Lang>) -> Result<Text, Failure> {
        let place = if is_stdin(path) { "<stdin>".to_owned() } else { path.display().to_string() };
        let Some(lang) = lang.or_else(|| language_of(path)) else {
            let is_manifest = path.extension().is_some_and(|it| it == "yaml" || it == "yml" || it == "json");
            let hint = match is_manifest {
                true => "it looks like a manifest: give the expression itself",
                false => "name it with --lang, or let the file's name end with .expr, .cel or .rego",
            };
            return Err(Failure::usage(format!("the language of `{place}` is not known: {hint}")));
        };
        let text = read(path).map_err(|problem| Failure::new(format!("failed to read `{place}`: {problem}")))?;
        // The end of the file's last line belongs to the file, not to an expression. A module keeps its lines.
        let source = match lang {
            Lang::Expr | Lang::Cel => text.trim_end().to_owned(),
            Lang::Rego => text,
        };
        Ok(Text { place, source, language: language(lang) })
    }
}

/// Whether standard input is meant.
pub(crate) fn is_stdin(path: &Path) -> bool {
    path.as_os_str() == "-"
}

/// A file's text, or standard input's.
pub(crate) fn read(path: &Path) -> Result<String, String> {
    let bytes = if is_stdin(path) {
        let mut bytes = Vec::new();
        std::io::stdin().read_to_end(&mut bytes).map(|_| bytes)
    } else {
        std::fs::read(path)
    };
    let bytes = bytes.map_err(|error| error.to_string())?;
    String::from_utf8(bytes).map_err(|error| format!("byte {} is not UTF-8", error.utf8_error().valid_up_to() + 1))
}

/// The variables an expression may use.
pub(crate) struct Context {
    /// Always an object.
    whole: Object,
    env: Environment,
    now: Option<jiff::Timestamp>,
}

impl Context {
    /// The members of `whole` are the variables; for Rego they are `input` and `data`, and any other object is the input.
    pub(crate) fn new(language: &dyn Language, whole: &Object) -> Context {
        let names = |it: &Object| it.root().members().map(|(name, _)| name.into_owned()).collect::<Vec<_>>();
        let mut whole = whole.clone();
        if language.id() == LanguageId::REGO && !names(&whole).iter().all(|it| it == "input" || it == "data") {
            whole = Object::from_value(&json!({"input": whole.to_value()}));
        }
        let names = names(&whole);
        Context { env: Environment::new(names.iter().map(String::as_str)), whole, now: None }
    }

    /// The variables in the named file; none without one.
    pub(crate) fn read(language: &dyn Language, path: Option<&PathBuf>) -> Result<Context, Failure> {
        Ok(Context::new(language, &read_context(path)?))
    }

    /// The same with a clock that stands at `now`.
    pub(crate) fn with_clock(mut self, now: Option<jiff::Timestamp>) -> Context {
        self.now = now;
        if now.is_some() {
            self.env = self.env.with_variable(Environment::NOW, kanon_lang::Type::Timestamp);
        }
        self
    }

    /// The names.
    pub(crate) fn env(&self) -> &Environment {
        &self.env
    }

    /// The values, by slot.
    pub(crate) fn values<'a>(&'a self, arena: &'a Arena) -> Vec<Value<'a>> {
        let members = self.whole.root().members().map(|(_, node)| Value::from_node(node, arena));
        members.chain(self.now.map(Value::Time)).collect()
    }
}

/// The object in a context file; an empty one without a file.
pub(crate) fn read_context(path: Option<&PathBuf>) -> Result<Object, Failure> {
    let Some(path) = path else {
        return Ok(Object::from_value(&json!({})));
    };
    let named = |problem: &dyn std::fmt::Display| {
        Failure::new(format!("the context `{}` cannot be read: {problem}", path.display()))
    };
    let text = read(path).map_err(|problem| named(&problem))?;
    // JSON first: its numbers come through exactly as written. What begins like JSON is told JSON's mistakes.
    let object = match Object::parse(text.clone()) {
        Ok(object) => object,
        Err(error) if path.extension().is_some_and(|it| it == "json") => return Err(named(&error)),
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

/// Adds to mistakes that are gone when their word is a variable what to do about it: no language needs to be asked what its
/// message means.
pub(crate) fn explain_unknown_variables(
    diagnostics: &mut Diagnostics,
    language: &dyn Language,
    env: &Environment,
    options: &Options,
) {
    let Diagnostics { source, list } = diagnostics;
    for mark in list.iter_mut().filter(|it| it.help.is_none()) {
        let word = source.get(mark.span.start as usize..).map(leading_word).unwrap_or_default();
        if word.is_empty() || env.slot(word).is_some() {
            continue;
        }
        let wider = env.clone().with_variable(word, kanon_lang::Type::Dyn);
        let remains = match language.compile(source, &wider, options) {
            Ok(_) => false,
            Err(others) => others.list.iter().any(|it| it.span == mark.span),
        };
        if !remains {
            let names = env.variables.iter().filter(|it| *it != Environment::NOW).map(String::as_str);
            mark.help = did_you_mean(word, names.clone()).or_else(|| {
                let names: Vec<_> = names.collect();
                Some(match names.as_slice() {
                    [] => format!("there are no variables: name `{word}` and its like with --context"),
                    _ => format!("the variables are {}", names.join(", ")),
                })
            });
        }
    }
}

/// The name that a text begins with; empty where it begins with something else.
pub(crate) fn leading_word(text: &str) -> &str {
    let end = text.find(|it: char| !it.is_alphanumeric() && it != '_').unwrap_or(text.len());
    if text.starts_with(|it: char| it.is_ascii_digit()) { "" } else { &text[..end] }
}
