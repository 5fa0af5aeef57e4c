//! Protobuf bodies (spec/kubernetes-api.md 2.1): kubectl 1.32 sends typed objects this way and has no fallback; answers are
//! written this way ([`encode_protobuf`]) where a client accepts nothing else.
//!
//! A body is four magic bytes and a `runtime.Unknown` message, which holds the kind and the object's own message. Fields and
//! their numbers come from the tables. Numbers that the tables do not know are skipped, as protobuf asks.

mod encode;
mod list;
pub mod put;
mod scalar;
mod wire;

pub use encode::{encode_protobuf, encode_protobuf_event};
pub use list::ProtobufList;

use kanon_core::GroupVersionKind;
use serde_json::{Map, Value};

use crate::{
    resources,
    table::{self, FieldDef, FieldType, Tables, TypeId},
};
use wire::{Payload, Reader};

/// What every such body starts with.
const MAGIC: &[u8] = b"k8s\0";
/// Published name of the type that the schema unions hold.
const SCHEMA: &str = "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps";
/// Messages within messages. A CRD's schema is the deepest thing that people send.
const MAX_DEPTH: usize = 64;
/// The media type, which the envelope may repeat.
const MEDIA_TYPE: &str = "application/vnd.kubernetes.protobuf";

/// Why a body could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProtobufError {
    /// The body does not start with the magic bytes.
    #[error("the body is not Kubernetes protobuf: it does not start with `k8s` and a zero byte")]
    NotProtobuf,
    /// The body ends within a field.
    #[error("the body ends in the middle of a field")]
    Truncated,
    /// Malformed number, tag or group.
    #[error("the body is not valid protobuf")]
    Malformed,
    /// Messages are nested too deeply.
    #[error("messages are nested deeper than {MAX_DEPTH}")]
    TooDeep,
    /// The envelope names a kind without a table.
    #[error("no kind `{kind}` in version `{api_version}` is registered")]
    UnknownKind {
        /// What the envelope says.
        api_version: String,
        /// What the envelope says.
        kind: String,
    },
    /// The object inside is encoded in another way.
    #[error("content of the envelope is `{found}`, not plain protobuf")]
    Content {
        /// Content encoding or content type.
        found: String,
    },
    /// A field holds something else than its type.
    #[error("field `{field}` of `{message}` is not {want}")]
    Field {
        /// Published name of the message.
        message: String,
        /// The field's name in JSON.
        field: String,
        /// What it should hold.
        want: &'static str,
    },
}

/// Reads a body: the kind it names, and the object as its JSON form would be, with `apiVersion` and `kind`.
///
/// # Errors
/// See [`ProtobufError`]; never panics.
pub fn decode_protobuf(body: &[u8]) -> Result<(GroupVersionKind, Value), ProtobufError> {
    let envelope = Envelope::read(body.strip_prefix(MAGIC).ok_or(ProtobufError::NotProtobuf)?)?;
    let Envelope { api_version, kind, raw } = envelope;
    let gvk = GroupVersionKind::from_api_version(&api_version, &kind);
    let Some(id) = resources::type_of(&gvk) else { return Err(ProtobufError::UnknownKind { api_version, kind }) };
    let decoder = Decoder { tables: table::tables() };
    let mut members = decoder.message(id, raw, 0)?;
    members.insert("apiVersion".to_owned(), api_version.into());
    members.insert("kind".to_owned(), kind.into());
    Ok((gvk, Value::Object(members)))
}

struct Envelope<'a> {
    api_version: String,
    kind: String,
    raw: &'a [u8],
}

impl<'a> Envelope<'a> {
    fn read(bytes: &'a [u8]) -> Result<Envelope<'a>, ProtobufError> {
        let mut envelope = Envelope { api_version: String::new(), kind: String::new(), raw: &[] };
        let mut reader = Reader::new(bytes);
        while let Some((number, payload)) = reader.next()? {
            match (number, payload) {
                (1, Payload::Bytes(meta)) => {
                    let mut meta = Reader::new(meta);
                    while let Some((number, payload)) = meta.next()? {
                        match (number, payload) {
                            (1, Payload::Bytes(text)) => envelope.api_version = plain(text)?,
                            (2, Payload::Bytes(text)) => envelope.kind = plain(text)?,
                            _ => {}
                        }
                    }
                }
                (2, Payload::Bytes(raw)) => envelope.raw = raw,
                (3 | 4, Payload::Bytes(text)) if !text.is_empty() && text != MEDIA_TYPE.as_bytes() => {
                    return Err(ProtobufError::Content { found: String::from_utf8_lossy(text).into_owned() });
                }
                _ => {}
            }
        }
        Ok(envelope)
    }
}

fn plain(bytes: &[u8]) -> Result<String, ProtobufError> {
    String::from_utf8(bytes.to_vec()).map_err(|_| ProtobufError::Malformed)
}

/// Reads messages by the tables.
#[derive(Clone, Copy)]
struct Decoder {
    tables: &'static Tables,
}

/// A field that is being read, for errors.
#[derive(Clone, Copy)]
struct Place<'a> {
    message: &'a str,
    field: &'a str,
}

impl Place<'_> {
    fn wants(self, want: &'static str) -> ProtobufError {
        ProtobufError::Field { message: self.message.to_owned(), field: self.field.to_owned(), want }
    }
}

impl Decoder {
    fn message(self, id: TypeId, bytes: &[u8], depth: usize) -> Result<Map<String, Value>, ProtobufError> {
        if depth > MAX_DEPTH {
            return Err(ProtobufError::TooDeep);
        }
        let def = self.tables.get(id);
        let mut members = Map::new();
        let mut reader = Reader::new(bytes);
        while let Some((number, payload)) = reader.next()? {
            if let Some(field) = def.fields.iter().find(|it| it.number == Some(number)) {
                self.field(&def.name, field, payload, depth, &mut members)?;
            }
        }
        Ok(members)
    }

    fn field(
        self,
        message: &str,
        field: &FieldDef,
        payload: Payload<'_>,
        depth: usize,
        members: &mut Map<String, Value>,
    ) -> Result<(), ProtobufError> {
        let place = Place { message, field: field.name };
        match &field.ty {
            FieldType::Message(id) if field.inline => {
                members.extend(self.message(*id, payload.bytes(place)?, depth + 1)?);
            }
            FieldType::List(element) => {
                let list = members.entry(field.name).or_insert_with(|| Value::Array(Vec::new()));
                if let Value::Array(list) = list {
                    self.elements(place, element, payload, depth, list)?;
                }
            }
            FieldType::Map(element) => {
                let (key, value) = self.entry(place, element, payload.bytes(place)?, depth)?;
                let map = members.entry(field.name).or_insert_with(|| Value::Object(Map::new()));
                if let Value::Object(map) = map {
                    map.insert(key, value);
                }
            }
            FieldType::Message(_) | FieldType::Scalar(_) => {
                let value = self.value(place, &field.ty, payload, depth)?;
                if says_something(field, &value) {
                    members.insert(field.name.to_owned(), value);
                }
            }
        }
        Ok(())
    }

    /// One element, or several numbers in one field.
    fn elements(
        self,
        place: Place<'_>,
        element: &FieldType,
        payload: Payload<'_>,
        depth: usize,
        list: &mut Vec<Value>,
    ) -> Result<(), ProtobufError> {
        match (element, payload) {
            (FieldType::Scalar(scalar), Payload::Bytes(packed)) if scalar.is_varint() => {
                let mut reader = Reader::new(packed);
                while let Some(number) = reader.packed()? {
                    list.push(self.value(place, element, Payload::Varint(number), depth)?);
                }
            }
            _ => list.push(self.value(place, element, payload, depth)?),
        }
        Ok(())
    }

    fn entry(
        self,
        place: Place<'_>,
        element: &FieldType,
        bytes: &[u8],
        depth: usize,
    ) -> Result<(String, Value), ProtobufError> {
        let mut key = String::new();
        let mut value = Payload::Bytes(&[]);
        let mut reader = Reader::new(bytes);
        while let Some((number, payload)) = reader.next()? {
            match number {
                1 => key = scalar::text(place, payload)?,
                2 => value = payload,
                _ => {}
            }
        }
        // The only lists within maps are messages with one field of their own.
        let value = match element {
            FieldType::List(inner) => {
                let mut list = Vec::new();
                let mut reader = Reader::new(value.bytes(place)?);
                while let Some((number, payload)) = reader.next()? {
                    if number == 1 {
                        list.push(self.value(place, inner, payload, depth + 1)?);
                    }
                }
                Value::Array(list)
            }
            _ => self.value(place, element, value, depth + 1)?,
        };
        Ok((key, value))
    }

    fn value(
        self,
        place: Place<'_>,
        ty: &FieldType,
        payload: Payload<'_>,
        depth: usize,
    ) -> Result<Value, ProtobufError> {
        match ty {
            FieldType::Message(id) => Ok(Value::Object(self.message(*id, payload.bytes(place)?, depth + 1)?)),
            FieldType::Scalar(scalar) => self.scalar(place, *scalar, payload, depth),
            FieldType::List(_) | FieldType::Map(_) => Err(ProtobufError::Malformed),
        }
    }
}

/// Whether a value that was sent means anything. Senders write unset plain members as empty fields (proto2): those are absent
/// unless the type is a pointer in Go or always written.
fn says_something(field: &FieldDef, value: &Value) -> bool {
    let empty = match value {
        Value::Null => return false,
        Value::Bool(it) => !it,
        Value::Number(it) => it.as_f64() == Some(0.0),
        Value::String(it) => it.is_empty(),
        Value::Array(_) | Value::Object(_) => false,
    };
    !empty || field.pointer || field.required || matches!(field.ty, FieldType::Scalar(it) if it.is_wrapped())
}

#[cfg(test)]
mod tests;
