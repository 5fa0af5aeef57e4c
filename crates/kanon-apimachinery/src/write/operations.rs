//! JSON patches (RFC 6902) as upstream's library applies them.
//!
//! Where it differs from the letter: a `test` for null holds where there is nothing. Controllers add their first finalizer with
//! such a test. Copies may double an object with each operation, so what they copy is bounded, all together.

use std::borrow::Cow;

use json_patch::PatchOperation;
use serde_json::Value;

use crate::{
    decode,
    status::{ApiError, Result},
};

/// Most bytes that the copies of a patch may add (upstream's limit).
const COPIED_MAX: usize = 3 << 20;

/// Applies the operations in order.
///
/// # Errors
/// 422 for a test that fails, a path that is not there, copies beyond the bound.
pub(super) fn apply_json(value: &mut Value, operations: &[PatchOperation]) -> Result<()> {
    let mut copied = 0;
    for operation in operations {
        match operation {
            PatchOperation::Test(test) if test.value.is_null() && value.pointer(test.path.as_str()).is_none() => {
                continue;
            }
            PatchOperation::Copy(copy) => {
                copied += value.pointer(copy.from.as_str()).map_or(0, |it| it.to_string().len());
                if copied > COPIED_MAX {
                    return Err(ApiError::patch_failed());
                }
            }
            _ => {}
        }
        let operation = counted(value, operation);
        json_patch::patch(value, std::slice::from_ref(&*operation)).map_err(|_| ApiError::patch_failed())?;
    }
    Ok(())
}

/// Reads the operations of a patch. An operation that is none is told with its text; a member given twice counts as given last.
///
/// # Errors
/// 400 for what is no list of operations; 422 for a path that is none.
pub(super) fn read(body: &[u8]) -> Result<Vec<PatchOperation>> {
    const KNOWN: [&str; 6] = ["add", "remove", "replace", "move", "copy", "test"];
    let wrong = |problem: String| ApiError::bad_request(format!("error decoding patch: {problem}"));
    let list: Value = serde_json::from_slice(body).map_err(|error| wrong(decode::json_problem(&error)))?;
    let cannot = |found: &Value, wanted: &str| {
        let kind = decode::json_type(found);
        wrong(format!("json: cannot unmarshal {kind} into Go value of type {wanted}"))
    };
    let Value::Array(items) = list else { return Err(cannot(&list, "[]handlers.jsonPatchOp")) };
    let operation = |item: Value| {
        if !item.is_object() {
            return Err(cannot(&item, "handlers.jsonPatchOp"));
        }
        if !item["op"].as_str().is_some_and(|it| KNOWN.contains(&it)) {
            return Err(ApiError::bad_request(format!("invalid operation {item}: unsupported operation")));
        }
        serde_json::from_value(item).map_err(|_| ApiError::patch_failed())
    };
    items.into_iter().map(operation).collect()
}

/// The operation with indexes that count from a list's end made ones that count from its beginning.
fn counted<'o>(value: &Value, operation: &'o PatchOperation) -> Cow<'o, PatchOperation> {
    let places = |text: &str| text.split('/').any(|it| it.starts_with('-') && it.len() > 1);
    let is_add = matches!(operation, PatchOperation::Add(_));
    if !places(operation.path().as_str()) {
        return Cow::Borrowed(operation);
    }
    let path = counted_path(value, operation.path().as_str(), is_add);
    let Ok(mut tree) = serde_json::to_value(operation) else { return Cow::Borrowed(operation) };
    tree["path"] = path.into();
    serde_json::from_value(tree).map_or(Cow::Borrowed(operation), Cow::Owned)
}

fn counted_path(value: &Value, path: &str, is_add: bool) -> String {
    let parts: Vec<&str> = path.split('/').skip(1).collect();
    let (mut place, mut out) = (Some(value), String::new());
    for (at, part) in parts.iter().enumerate() {
        let room = usize::from(is_add && at + 1 == parts.len());
        let index = match (place, part.parse::<i64>()) {
            (Some(Value::Array(items)), Ok(back @ ..0)) => {
                usize::try_from(back.unsigned_abs()).ok().and_then(|it| (items.len() + room).checked_sub(it))
            }
            _ => None,
        };
        let part = index.map_or_else(|| (*part).to_owned(), |it| it.to_string());
        out.push('/');
        out.push_str(&part);
        place = place.and_then(|it| it.pointer(&format!("/{part}")));
    }
    out
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(before: &Value, patch: &Value, after: Option<&Value>) {
        let operations: Vec<PatchOperation> = serde_json::from_value(patch.clone()).unwrap();
        let mut value = before.clone();
        let result = apply_json(&mut value, &operations);
        assert_eq!(result.is_ok().then_some(&value), after, "{patch}");
    }

    #[test]
    fn operations_mean_what_controllers_expect() {
        let object = json!({"metadata": {"name": "a", "gone": null}});
        check(
            &object,
            &json!([{"op": "test", "path": "/metadata/finalizers", "value": null},
                {"op": "add", "path": "/metadata/finalizers", "value": ["f"]}]),
            Some(&json!({"metadata": {"name": "a", "gone": null, "finalizers": ["f"]}})),
        );
        check(&object, &json!([{"op": "test", "path": "/metadata/gone", "value": null}]), Some(&object));
        check(&object, &json!([{"op": "test", "path": "/metadata/name", "value": null}]), None);
        check(&object, &json!([{"op": "test", "path": "/metadata/absent", "value": "x"}]), None);
        check(&object, &json!([{"op": "remove", "path": "/metadata/absent"}]), None);
        check(&object, &json!([{"op": "add", "path": "/spec/a", "value": 1}]), None);
    }

    #[test]
    fn lists_are_counted_from_both_ends() {
        let list = json!({"a": [1, 2, 3]});
        let op = |op: &str, path: &str| json!([{"op": op, "path": path, "value": 9}]);
        check(&list, &op("remove", "/a/-1"), Some(&json!({"a": [1, 2]})));
        check(&list, &op("replace", "/a/-3"), Some(&json!({"a": [9, 2, 3]})));
        check(&list, &op("add", "/a/-1"), Some(&json!({"a": [1, 2, 3, 9]})));
        check(&list, &op("add", "/a/-4"), Some(&json!({"a": [9, 1, 2, 3]})));
        check(&list, &op("remove", "/a/-4"), None);
        check(&json!({"-1": 1}), &op("remove", "/-1"), Some(&json!({})));
    }

    #[test]
    fn bodies_that_are_no_patches_are_told_apart() {
        for (body, want) in [
            ("{}", "error decoding patch: json: cannot unmarshal object into Go value of type []handlers.jsonPatchOp"),
            ("[3]", "error decoding patch: json: cannot unmarshal number into Go value of type handlers.jsonPatchOp"),
            ("[{", "error decoding patch: unexpected end of JSON input"),
            (r#"[{"op":"foo"}]"#, r#"invalid operation {"op":"foo"}: unsupported operation"#),
            (
                r#"[{"op":"add","path":"spec","value":1}]"#,
                "the server rejected our request due to an error in our request",
            ),
        ] {
            assert_eq!(read(body.as_bytes()).unwrap_err().message, want);
        }
        assert_eq!(read(br#"[{"op":"add","path":"/a","value":1,"value":2}]"#).unwrap().len(), 1);
    }

    #[test]
    fn copies_do_not_grow_without_end() {
        let copies: Vec<Value> =
            (0..40).map(|it| json!({"op": "copy", "from": "", "path": format!("/c{it}")})).collect();
        check(&json!({"a": "x".repeat(1000)}), &Value::Array(copies), None);
    }
}
