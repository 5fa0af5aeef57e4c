//! Sets of fields: what one manager owns, as a tree. In JSON they are `FieldsV1`.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::element::Element;

/// A set of fields. That something below a field is in the set does not mean that the field itself is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FieldSet {
    /// INVARIANT: each node is a member or has something below.
    nodes: BTreeMap<Element, FieldNode>,
}

/// What a set holds at and below one field.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct FieldNode {
    /// Whether the field itself is in the set.
    pub(super) member: bool,
    /// What is in the set below it.
    pub(super) below: FieldSet,
}

impl FieldSet {
    /// Reads `fieldsV1`.
    ///
    /// # Errors
    /// The key that is none.
    pub fn from_fields_v1(json: &Value) -> Result<FieldSet, String> {
        let mut set = FieldSet::default();
        for (key, value) in json.as_object().into_iter().flatten() {
            if key == "." {
                continue;
            }
            let element = Element::parse(key).ok_or_else(|| format!("invalid field key: `{key}`"))?;
            let below = FieldSet::from_fields_v1(value)?;
            let member = below.is_empty() || value.get(".").is_some();
            set.nodes.insert(element, FieldNode { member, below });
        }
        Ok(set)
    }

    /// The set as `fieldsV1`.
    pub fn to_fields_v1(&self) -> Value {
        Value::Object(self.nodes.iter().map(|(element, node)| (element.encode(), node.to_json())).collect())
    }

    /// Whether no field is in the set.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// Adds the field at `path`; the object itself is in no set.
    pub(super) fn insert(&mut self, path: &[Element]) {
        let Some((last, parents)) = path.split_last() else { return };
        let mut set = self;
        for element in parents {
            set = &mut set.node(element).below;
        }
        set.node(last).member = true;
    }

    /// What is at a field; made if absent. Most are there: their names are not copied to find them.
    fn node(&mut self, element: &Element) -> &mut FieldNode {
        if !self.nodes.contains_key(element) {
            self.nodes.insert(element.clone(), FieldNode::default());
        }
        self.nodes.get_mut(element).expect("inserted above")
    }

    /// What is in the set at and below a field.
    pub(super) fn get(&self, element: &Element) -> Option<&FieldNode> {
        self.nodes.get(element)
    }

    /// The union of both.
    #[must_use]
    pub fn union(&self, other: &FieldSet) -> FieldSet {
        let mut out = self.clone();
        for (element, node) in &other.nodes {
            let at = out.nodes.entry(element.clone()).or_default();
            at.member |= node.member;
            at.below = at.below.union(&node.below);
        }
        out
    }

    /// Fields that are in both.
    #[must_use]
    pub fn intersection(&self, other: &FieldSet) -> FieldSet {
        self.combine(other, |mine, theirs| FieldNode {
            member: mine.member && theirs.is_some_and(|it| it.member),
            below: theirs.map(|it| mine.below.intersection(&it.below)).unwrap_or_default(),
        })
    }

    /// Fields of this set that are not in `other`. That a field is in `other` says nothing about what is below it.
    #[must_use]
    pub fn difference(&self, other: &FieldSet) -> FieldSet {
        self.combine(other, |mine, theirs| match theirs {
            Some(theirs) => {
                FieldNode { member: mine.member && !theirs.member, below: mine.below.difference(&theirs.below) }
            }
            None => mine.clone(),
        })
    }

    fn combine(&self, other: &FieldSet, node: impl Fn(&FieldNode, Option<&FieldNode>) -> FieldNode) -> FieldSet {
        let nodes = self.nodes.iter().map(|(element, mine)| (element.clone(), node(mine, other.nodes.get(element))));
        FieldSet { nodes: nodes.filter(|(_, it)| it.member || !it.below.is_empty()).collect() }
    }

    /// The fields as text (`.spec.targets[name="x"]`), sorted by path, a field before what is below it.
    pub fn paths(&self) -> Vec<String> {
        let mut out = Vec::new();
        self.collect_paths("", &mut out);
        out
    }

    fn collect_paths(&self, prefix: &str, out: &mut Vec<String>) {
        for (element, node) in &self.nodes {
            let path = format!("{prefix}{element}");
            if node.member {
                out.push(path.clone());
            }
            node.below.collect_paths(&path, out);
        }
    }
}

impl FieldNode {
    fn to_json(&self) -> Value {
        let mut json = self.below.to_fields_v1();
        if let (Value::Object(members), true, false) = (&mut json, self.member, self.below.is_empty()) {
            members.insert(".".to_owned(), Value::Object(Map::new()));
        }
        json
    }
}
