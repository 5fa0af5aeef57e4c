//! The canonical layout of a text, that of `opa fmt`: tabs, one expression a line, collections broken where they are broken
//! in the source, `:=` in heads, parentheses around operators inside of operators.
//!
//! Tree and comments go in, text comes out. A construct with a comment where the layout has no place for one keeps its text
//! as written. Nothing leaves here that does not read back as the same tree with the same comments.

mod rule;
mod term;
mod writer;

use kanon_lang::{Diagnostics, Span};

use crate::{
    ast::{Body, Module, Term, TermKind},
    format::writer::Writer,
    lex::lex,
    parse::{parse_module, parse_query},
};

/// A module in its layout.
///
/// # Errors
/// Where the text does not parse, or, which would be a mistake here, where its layout does not read back.
pub(crate) fn module(source: &str) -> Result<String, Diagnostics> {
    let tree = parse_module(source, false)?;
    let (tokens, _) = lex(source).map_err(|mistake| Diagnostics::new(source, vec![mistake]))?;
    let (meant, said) = (shape(&tree), comments(source, &tree));
    // Parentheses that only help the reader may nest deeper than the parser goes: then there are none.
    for is_bare in [false, true] {
        let mut writer = Writer::new(source, &tokens, &tree.comments, is_bare);
        writer.module(&tree);
        let text = writer.finish();
        if parse_module(&text, false).is_ok_and(|it| shape(&it) == meant && comments(&text, &it) == said) {
            return Ok(text);
        }
    }
    Err(Diagnostics::one(source, "the text has no layout that reads back as itself", tree.package_span))
}

/// A query in its layout.
///
/// # Errors
/// As for modules.
pub(crate) fn query(source: &str) -> Result<String, Diagnostics> {
    let body = parse_query(source, false)?;
    let (tokens, spans) = lex(source).map_err(|mistake| Diagnostics::new(source, vec![mistake]))?;
    let bare = |body: &Body| without_places(format!("{body:?}"));
    for is_bare in [false, true] {
        let mut writer = Writer::new(source, &tokens, &spans, is_bare);
        writer.query(&body);
        let text = writer.finish();
        if parse_query(&text, false).is_ok_and(|it| bare(&it) == bare(&body)) {
            return Ok(text);
        }
    }
    Err(Diagnostics::one(source, "the text has no layout that reads back as itself", Span::default()))
}

/// The texts of the comments; imports may change places, and their comments with them.
fn comments<'s>(source: &'s str, module: &Module) -> Vec<&'s str> {
    let mut texts: Vec<&str> =
        module.comments.iter().filter_map(|it| source.get(it.start as usize..it.end as usize)).collect();
    texts.sort_unstable();
    texts
}

/// The tree as text, without what the layout may change: places, the order of imports, a value that is true anyway.
fn shape(module: &Module) -> String {
    let mut module = module.clone();
    module.comments.clear();
    module.imports.sort_by(|a, b| (&a.path, &a.alias).cmp(&(&b.path, &b.alias)));
    for rule in &mut module.rules {
        if !rule.body.is_empty() && is_true(rule.head.value.as_ref()) {
            rule.head.value = None;
        }
        for otherwise in rule.otherwise.iter_mut().filter(|it| !it.body.is_empty()) {
            if is_true(otherwise.value.as_ref()) {
                otherwise.value = None;
            }
        }
    }
    without_places(format!("{module:?}"))
}

fn is_true(value: Option<&Term>) -> bool {
    matches!(value.map(|it| &it.kind), Some(TermKind::Bool(true)))
}

/// A tree's text without its spans.
fn without_places(text: String) -> String {
    const PLACE: &str = "Span { ";
    let mut pieces = text.split(PLACE);
    let mut out = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        out.push_str(piece.split_once('}').map_or(piece, |it| it.1));
    }
    out
}
