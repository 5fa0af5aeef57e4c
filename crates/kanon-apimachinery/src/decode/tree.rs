//! A JSON or YAML value that notices fields given twice.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, SeqAccess, Visitor},
};
use serde_json::{Map, Number, Value, map::Entry};

/// A value, and the paths of members that were given more than once (`spec.a`, `spec.list[0].b`). The last one counts.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tree {
    /// The value.
    pub value: Value,
    /// Paths in document order.
    pub duplicates: Vec<String>,
}

impl From<Value> for Tree {
    fn from(value: Value) -> Tree {
        Tree { value, duplicates: Vec::new() }
    }
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Tree, D::Error> {
        from.deserialize_any(TreeVisitor)
    }
}

struct TreeVisitor;

impl<'de> Visitor<'de> for TreeVisitor {
    type Value = Tree;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("any value")
    }

    fn visit_unit<E: Error>(self) -> Result<Tree, E> {
        Ok(Value::Null.into())
    }

    fn visit_none<E: Error>(self) -> Result<Tree, E> {
        Ok(Value::Null.into())
    }

    fn visit_some<D: Deserializer<'de>>(self, from: D) -> Result<Tree, D::Error> {
        Tree::deserialize(from)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Tree, E> {
        Ok(Value::Bool(value).into())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Tree, E> {
        Ok(Value::from(value).into())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Tree, E> {
        Ok(Value::from(value).into())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Tree, E> {
        let number = Number::from_f64(value).ok_or_else(|| E::custom("numbers must be finite"))?;
        Ok(Value::Number(number).into())
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Tree, E> {
        Ok(Value::from(value).into())
    }

    fn visit_string<E: Error>(self, value: String) -> Result<Tree, E> {
        Ok(Value::from(value).into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut from: A) -> Result<Tree, A::Error> {
        let (mut list, mut duplicates) = (Vec::new(), Vec::new());
        while let Some(element) = from.next_element::<Tree>()? {
            duplicates.extend(element.duplicates.iter().map(|it| join(&format!("[{}]", list.len()), it)));
            list.push(element.value);
        }
        Ok(Tree { value: Value::Array(list), duplicates })
    }

    fn visit_map<A: MapAccess<'de>>(self, mut from: A) -> Result<Tree, A::Error> {
        let (mut members, mut duplicates) = (Map::new(), Vec::new());
        while let Some((key, member)) = from.next_entry::<String, Tree>()? {
            duplicates.extend(member.duplicates.iter().map(|it| join(&key, it)));
            match members.entry(key) {
                Entry::Vacant(new) => drop(new.insert(member.value)),
                Entry::Occupied(mut known) => {
                    duplicates.push(known.key().clone());
                    known.insert(member.value);
                }
            }
        }
        Ok(Tree { value: Value::Object(members), duplicates })
    }
}

fn join(parent: &str, path: &str) -> String {
    if path.starts_with('[') { format!("{parent}{path}") } else { format!("{parent}.{path}") }
}
