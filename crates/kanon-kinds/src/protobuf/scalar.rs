//! Values without members of their own in the tables, from the wire to JSON.

use base64::{Engine, engine::general_purpose::STANDARD};
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::{
    Decoder, Place, ProtobufError, SCHEMA,
    wire::{Payload, Reader},
};
use crate::table::{FieldType, Scalar};

impl Scalar {
    /// Whether it is a plain number on the wire, so that several may share a field.
    pub(super) fn is_varint(self) -> bool {
        matches!(self, Scalar::Bool | Scalar::Int32 | Scalar::Int64)
    }

    /// Whether it is a message on the wire: then being sent is saying something, whatever is in it.
    pub(super) fn is_wrapped(self) -> bool {
        !matches!(self, Scalar::String | Scalar::Bool | Scalar::Int32 | Scalar::Int64 | Scalar::Double | Scalar::Bytes)
    }
}

/// Text; the wire must hold UTF-8.
pub(super) fn text(place: Place<'_>, payload: Payload<'_>) -> Result<String, ProtobufError> {
    String::from_utf8(payload.bytes(place)?.to_vec()).map_err(|_| place.wants("text in UTF-8"))
}

impl Decoder {
    /// A value; null where it means "not set".
    pub(super) fn scalar(
        self,
        place: Place<'_>,
        scalar: Scalar,
        payload: Payload<'_>,
        depth: usize,
    ) -> Result<Value, ProtobufError> {
        Ok(match scalar {
            Scalar::String => text(place, payload)?.into(),
            Scalar::Bytes => STANDARD.encode(payload.bytes(place)?).into(),
            Scalar::Bool => (number(place, payload)? != 0).into(),
            // Negative numbers take ten bytes; the cast to the signed type gives them back.
            Scalar::Int64 => (number(place, payload)? as i64).into(),
            Scalar::Int32 => (number(place, payload)? as i32).into(),
            Scalar::Double => double(place, payload)?,
            Scalar::Time => time(place, payload, "%Y-%m-%dT%H:%M:%SZ")?,
            Scalar::MicroTime => time(place, payload, "%Y-%m-%dT%H:%M:%S.%6fZ")?,
            Scalar::Quantity => quantity(place, payload)?,
            Scalar::IntOrString => int_or_string(place, payload)?,
            Scalar::Any | Scalar::Json | Scalar::Fields => raw_json(place, payload)?,
            Scalar::SchemaOrBool | Scalar::SchemaOrArray | Scalar::SchemaOrStrings => {
                self.schema_union(place, scalar, payload, depth)?
            }
        })
    }

    /// Field 1 and 2 are the alternatives; a boolean comes first and may stand beside a schema, which then counts.
    fn schema_union(
        self,
        place: Place<'_>,
        scalar: Scalar,
        payload: Payload<'_>,
        depth: usize,
    ) -> Result<Value, ProtobufError> {
        let id = self.tables.find(SCHEMA).ok_or(ProtobufError::Malformed)?;
        let schema = |payload| self.value(place, &FieldType::Message(id), payload, depth);
        let mut found = None;
        let mut list = Vec::new();
        let mut reader = Reader::new(payload.bytes(place)?);
        while let Some((field, payload)) = reader.next()? {
            match (scalar, field) {
                (Scalar::SchemaOrBool, 1) if found.is_none() => found = Some((number(place, payload)? != 0).into()),
                (Scalar::SchemaOrBool, 2) | (Scalar::SchemaOrArray | Scalar::SchemaOrStrings, 1) => {
                    found = Some(schema(payload)?);
                }
                (Scalar::SchemaOrArray, 2) => list.push(schema(payload)?),
                (Scalar::SchemaOrStrings, 2) => list.push(text(place, payload)?.into()),
                _ => {}
            }
        }
        Ok(found.unwrap_or(match scalar {
            Scalar::SchemaOrBool => Value::Bool(false),
            _ => Value::Array(list),
        }))
    }
}

fn number(place: Place<'_>, payload: Payload<'_>) -> Result<u64, ProtobufError> {
    match payload {
        Payload::Varint(number) => Ok(number),
        Payload::Fixed64(_) | Payload::Fixed32(_) | Payload::Bytes(_) => Err(place.wants("a whole number")),
    }
}

fn double(place: Place<'_>, payload: Payload<'_>) -> Result<Value, ProtobufError> {
    match payload {
        Payload::Fixed64(bits) => Ok(json!(f64::from_bits(bits))),
        Payload::Varint(_) | Payload::Fixed32(_) | Payload::Bytes(_) => Err(place.wants("a number")),
    }
}

/// Seconds and nanoseconds. All zero is Go's unset time, not 1970.
fn time(place: Place<'_>, payload: Payload<'_>, format: &str) -> Result<Value, ProtobufError> {
    let (mut seconds, mut nanos) = (0, 0);
    let mut reader = Reader::new(payload.bytes(place)?);
    while let Some((field, payload)) = reader.next()? {
        match field {
            1 => seconds = number(place, payload)? as i64,
            2 => nanos = number(place, payload)? as i32,
            _ => {}
        }
    }
    if seconds == 0 && nanos == 0 {
        return Ok(Value::Null);
    }
    let time = Timestamp::new(seconds, nanos).map_err(|_| place.wants("a time between the years -9999 and 9999"))?;
    Ok(time.strftime(format).to_string().into())
}

fn quantity(place: Place<'_>, payload: Payload<'_>) -> Result<Value, ProtobufError> {
    let mut amount = String::new();
    let mut reader = Reader::new(payload.bytes(place)?);
    while let Some((field, payload)) = reader.next()? {
        if field == 1 {
            amount = text(place, payload)?;
        }
    }
    Ok(if amount.is_empty() { "0".into() } else { amount.into() })
}

fn int_or_string(place: Place<'_>, payload: Payload<'_>) -> Result<Value, ProtobufError> {
    let (mut is_text, mut int, mut string) = (false, 0, String::new());
    let mut reader = Reader::new(payload.bytes(place)?);
    while let Some((field, payload)) = reader.next()? {
        match field {
            1 => is_text = number(place, payload)? != 0,
            2 => int = number(place, payload)? as i32,
            3 => string = text(place, payload)?,
            _ => {}
        }
    }
    Ok(if is_text { string.into() } else { int.into() })
}

/// JSON inside a message of one field.
fn raw_json(place: Place<'_>, payload: Payload<'_>) -> Result<Value, ProtobufError> {
    let mut raw: &[u8] = &[];
    let mut reader = Reader::new(payload.bytes(place)?);
    while let Some((field, payload)) = reader.next()? {
        if field == 1 {
            raw = payload.bytes(place)?;
        }
    }
    if raw.is_empty() {
        return Ok(Value::Null);
    }
    serde_json::from_slice(raw).map_err(|_| place.wants("JSON")).map(|value: Value| match value {
        Value::Null => Value::Object(Map::new()),
        other => other,
    })
}
