//! Answers in protobuf, made from the JSON that everything else is answered with. The tables of `kanon-kinds` know the form.

use bytes::{BufMut as _, Bytes, BytesMut};
use kanon_kinds::ProtobufList;
use serde_json::Value;

use crate::list::TAIL;

/// The content type of a watch.
pub const WATCH: &str = "application/vnd.kubernetes.protobuf;stream=watch";

/// The text of an object or list as protobuf; `None` for what has no such form.
pub fn object(text: &[u8]) -> Option<Bytes> {
    let value: Value = serde_json::from_slice(text).ok()?;
    kanon_kinds::encode_protobuf(&value).ok().map(Bytes::from)
}

/// A list that is written piece by piece.
#[derive(Clone, Debug)]
pub struct List(ProtobufList);

impl List {
    /// From the head of a list in JSON, up to its items; `None` for what has no such form.
    pub fn of(head: &[u8]) -> Option<List> {
        let empty: Value = serde_json::from_slice(&[head, &TAIL].concat()).ok()?;
        ProtobufList::new(&empty).ok().map(List)
    }

    /// The text of an item as protobuf; `None` for what has no such form.
    pub fn item(&self, text: &[u8]) -> Option<Vec<u8>> {
        self.0.item(&serde_json::from_slice(text).ok()?).ok()
    }

    /// What comes before the items, which take `items` bytes together.
    pub fn head(&self, items: usize) -> Vec<u8> {
        self.0.head(items)
    }

    /// What comes after them.
    pub const TAIL: Bytes = Bytes::from_static(ProtobufList::TAIL);
}

/// A line of a watch as a frame: its length in four bytes, then the event. `None` for what has no such form.
pub fn frame(line: &[u8]) -> Option<Bytes> {
    let event: Value = serde_json::from_slice(line).ok()?;
    let object = kanon_kinds::encode_protobuf(&event["object"]).ok()?;
    let event = kanon_kinds::encode_protobuf_event(event["type"].as_str()?, &object);
    let mut frame = BytesMut::with_capacity(event.len() + 4);
    frame.put_u32(u32::try_from(event.len()).ok()?);
    frame.put_slice(&event);
    Some(frame.freeze())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_and_events_have_their_frames() {
        let text = br#"{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"},"data":{"k":"v"}}"#;
        let body = object(text).unwrap();
        assert_eq!(kanon_kinds::decode_protobuf(&body).unwrap().1, serde_json::from_slice::<Value>(text).unwrap());
        assert_eq!(object(br#"{"apiVersion":"example.io/v1","kind":"Gate"}"#), None);
        let head = br#"{"kind":"ConfigMapList","apiVersion":"v1","metadata":{"resourceVersion":"7"},"items":["#;
        let list = List::of(head).unwrap();
        let item = list.item(text).unwrap();
        let pieces = [list.head(2 * item.len()).as_slice(), &item, &item, &List::TAIL].concat();
        let whole = [head.as_slice(), text, b",", text, b"]}"].concat();
        assert_eq!(pieces, super::object(&whole).unwrap());
        for version in ["v1", "v1beta1"] {
            let partial = format!(
                r#"{{"kind":"PartialObjectMetadata","apiVersion":"meta.k8s.io/{version}","metadata":{{"name":"a"}}}}"#
            );
            let body = object(partial.as_bytes()).unwrap();
            assert_eq!(
                kanon_kinds::decode_protobuf(&body).unwrap().1,
                serde_json::from_str::<Value>(&partial).unwrap()
            );
            let many = format!(
                r#"{{"kind":"PartialObjectMetadataList","apiVersion":"meta.k8s.io/{version}","metadata":{{}},"items":[{partial}]}}"#
            );
            assert!(object(many.as_bytes()).is_some());
        }
        assert!(List::of(br#"{"kind":"GateList","apiVersion":"example.io/v1","items":["#).is_none());
        let line = [br#"{"type":"ADDED","object":"#.as_slice(), text, b"}\n"].concat();
        let frame = frame(&line).unwrap();
        assert_eq!(frame[..4], u32::try_from(frame.len() - 4).unwrap().to_be_bytes());
        assert_eq!(&frame[4..11], b"\x0a\x05ADDED");
        assert!(frame.windows(body.len()).any(|it| it == body));
    }
}
