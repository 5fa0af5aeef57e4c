//! The language, as families see it: text to a program of the shared machine.

use std::sync::Arc;

use kanon_lang::{Compiled, Diagnostic, Diagnostics, Environment, Language, LanguageId, Options, Program};

use crate::{
    ast::{Kind, Node, Tree},
    dialect::Meaning,
};

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
        let (tree, mentioned) = analyse(source, env, options)?;
        let code = crate::lower::lower(&tree, env)
            .map_err(|too_deep| Diagnostics::one(source, too_deep.to_string(), too_deep.place.at))?;
        Ok(Arc::new(Compiled::<Meaning>::new(source, code, options.boolean).mentioning(mentioned)))
    }

    /// Comments belong to no part of the tree: texts that have any are left as they are.
    fn format(&self, source: &str) -> Result<String, Diagnostics> {
        let tree = crate::parser::parse(source, &Environment::default())?;
        if crate::lexer::has_comments(source) {
            return Ok(source.trim_end().to_owned());
        }
        let text = crate::print::print(&tree);
        // What was a long pipe would be calls too deep in each other to be read: it stays a pipe.
        match crate::parser::parse(&text, &Environment::default()) {
            Ok(_) => Ok(text),
            Err(_) => Ok(source.trim_end().to_owned()),
        }
    }

    fn tree(&self, source: &str) -> Result<String, Diagnostics> {
        let tree = crate::parser::parse(source, &Environment::default())?;
        Ok(crate::outline::outline(&tree, source))
    }

    fn lint(&self, source: &str, env: &Environment, options: &Options) -> Vec<Diagnostic> {
        let (Ok(tree), Ok((rewritten, _))) = (crate::parser::parse(source, env), analyse(source, env, options)) else {
            return Vec::new();
        };
        crate::lint::lint(&tree, &rewritten, env, options.boolean)
    }
}

/// The tree that is compiled (parsed, checked, rewritten), and the variables that stand in the text.
pub(crate) fn analyse(source: &str, env: &Environment, options: &Options) -> Result<(Tree, Vec<usize>), Diagnostics> {
    let tree = crate::parser::parse(source, env)?;
    if !options.unchecked {
        crate::check::check(&tree, source, env, options.boolean)?;
    }
    let variable = |node: &Node| match node.kind {
        Kind::Variable(slot) => Some(slot),
        _ => None,
    };
    let mentioned = tree.nodes.iter().filter_map(variable).collect();
    let rewritten = crate::rewrite::rewrite(&tree, env);
    let rewritten = rewritten.map_err(|(message, at)| Diagnostics::one(source, message, at))?;
    Ok((rewritten, mentioned))
}
