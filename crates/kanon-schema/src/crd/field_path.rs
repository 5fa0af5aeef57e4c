//! `fieldPath` of a rule: `.spec.replicas`, `.labels['a.b/c']`, below the place of the rule.

use std::{iter::Peekable, str::Chars};

use crate::schema::Schema;

/// The path as errors print it, without leading dot; `None` when the schema has no such field. Lists cannot be entered.
pub(crate) fn rule_field(schema: &Schema, path: &str) -> Option<String> {
    let mut out = String::new();
    let mut schema = schema;
    let mut rest = path.chars().peekable();
    while let Some(c) = rest.next() {
        let name = match c {
            '.' => plain_name(&mut rest),
            '[' => quoted_name(&mut rest)?,
            _ => return None,
        };
        if name.is_empty() {
            return None;
        }
        if schema.properties.is_empty() {
            schema = schema.additional.as_deref()?;
            out.push_str(&format!("[{name}]"));
        } else {
            schema = schema.properties.get(&name)?;
            let dot = if out.is_empty() { "" } else { "." };
            out.push_str(&format!("{dot}{name}"));
        }
    }
    (!out.is_empty()).then_some(out)
}

fn plain_name(rest: &mut Peekable<Chars<'_>>) -> String {
    let mut name = String::new();
    while let Some(c) = rest.next_if(|it| !matches!(it, '.' | '[' | ']')) {
        name.push(c);
    }
    name
}

/// What stands between `['` and `']`.
fn quoted_name(rest: &mut Peekable<Chars<'_>>) -> Option<String> {
    rest.next_if_eq(&'\'')?;
    let mut name = String::new();
    loop {
        match rest.next()? {
            '\'' => break,
            '\\' => name.push(match rest.next()? {
                'a' => '\u{7}',
                'b' => '\u{8}',
                'f' => '\u{c}',
                'n' => '\n',
                'r' => '\r',
                't' => '\t',
                'v' => '\u{b}',
                c @ ('\'' | '\\') => c,
                _ => return None,
            }),
            c => name.push(c),
        }
    }
    rest.next_if_eq(&']').map(|_| name)
}
