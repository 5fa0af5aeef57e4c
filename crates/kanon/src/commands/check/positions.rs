//! Where in a YAML text the parts of its documents stand. Read only for files in which something was found.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use serde_saphyr::Spanned;

/// A line and a column, both from 1; columns count characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Position {
    pub(crate) line: u64,
    pub(crate) column: u64,
}

/// A step from a value to a part of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// A member.
    Key(String),
    /// An element, from 0.
    Index(usize),
}

/// A path as people write it: `spec.containers[0].image`.
pub(crate) fn show(path: &[Step]) -> String {
    let mut text = String::new();
    for step in path {
        match step {
            Step::Key(key) if key.is_empty() || key.contains(['.', '/', '[', ' ']) => text += &format!("['{key}']"),
            Step::Key(key) if text.is_empty() => text += key,
            Step::Key(key) => text += &format!(".{key}"),
            Step::Index(at) => text += &format!("[{at}]"),
        }
    }
    text
}

/// The documents of a text, blank ones left out as when it is read.
pub(crate) struct Positions(Vec<Spanned<Shape>>);

/// A value without its content.
enum Shape {
    Scalar,
    List(Vec<Spanned<Shape>>),
    Map(Vec<(Spanned<String>, Spanned<Shape>)>),
}

impl Positions {
    /// Reads a text. One that is no YAML has no positions.
    pub(crate) fn read(text: &str) -> Positions {
        Positions(serde_saphyr::from_multiple(text).unwrap_or_default())
    }

    /// Where a part stands: a member where its name does, an element where it begins. A part that is not there stands where the
    /// one does that lacks it.
    pub(crate) fn find(&self, document: usize, path: &[Step]) -> Option<Position> {
        let mut value = self.0.get(document)?;
        let mut place = place(value);
        for step in path {
            let next = match (step, &value.value) {
                (Step::Key(key), Shape::Map(members)) => {
                    members.iter().find(|(name, _)| name.value == *key).map(|(name, it)| (place_of(name), it))
                }
                (Step::Index(at), Shape::List(items)) => items.get(*at).map(|it| (self::place(it), it)),
                _ => None,
            };
            let Some(next) = next else { break };
            (place, value) = next;
        }
        Some(place)
    }
}

fn place_of<T>(value: &Spanned<T>) -> Position {
    Position { line: value.referenced.line(), column: value.referenced.column() }
}

/// A map begins where its first member does: block maps have no mark of their own.
fn place(value: &Spanned<Shape>) -> Position {
    match &value.value {
        Shape::Map(members) => members.first().map_or_else(|| place_of(value), |(name, _)| place_of(name)),
        Shape::Scalar | Shape::List(_) => place_of(value),
    }
}

impl<'de> Deserialize<'de> for Shape {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Shape, D::Error> {
        deserializer.deserialize_any(ShapeVisitor)
    }
}

struct ShapeVisitor;

macro_rules! scalars {
    ($($method:ident($type:ty)),*) => {
        $(fn $method<E>(self, _: $type) -> Result<Shape, E> {
            Ok(Shape::Scalar)
        })*
    };
}

impl<'de> Visitor<'de> for ShapeVisitor {
    type Value = Shape;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a YAML value")
    }

    scalars!(
        visit_bool(bool),
        visit_i64(i64),
        visit_u64(u64),
        visit_i128(i128),
        visit_u128(u128),
        visit_f64(f64),
        visit_str(&str),
        visit_bytes(&[u8])
    );

    fn visit_unit<E>(self) -> Result<Shape, E> {
        Ok(Shape::Scalar)
    }

    fn visit_none<E>(self) -> Result<Shape, E> {
        Ok(Shape::Scalar)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Shape, D::Error> {
        Shape::deserialize(deserializer)
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<Shape, D::Error> {
        Shape::deserialize(deserializer)
    }

    fn visit_enum<A: serde::de::EnumAccess<'de>>(self, data: A) -> Result<Shape, A::Error> {
        data.variant::<IgnoredAny>().map(|_| Shape::Scalar)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Shape, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Shape::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Shape, A::Error> {
        let mut list = Vec::new();
        while let Some(member) = members.next_entry()? {
            list.push(member);
        }
        Ok(Shape::Map(list))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps(path: &str) -> Vec<Step> {
        let step = |it: &str| it.parse().map_or_else(|_| Step::Key(it.to_owned()), Step::Index);
        path.split('.').filter(|it| !it.is_empty()).map(step).collect()
    }

    #[test]
    fn members_elements_and_what_is_missing_have_their_places() {
        let text = "# a comment\n---\n# nothing\n---\nkind: Pod\nmetadata:\n  name: a\n  labels: {app: web, 'x.y/z': b}\nspec:\n  \
                    containers:\n  - name: c\n    image: x\n  - image: y\n    securityContext:\n      privileged: true\n---\n\
                    {kind: List, items: [{kind: Pod}, {kind: Node}]}\n";
        let positions = Positions::read(text);
        for (document, path, want) in [
            (0, "", (5, 1)),
            (0, "kind", (5, 1)),
            (0, "metadata.name", (7, 3)),
            (0, "metadata.labels.app", (8, 12)),
            (0, "metadata.labels.missing", (8, 3)),
            (0, "spec.containers.0", (11, 5)),
            (0, "spec.containers.1.securityContext.privileged", (15, 7)),
            (0, "spec.containers.1.securityContext.procMount.x", (14, 5)),
            (0, "spec.containers.7", (10, 3)),
            (1, "items.1.kind", (17, 36)),
        ] {
            let found = positions.find(document, &steps(path)).map(|it| (it.line, it.column));
            assert_eq!(found, Some(want), "{document} {path}");
        }
        assert_eq!(positions.find(2, &[]), None);
        assert_eq!(Positions::read("a: [").find(0, &[]), None);
    }

    #[test]
    fn values_of_every_kind_and_anchors_are_walked() {
        let text = "a: &x {b: 1}\nc: *x\nd: [~, true, 1.5, -1, 'é', !!binary aGk=, 18446744073709551615]\ne: |\n  text\n3: x\non: y\n";
        let positions = Positions::read(text);
        for (path, want) in [("c", (2, 1)), ("d.6", (3, 43)), ("e", (4, 1)), ("on", (7, 1))] {
            assert_eq!(positions.find(0, &steps(path)).map(|it| (it.line, it.column)), Some(want), "{path}");
        }
    }

    #[test]
    fn paths_read_as_people_write_them() {
        let path = [Step::Key("spec".into()), Step::Key("x".into()), Step::Index(2), Step::Key("a.b/c".into())];
        assert_eq!(show(&path), "spec.x[2]['a.b/c']");
        assert_eq!(show(&[]), "");
    }
}
