//! What tests of this crate share.

use serde_json::Value;

use crate::schema::Schema;

/// A schema from its JSON form.
pub(crate) fn schema(json: &Value) -> Schema {
    crate::crd::from_json(json)
}
