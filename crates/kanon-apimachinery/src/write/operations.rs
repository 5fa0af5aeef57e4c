//! JSON patches (RFC 6902) as upstream's library applies them.
//!
//! Where it differs from the letter: a `test` for null holds where there is nothing. Controllers add their first finalizer with
//! such a test. Copies may double an object with each operation, so what they copy is bounded, all together.

use json_patch::PatchOperation;
use serde_json::Value;

use crate::status::{ApiError, Result};

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
        json_patch::patch(value, std::slice::from_ref(operation)).map_err(|_| ApiError::patch_failed())?;
    }
    Ok(())
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
    fn copies_do_not_grow_without_end() {
        let copies: Vec<Value> =
            (0..40).map(|it| json!({"op": "copy", "from": "", "path": format!("/c{it}")})).collect();
        check(&json!({"a": "x".repeat(1000)}), &Value::Array(copies), None);
    }
}
