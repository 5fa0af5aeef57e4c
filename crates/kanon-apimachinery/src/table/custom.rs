//! Columns and cells of custom kinds: by JSONPath, one scalar each.

use jiff::Timestamp;
use kanon_core::{Node, NodeKind, Object};
use serde_json::{Value, json};

use crate::resource::{Custom, CustomColumn};

const NAME: &str = "Name must be unique within a namespace. Is required when creating resources, although some resources may allow a client to request the generation of an appropriate name automatically.";
const AGE: &str = "CreationTimestamp is a timestamp representing the server time when this object was created.";

/// The column definitions: the name, then what the definition says, else the age.
pub(super) fn columns(custom: &Custom) -> Value {
    let mut columns =
        vec![json!({"name": "Name", "type": "string", "format": "name", "description": NAME, "priority": 0})];
    if custom.columns.is_empty() {
        columns.push(json!({"name": "Age", "type": "date", "format": "", "description": AGE, "priority": 0}));
    }
    for CustomColumn { name, kind, format, description, priority, json_path, .. } in &custom.columns {
        let generic = format!("Custom resource definition column (in JSONPath format): {json_path}");
        let description = if description.is_empty() { &generic } else { description };
        columns.push(
            json!({"name": name, "type": kind, "format": format, "description": description, "priority": priority}),
        );
    }
    columns.into()
}

/// The cells of one object, as its version shows it.
pub(super) fn cells(custom: &Custom, object: &Object, now: Timestamp) -> Vec<Value> {
    let mut cells = vec![Value::from(object.str_at(&["metadata", "name"]))];
    if custom.columns.is_empty() {
        cells.push(cell("date", object.at(&["metadata", "creationTimestamp"]), now));
    }
    for column in &custom.columns {
        let found = column.path.as_ref().and_then(|path| path.first(object.root()));
        cells.push(cell(&column.kind, found, now));
    }
    cells
}

fn cell(kind: &str, node: Option<Node<'_>>, now: Timestamp) -> Value {
    let Some(node) = node.filter(|it| !it.is_null()) else { return Value::Null };
    match (kind, node.kind()) {
        ("string", NodeKind::String) => node.as_str().map_or(Value::Null, |it| it.into_owned().into()),
        ("string", _) => node.raw().into(),
        ("integer", NodeKind::Number) => match node.to_value() {
            Value::Number(number) if number.is_f64() => number.as_f64().map_or(Value::Null, |it| (it as i64).into()),
            other => other,
        },
        ("number", NodeKind::Number) | ("boolean", NodeKind::Bool) => node.to_value(),
        ("date", NodeKind::String) => age(&node.as_str().unwrap_or_default(), now).into(),
        _ => Value::Null,
    }
}

fn age(text: &str, now: Timestamp) -> String {
    match text.parse::<Timestamp>() {
        Ok(time) => kanon_kinds::human_duration(now.as_second().saturating_sub(time.as_second())),
        Err(_) => "<invalid>".to_owned(),
    }
}
