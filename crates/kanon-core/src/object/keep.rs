//! Which parts of an object are kept where not all of it is read, and the object with those parts alone.
//!
//! What is left out cannot be told from what was never there. So whoever reads an object must have said so before it was cut
//! ([`Keep::covers`]), and an object that lacks something says that it does ([`Object::is_cut`]).

use std::{borrow::Cow, collections::BTreeMap};

use super::{Node, NodeKind, Object};

/// Names in a path; what lies deeper is kept with its parent. The containers of a CronJob's pods stand this deep.
const DEPTH_MAX: usize = 6;
/// What every object keeps.
const ALWAYS: [&str; 3] = ["apiVersion", "kind", "metadata"];

/// Parts of an object: all of it, or the members named. What an object is (`apiVersion`, `kind`, `metadata`) is always kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Keep {
    /// Everything.
    All,
    /// These members of an object, and of them no more than is said. Other values are kept whole.
    Members(BTreeMap<String, Keep>),
}

/// Only what an object is.
impl Default for Keep {
    fn default() -> Keep {
        Keep::Members(BTreeMap::new())
    }
}

impl Keep {
    /// Only what these paths lead to.
    pub fn paths<'p>(paths: impl IntoIterator<Item = &'p [&'p str]>) -> Keep {
        let mut keep = Keep::default();
        paths.into_iter().for_each(|path| keep.add(path));
        keep
    }

    /// What a path leads to, too; the empty path leads to everything.
    pub fn add<S: AsRef<str>>(&mut self, path: &[S]) {
        if path.first().is_some_and(|it| ALWAYS.contains(&it.as_ref())) {
            return;
        }
        self.add_below(&path[..path.len().min(DEPTH_MAX)]);
    }

    fn add_below<S: AsRef<str>>(&mut self, path: &[S]) {
        match (path, &mut *self) {
            ([], _) => *self = Keep::All,
            (_, Keep::All) => {}
            ([name, rest @ ..], Keep::Members(members)) => match members.get_mut(name.as_ref()) {
                Some(known) => known.add_below(rest),
                None => {
                    let mut below = Keep::default();
                    below.add_below(rest);
                    members.insert(name.as_ref().to_owned(), below);
                }
            },
        }
    }

    /// What another one keeps, too.
    pub fn extend(&mut self, other: &Keep) {
        match (&mut *self, other) {
            (Keep::All, _) => {}
            (_, Keep::All) => *self = Keep::All,
            (Keep::Members(members), Keep::Members(others)) => {
                for (name, other) in others {
                    match members.get_mut(name) {
                        Some(known) => known.extend(other),
                        None => {
                            members.insert(name.clone(), other.clone());
                        }
                    }
                }
            }
        }
    }

    /// Whether everything is kept that another one keeps.
    pub fn covers(&self, other: &Keep) -> bool {
        match (self, other) {
            (Keep::All, _) => true,
            (Keep::Members(_), Keep::All) => false,
            (Keep::Members(members), Keep::Members(others)) => {
                others.iter().all(|(name, other)| members.get(name).is_some_and(|it| it.covers(other)))
            }
        }
    }
}

impl Object {
    /// The object with these parts alone: its text where nothing is left out, else a text of its own.
    #[must_use]
    pub fn keep(&self, keep: &Keep) -> Object {
        let mut text = String::new();
        let Some(true) = write(self.root(), keep, true, &mut text) else { return self.clone() };
        // Whole members of valid JSON are valid JSON.
        Object::parse(text).map_or_else(|_| self.clone(), |it| Object { cut: true, ..it })
    }

    /// Whether something of it was left out.
    pub fn is_cut(&self) -> bool {
        self.cut
    }
}

/// Writes what is kept of a value; says whether something is left out. `None` where that cannot be told by names: one is
/// written with escapes.
fn write(node: Node<'_>, keep: &Keep, outermost: bool, text: &mut String) -> Option<bool> {
    let Keep::Members(members) = keep else {
        text.push_str(node.raw());
        return Some(false);
    };
    if node.kind() != NodeKind::Object {
        text.push_str(node.raw());
        return Some(false);
    }
    let mut leaves_out = false;
    text.push('{');
    let mut first = true;
    for (name, member) in node.members() {
        let Cow::Borrowed(name) = name else { return None };
        let below = if outermost && ALWAYS.contains(&name) { Some(&Keep::All) } else { members.get(name) };
        let Some(below) = below else {
            leaves_out = true;
            continue;
        };
        if !std::mem::take(&mut first) {
            text.push(',');
        }
        text.push('"');
        text.push_str(name);
        text.push_str("\":");
        leaves_out |= write(member, below, false, text)?;
    }
    text.push('}');
    Some(leaves_out)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const POD: &str = r#"{"apiVersion":"v1","kind":"Pod","metadata":{"name":"a","labels":{}},"spec":{"containers":[{"name":"c"}],"nodeName":"n","volumes":[]},"status":{"phase":"Running","podIP":"1.2.3.4"}}"#;

    fn kept(text: &str, paths: &[&[&str]]) -> String {
        let object = Object::parse(text.to_owned()).unwrap();
        let kept = object.keep(&Keep::paths(paths.iter().copied()));
        assert_eq!(kept.is_cut(), kept.text() != object.text(), "{paths:?}");
        String::from_utf8(kept.text().to_vec()).unwrap()
    }

    #[test]
    fn only_the_members_named_stay() {
        let head = r#"{"apiVersion":"v1","kind":"Pod","metadata":{"name":"a","labels":{}}"#;
        let check =
            |paths: &[&[&str]], rest: &str| assert_eq!(kept(POD, paths), format!("{head}{rest}}}"), "{paths:?}");
        check(&[], "");
        check(&[&["metadata", "name"]], "");
        check(&[&["status", "phase"]], r#","status":{"phase":"Running"}"#);
        check(&[&["spec", "absent"]], r#","spec":{}"#);
        check(
            &[&["spec", "nodeName"], &["spec", "containers", "name"]],
            r#","spec":{"containers":[{"name":"c"}],"nodeName":"n"}"#,
        );
        check(&[&["spec", "nodeName", "x"]], r#","spec":{"nodeName":"n"}"#);
        assert_eq!(kept(POD, &[&["spec"], &["status"], &["spec", "nodeName"]]), POD);
        assert_eq!(kept(POD, &[&[]]), POD);
        // Nobody can tell which member is meant.
        let escaped = r#"{"sp\u0065c":1,"status":2}"#;
        assert_eq!(kept(escaped, &[]), escaped);
    }

    fn keeps() -> impl Strategy<Value = Keep> {
        let path = prop::collection::vec("[a-c]", 0..4);
        prop::collection::vec(path, 0..4).prop_map(|paths| {
            let mut keep = Keep::default();
            paths.iter().for_each(|path| keep.add(path));
            keep
        })
    }

    proptest! {
        #[test]
        fn a_union_covers_its_parts_and_no_more(a in keeps(), b in keeps(), path in prop::collection::vec("[a-c]", 1..4)) {
            let mut both = a.clone();
            both.extend(&b);
            prop_assert!(both.covers(&a) && both.covers(&b));
            prop_assert_eq!(a.covers(&b), both == a);
            let mut one = Keep::default();
            one.add(&path);
            // No member of a single path is in the union that is in neither part.
            prop_assert!(!both.covers(&one) || a.covers(&one) || b.covers(&one));
        }

        #[test]
        fn what_a_path_leads_to_stays(keep in keeps(), path in prop::collection::vec("[a-c]", 0..4), value in values()) {
            let mut more = keep;
            more.add(&path);
            let object = Object::from_value(&value);
            let kept = object.keep(&more);
            let path: Vec<_> = path.iter().map(String::as_str).collect();
            prop_assert_eq!(kept.at(&path).map(Node::raw), object.at(&path).map(Node::raw));
            prop_assert_eq!(&kept.keep(&more), &kept);
        }
    }

    fn values() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![Just(serde_json::Value::Null), any::<i32>().prop_map(Into::into)];
        leaf.prop_recursive(4, 40, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..3).prop_map(Into::into),
                prop::collection::btree_map("[a-d]", inner, 0..4)
                    .prop_map(|it| serde_json::Value::Object(it.into_iter().collect())),
            ]
        })
    }
}
