//! The language, as families see it: text to a program of the shared machine.

use std::sync::Arc;

use kanon_lang::{Compiled, Diagnostics, Environment, Language, LanguageId, Options, Program};

use crate::{ast::Tree, dialect::Meaning};

/// The language expr. `regexMatch` is always there (spec/rules 2.8); other functions come from the environment, and names of
/// built-ins stay with the built-ins' meaning.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct Expr;

impl Language for Expr {
    fn id(&self) -> LanguageId {
        LanguageId::EXPR
    }

    fn compile(&self, source: &str, env: &Environment, options: &Options) -> Result<Arc<dyn Program>, Diagnostics> {
        let tree = analyse(source, env, options)?;
        let code = crate::lower::lower(&tree, env)
            .map_err(|too_deep| Diagnostics::one(source, too_deep.to_string(), too_deep.place.at))?;
        Ok(Arc::new(Compiled::<Meaning>::new(source, code, options.boolean)))
    }
}

/// The tree that is compiled: parsed, checked, rewritten.
pub(crate) fn analyse(source: &str, env: &Environment, options: &Options) -> Result<Tree, Diagnostics> {
    let tree = crate::parser::parse(source, env)?;
    if !options.unchecked {
        crate::check::check(&tree, source, env, options.boolean)?;
    }
    crate::rewrite::rewrite(&tree, env).map_err(|(message, at)| Diagnostics::one(source, message, at))
}
