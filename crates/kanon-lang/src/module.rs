//! What languages whose texts are modules (Rego) need besides: which package is expected, which rules must exist, which
//! query a program answers; and the list of what a module holds. Languages of single expressions ignore all of it.

use crate::diagnostic::Span;

/// How a module is compiled. Each query of a module is a program of its own, compiled from the same text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ModuleOptions {
    /// The package that the text must declare, without `data.`: `signalprocessing`. Another one is a mistake at the
    /// place of its name. `None` takes any.
    pub package: Option<String>,
    /// Rules of the package that must exist, by name; a missing one is a mistake.
    pub entrypoints: Vec<String>,
    /// The query that the program answers with the module loaded, such as `data.signalprocessing.severity`: the value
    /// of its last expression, and a list of values where it has several answers. Where it has none, the rule being
    /// undefined or missing, the value is [`Value::Optional`](crate::Value::Optional) of `None`, which tells it from
    /// null. `None` asks for the whole package (null where there is nothing).
    pub query: Option<String>,
    /// A built-in that fails on its arguments is an error of the evaluation; without this, the expression around it is
    /// undefined.
    pub strict: bool,
    /// The text is in the language's former version (Rego v0).
    pub legacy: bool,
}

/// What a module holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outline {
    /// Its package, without `data.`.
    pub package: String,
    /// Its rules in order of place; a name stands once for each time the text defines it.
    pub rules: Vec<OutlineRule>,
}

impl Outline {
    /// Whether the module has a rule of this name, with a body or by default.
    pub fn has(&self, name: &str) -> bool {
        self.rules.iter().any(|rule| rule.name == name)
    }

    /// Whether the rule of this name has a default.
    pub fn has_default(&self, name: &str) -> bool {
        self.rules.iter().any(|rule| rule.name == name && rule.is_default)
    }
}

/// One definition of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutlineRule {
    /// Its name: constant parts of its reference, joined by dots.
    pub name: String,
    /// What it makes.
    pub kind: RuleKind,
    /// Whether it is the value that stands where no other definition gives one.
    pub is_default: bool,
    /// The place of its head.
    pub span: Span,
}

/// What a rule makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RuleKind {
    /// One value.
    Complete,
    /// A set, an element at a time.
    Set,
    /// An object, a member at a time.
    Object,
    /// A function of its arguments.
    Function,
}
