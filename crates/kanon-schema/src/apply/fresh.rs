//! What the writer of a new object owns: all of it but what is the server's. The same as the way over sets and changes gives, which
//! an object without a past does not need: `fieldsV1` is made in one walk. It must not be used where anybody owns anything.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::{
    element::Element,
    set::{FieldNode, FieldSet},
    typed::{Place, Shape},
};

/// The fields of `value` as `fieldsV1`, without those in `unowned`.
pub(super) fn fields_v1(place: Place<'_>, value: &Value, unowned: Option<&FieldSet>) -> Map<String, Value> {
    let mut out = Map::new();
    match (place.common_shape(None, Some(value)), value) {
        (Shape::Map, Value::Object(members)) => {
            for (key, member) in members {
                // Only the root and its metadata hold fields of the server's: below them no name is looked up.
                let known = unowned.and_then(|it| it.get(&Element::Field(key.clone())));
                put(place.child(key), ["f:", key].concat(), member, known, &mut out);
            }
        }
        (Shape::List(keys), Value::Array(items)) => {
            // Of elements with one name the first counts.
            let mut seen = BTreeSet::new();
            for item in items {
                let Ok(element) = place.element(keys, item) else { continue };
                if !seen.contains(&element) {
                    put(place.items(), element.encode(), item, unowned.and_then(|it| it.get(&element)), &mut out);
                    seen.insert(element);
                }
            }
        }
        _ => {}
    }
    out
}

fn put(place: Place<'_>, name: String, value: &Value, known: Option<&FieldNode>, out: &mut Map<String, Value>) {
    let mut below = fields_v1(place, value, known.map(|it| &it.below));
    let is_new = !place.is_always_there() || (place.shape(value) == Shape::Leaf && !is_zero(value));
    let is_owned = is_new && known.is_none_or(|it| !it.member);
    if is_owned && !below.is_empty() {
        below.insert(".".to_owned(), Value::Object(Map::new()));
    }
    if is_owned || !below.is_empty() {
        out.insert(name, Value::Object(below));
    }
}

/// What a place holds that nobody has written to.
fn is_zero(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Bool(true) => false,
        Value::Number(it) => it.as_f64() == Some(0.0),
        Value::String(it) => it.is_empty(),
        Value::Array(it) => it.is_empty(),
        Value::Object(it) => it.is_empty(),
    }
}
