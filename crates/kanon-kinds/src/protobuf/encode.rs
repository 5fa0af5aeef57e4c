//! Objects as protobuf answers, for clients that accept nothing else: the way back of [`super::decode_protobuf`], by the same
//! tables. Absent and null members are left out, which every reader takes for their zero value.

use base64::{Engine, engine::general_purpose::STANDARD};
use jiff::Timestamp;
use kanon_core::GroupVersionKind;
use serde_json::{Map, Value};

use super::{
    MAGIC, MAX_DEPTH, Place, ProtobufError, SCHEMA,
    list::ProtobufList,
    put::{bytes, double, integer},
};
use crate::{
    resources,
    table::{self, FieldDef, FieldType, Scalar, Tables, TypeId},
};

/// Writes an object, or a list of objects, that has `apiVersion` and `kind`.
///
/// # Errors
/// Kinds without a table, members that are not of their type; never panics.
pub fn encode_protobuf(object: &Value) -> Result<Vec<u8>, ProtobufError> {
    let text = |name: &str| object[name].as_str().unwrap_or_default().to_owned();
    let (api_version, kind) = (text("apiVersion"), text("kind"));
    let Some(id) = resources::type_of(&GroupVersionKind::from_api_version(&api_version, &kind)) else {
        return ProtobufList::new(object)?.whole(object);
    };
    let members = object.as_object().ok_or(ProtobufError::Malformed)?;
    let message = Encoder::new().message(id, members, 0)?;
    let mut out = MAGIC.to_vec();
    body_of(&api_version, &kind, &mut out);
    bytes(2, &message, &mut out);
    out.extend_from_slice(ProtobufList::TAIL);
    Ok(out)
}

/// Appends the field of a body that names the kind.
pub(super) fn body_of(api_version: &str, kind: &str, out: &mut Vec<u8>) {
    let mut meta = Vec::new();
    bytes(1, api_version.as_bytes(), &mut meta);
    bytes(2, kind.as_bytes(), &mut meta);
    bytes(1, &meta, out);
}

/// Writes a watch event around an object that was written by [`encode_protobuf`].
pub fn encode_protobuf_event(kind: &str, object: &[u8]) -> Vec<u8> {
    let mut raw = Vec::new();
    bytes(1, object, &mut raw);
    let mut event = Vec::new();
    bytes(1, kind.as_bytes(), &mut event);
    bytes(2, &raw, &mut event);
    event
}

/// Writes messages by the tables.
#[derive(Clone, Copy)]
pub(super) struct Encoder {
    tables: &'static Tables,
}

impl Encoder {
    pub(super) fn new() -> Encoder {
        Encoder { tables: table::tables() }
    }

    /// The type of this published name.
    pub(super) fn find(self, name: &str) -> Option<TypeId> {
        self.tables.find(name)
    }

    pub(super) fn message(
        self,
        id: TypeId,
        members: &Map<String, Value>,
        depth: usize,
    ) -> Result<Vec<u8>, ProtobufError> {
        if depth > MAX_DEPTH {
            return Err(ProtobufError::TooDeep);
        }
        let def = self.tables.get(id);
        let mut out = Vec::new();
        for field in &def.fields {
            let Some(number) = field.number else { continue };
            let place = Place { message: &def.name, field: field.name };
            if let (FieldType::Message(id), true) = (&field.ty, field.inline) {
                let inlined = self.message(*id, members, depth + 1)?;
                if !inlined.is_empty() {
                    bytes(number, &inlined, &mut out);
                }
            } else if let Some(value) = members.get(field.name).filter(|it| !it.is_null()) {
                self.field(place, field, number, value, depth, &mut out)?;
            }
        }
        Ok(out)
    }

    fn field(
        self,
        place: Place<'_>,
        field: &FieldDef,
        number: u32,
        value: &Value,
        depth: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), ProtobufError> {
        match &field.ty {
            FieldType::List(element) => {
                for item in value.as_array().ok_or_else(|| place.wants("a list"))? {
                    self.value(place, element, number, item, depth, out)?;
                }
            }
            FieldType::Map(element) => {
                for (key, item) in value.as_object().ok_or_else(|| place.wants("a map"))? {
                    let mut entry = Vec::new();
                    bytes(1, key.as_bytes(), &mut entry);
                    match element.as_ref() {
                        // The only lists within maps are messages with one field of their own.
                        FieldType::List(inner) => {
                            let mut list = Vec::new();
                            for item in item.as_array().into_iter().flatten() {
                                self.value(place, inner, 1, item, depth + 1, &mut list)?;
                            }
                            bytes(2, &list, &mut entry);
                        }
                        element => self.value(place, element, 2, item, depth + 1, &mut entry)?,
                    }
                    bytes(number, &entry, out);
                }
            }
            ty @ (FieldType::Message(_) | FieldType::Scalar(_)) => self.value(place, ty, number, value, depth, out)?,
        }
        Ok(())
    }

    fn value(
        self,
        place: Place<'_>,
        ty: &FieldType,
        number: u32,
        value: &Value,
        depth: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), ProtobufError> {
        match ty {
            FieldType::Message(id) => {
                let members = value.as_object().ok_or_else(|| place.wants("an object"))?;
                bytes(number, &self.message(*id, members, depth + 1)?, out);
                Ok(())
            }
            FieldType::Scalar(scalar) => self.scalar(place, *scalar, number, value, depth, out),
            FieldType::List(_) | FieldType::Map(_) => Err(place.wants("a plain value")),
        }
    }

    fn scalar(
        self,
        place: Place<'_>,
        scalar: Scalar,
        number: u32,
        value: &Value,
        depth: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), ProtobufError> {
        let text = || value.as_str().ok_or_else(|| place.wants("text"));
        match scalar {
            Scalar::String => bytes(number, text()?.as_bytes(), out),
            Scalar::Bytes => {
                let decoded = STANDARD.decode(text()?).map_err(|_| place.wants("base64"))?;
                bytes(number, &decoded, out);
            }
            Scalar::Bool => {
                integer(number, i64::from(value.as_bool().ok_or_else(|| place.wants("true or false"))?), out);
            }
            Scalar::Int32 | Scalar::Int64 => {
                integer(number, value.as_i64().ok_or_else(|| place.wants("a whole number"))?, out);
            }
            Scalar::Double => {
                double(number, value.as_f64().ok_or_else(|| place.wants("a number"))?, out);
            }
            Scalar::Time | Scalar::MicroTime => {
                let time: Timestamp = text()?.parse().map_err(|_| place.wants("a time"))?;
                let mut message = Vec::new();
                integer(1, time.as_second(), &mut message);
                integer(2, i64::from(time.subsec_nanosecond()), &mut message);
                bytes(number, &message, out);
            }
            Scalar::Quantity => {
                // A quantity may stand as a number in JSON.
                let amount = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                wrapped(number, amount.as_bytes(), out);
            }
            Scalar::IntOrString => {
                let mut message = Vec::new();
                integer(1, i64::from(value.is_string()), &mut message);
                integer(2, value.as_i64().unwrap_or_default(), &mut message);
                bytes(3, value.as_str().unwrap_or_default().as_bytes(), &mut message);
                bytes(number, &message, out);
            }
            Scalar::Any | Scalar::Json | Scalar::Fields => wrapped(number, value.to_string().as_bytes(), out),
            Scalar::SchemaOrBool | Scalar::SchemaOrArray | Scalar::SchemaOrStrings => {
                let union = self.schema_union(place, scalar, value, depth)?;
                bytes(number, &union, out);
            }
        }
        Ok(())
    }

    /// Field 1 and 2 are the alternatives; a schema that stands for a boolean says true besides.
    fn schema_union(
        self,
        place: Place<'_>,
        scalar: Scalar,
        value: &Value,
        depth: usize,
    ) -> Result<Vec<u8>, ProtobufError> {
        let id = self.find(SCHEMA).ok_or(ProtobufError::Malformed)?;
        let mut out = Vec::new();
        match value {
            Value::Bool(flag) => integer(1, i64::from(*flag), &mut out),
            Value::Object(schema) => {
                let schema = self.message(id, schema, depth + 1)?;
                if scalar == Scalar::SchemaOrBool {
                    integer(1, 1, &mut out);
                    bytes(2, &schema, &mut out);
                } else {
                    bytes(1, &schema, &mut out);
                }
            }
            Value::Array(items) => {
                for item in items {
                    match item {
                        Value::Object(schema) => bytes(2, &self.message(id, schema, depth + 1)?, &mut out),
                        Value::String(name) => bytes(2, name.as_bytes(), &mut out),
                        _ => return Err(place.wants("schemas or names")),
                    }
                }
            }
            _ => return Err(place.wants("a schema")),
        }
        Ok(out)
    }
}

/// Text in a message of one field.
fn wrapped(number: u32, content: &[u8], out: &mut Vec<u8>) {
    let mut message = Vec::new();
    bytes(1, content, &mut message);
    bytes(number, &message, out);
}
