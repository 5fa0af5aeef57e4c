//! Lists as protobuf, whole or piece by piece: the length of everything stands before the first item, so whoever writes piece by
//! piece measures the items first. Knows no single kind.

use kanon_core::GroupVersionKind;
use serde_json::Value;

use super::{
    MAGIC, ProtobufError,
    encode::{Encoder, body_of},
    put::{bytes, varint},
};
use crate::{META, resources, table::TypeId};

/// A list without its items.
#[derive(Clone, Debug)]
pub struct ProtobufList {
    api_version: String,
    kind: String,
    item: TypeId,
    /// The field with the list's metadata.
    metadata: Vec<u8>,
}

impl ProtobufList {
    /// What comes after the items.
    pub const TAIL: &'static [u8] = &[3 << 3 | 2, 0, 4 << 3 | 2, 0];

    /// From a list in JSON, whose items do not matter here.
    ///
    /// # Errors
    /// Kinds that are no list of a kind with a table.
    pub fn new(list: &Value) -> Result<ProtobufList, ProtobufError> {
        let text = |name: &str| list[name].as_str().unwrap_or_default().to_owned();
        let (api_version, kind) = (text("apiVersion"), text("kind"));
        let unknown = || ProtobufError::UnknownKind { api_version: api_version.clone(), kind: kind.clone() };
        let single = kind.strip_suffix("List").ok_or_else(unknown)?;
        let gvk = GroupVersionKind::from_api_version(&api_version, single);
        let item = resources::type_of(&gvk).ok_or_else(unknown)?;
        let encoder = Encoder::new();
        let list_meta = encoder.find(&format!("{META}.ListMeta")).ok_or_else(unknown)?;
        let mut metadata = Vec::new();
        if let Some(members) = list["metadata"].as_object() {
            bytes(1, &encoder.message(list_meta, members, 0)?, &mut metadata);
        }
        Ok(ProtobufList { api_version, kind, item, metadata })
    }

    /// One item.
    ///
    /// # Errors
    /// Members that are not of their type.
    pub fn item(&self, object: &Value) -> Result<Vec<u8>, ProtobufError> {
        let members = object.as_object().ok_or(ProtobufError::Malformed)?;
        let mut out = Vec::new();
        bytes(2, &Encoder::new().message(self.item, members, 0)?, &mut out);
        Ok(out)
    }

    /// What comes before the items, which take `items` bytes together.
    pub fn head(&self, items: usize) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        body_of(&self.api_version, &self.kind, &mut out);
        varint(2 << 3 | 2, &mut out);
        varint((self.metadata.len() + items) as u64, &mut out);
        out.extend_from_slice(&self.metadata);
        out
    }

    /// All of it.
    ///
    /// # Errors
    /// As of [`ProtobufList::item`].
    pub(super) fn whole(&self, list: &Value) -> Result<Vec<u8>, ProtobufError> {
        let mut items = Vec::new();
        for object in list["items"].as_array().into_iter().flatten() {
            items.extend(self.item(object)?);
        }
        Ok([self.head(items.len()).as_slice(), &items, ProtobufList::TAIL].concat())
    }
}
