//! CEL, the Common Expression Language, as cel-go has it: for `x-kubernetes-validations`, match conditions, promotion gates and
//! `kanon eval`.
//!
//! A text is parsed, checked against the declared environment, and evaluated within limits. Macros are kept as what they are;
//! the libraries of cel-go and Kubernetes are declared as typed functions; protobuf messages are not supported.

mod ast;
mod check;
pub mod cost;
mod dialect;
#[cfg(test)]
mod differential;
mod functions;
mod lexer;
pub mod library;
mod lint;
mod literal;
mod lower;
mod parser;
mod print;
#[cfg(test)]
mod reference;
mod suggest;
mod tree;
pub mod values;

use std::{fmt::Write as _, sync::Arc};

use kanon_lang::{Bound, Compiled, Diagnostic, Diagnostics, Environment, Language, LanguageId, Options, Program};

use crate::{
    check::{Checked, Rules},
    dialect::Meaning,
    functions::Functions,
    parser::Dialect,
};

/// The language CEL.
#[derive(Clone)]
pub struct Cel {
    functions: Arc<Functions>,
    container: String,
    dialect: Dialect,
}

impl Default for Cel {
    fn default() -> Cel {
        let dialect = Dialect { macros: true, blocks: false };
        Cel { functions: Arc::new(Functions::new(library::all())), container: String::new(), dialect }
    }
}

impl Cel {
    /// The language with names looked up in `container` first, as if they were written with it and a point before them.
    #[must_use]
    pub fn in_container(mut self, container: &str) -> Cel {
        container.clone_into(&mut self.container);
        self
    }

    /// The language with macros, or with calls that have their names.
    #[must_use]
    pub fn with_macros(mut self, macros: bool) -> Cel {
        self.dialect.macros = macros;
        self
    }

    /// The language with `cel.block`, which optimisers write.
    #[must_use]
    pub fn with_blocks(mut self) -> Cel {
        self.dialect.blocks = true;
        self
    }

    /// The type of an expression's value, as cel-go prints types.
    ///
    /// # Errors
    /// What [`Language::compile`] finds.
    pub fn type_of(&self, source: &str, env: &Environment) -> Result<String, Diagnostics> {
        let checked = self.check(source, env, &Options::default())?;
        Ok(checked.type_of(checked.expr.id).to_string())
    }

    /// What an evaluation costs at least and at most, in the units of Kubernetes: see [`cost`].
    ///
    /// # Errors
    /// What [`Language::compile`] finds.
    pub fn cost(&self, source: &str, env: &Environment, bounds: &[Bound]) -> Result<cost::Range, Diagnostics> {
        Ok(cost::estimate(&self.check(source, env, &Options::default())?, bounds))
    }

    fn check(&self, source: &str, env: &Environment, options: &Options) -> Result<Checked, Diagnostics> {
        let parsed = parser::parse(source, self.dialect)?;
        let rules = Rules { container: &self.container, strict: !options.unchecked, boolean: options.boolean };
        check::check(source, parsed, &self.functions, env, rules)
    }
}

impl Language for Cel {
    fn id(&self) -> LanguageId {
        LanguageId::CEL
    }

    fn compile(&self, source: &str, env: &Environment, options: &Options) -> Result<Arc<dyn Program>, Diagnostics> {
        let checked = self.check(source, env, options)?;
        let (code, _) =
            lower::lower(&checked, env).map_err(|error| Diagnostics::one(source, error.to_string(), error.place.at))?;
        Ok(Arc::new(Compiled::<Meaning>::new(source, code, options.boolean)))
    }

    /// A text with comments stays as it is: they are no part of the tree.
    fn format(&self, source: &str) -> Result<String, Diagnostics> {
        let parsed = parser::parse(source, self.dialect)?;
        Ok(if lexer::has_comment(source) { source.to_owned() } else { print::print(&parsed.expr) })
    }

    fn lint(&self, source: &str, env: &Environment, options: &Options) -> Vec<Diagnostic> {
        let Ok(checked) = self.check(source, env, options) else { return Vec::new() };
        lower::lower(&checked, env).map_or_else(|_| Vec::new(), |(_, known)| lint::lint(&checked, &known))
    }

    fn worst_cost(&self, source: &str, env: &Environment, bounds: &[Bound]) -> Option<u64> {
        self.cost(source, env, bounds).ok().map(|it| it.max)
    }

    fn tree(&self, source: &str) -> Result<String, Diagnostics> {
        parser::parse(source, self.dialect).map(|it| tree::tree(&it.expr))
    }
}

/// The mistakes as Kubernetes shows them: `ERROR: <input>:1:5: …`, the line, and a caret under the place.
pub fn kubernetes_text(mistakes: &Diagnostics) -> String {
    let mut out = String::new();
    for (at, mistake) in mistakes.list.iter().enumerate() {
        let (line, column) = mistakes.position(mistake.span);
        let text = mistakes.source.lines().nth(line - 1).unwrap_or_default();
        let separator = if at == 0 { "" } else { "\n" };
        let dots = ".".repeat(column - 1);
        // Writing to a string does not fail.
        let _ = write!(out, "{separator}ERROR: <input>:{line}:{column}: {}\n | {text}\n | {dots}^", mistake.message);
    }
    out
}
