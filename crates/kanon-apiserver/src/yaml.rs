//! JSON text as YAML: whole, or a list piece by piece, so that one of any length needs no more memory than its longest element.
//! What it gets is our own text. Members come in order of their names, as upstream writes them.

use bytes::Bytes;
use serde_json::{Map, Value};

/// A text in one go. What cannot be written as YAML stays JSON, which is YAML too.
pub(crate) fn whole(text: &Bytes) -> Bytes {
    let value: Option<Value> = serde_json::from_slice(text).ok();
    value.and_then(|it| serde_saphyr::to_string(&it).ok()).map_or_else(|| text.clone(), Bytes::from)
}

/// What stands around the elements of a list, of whose members all but these elements are known.
pub(crate) struct Frame {
    pub(crate) opening: Bytes,
    pub(crate) closing: Bytes,
}

impl Frame {
    /// The frame of a list whose compact JSON begins with `head` and ends with `]}`: in between are the elements of `member`.
    /// None where `head` is something else.
    pub(crate) fn of(head: &[u8], member: &str, is_empty: bool) -> Option<Frame> {
        let mut members: Map<String, Value> = serde_json::from_slice(&[head, b"]}"].concat()).ok()?;
        members.remove(member)?;
        let (before, after): (Map<_, _>, Map<_, _>) = members.into_iter().partition(|(name, _)| name.as_str() < member);
        let empty = if is_empty { " []" } else { "" };
        let opening = format!("{}{member}:{empty}\n", block(&before)?);
        Some(Frame { opening: opening.into(), closing: block(&after)?.into() })
    }
}

/// One element of a list, in lines of its own.
pub(crate) fn element(text: &[u8]) -> Bytes {
    let value: Option<Value> = serde_json::from_slice(text).ok();
    let lines = value.and_then(|it| serde_saphyr::to_string(&[it]).ok()).filter(|it| it.starts_with("- "));
    lines.map_or_else(|| [b"- ", text, b"\n"].concat().into(), Bytes::from)
}

/// Members as lines; none where there are none.
fn block(members: &Map<String, Value>) -> Option<String> {
    if members.is_empty() { Some(String::new()) } else { serde_saphyr::to_string(members).ok() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(elements: &[Value]) {
        let head = br#"{"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"7"},"items":["#;
        let frame = Frame::of(head, "items", elements.is_empty()).expect("a list");
        let mut text = frame.opening.to_vec();
        for it in elements {
            text.extend_from_slice(&element(it.to_string().as_bytes()));
        }
        text.extend_from_slice(&frame.closing);
        let text = String::from_utf8(text).expect("text");
        let want =
            json!({"kind": "PodList", "apiVersion": "v1", "metadata": {"resourceVersion": "7"}, "items": elements});
        let read: Value = serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
        assert_eq!(read, want, "{text}");
        assert!(text.starts_with("apiVersion: v1\nitems:"), "{text}");
    }

    #[test]
    fn pieces_are_the_list() {
        check(&[]);
        check(&[json!({"a": 1})]);
        let odd = [
            "",
            "a: b",
            "- a",
            "yes",
            "1",
            "0x1f",
            "null",
            "a\nb\n",
            "\ta",
            "ä \u{1f980}",
            "#",
            "a #b",
            "{",
            "'\"",
            "|\n x\n",
        ];
        let nested: Vec<Value> =
            odd.iter().map(|it| json!({"text": it, "list": [it, [it], {"deep": [it]}], "map": {*it: it}})).collect();
        check(&nested);
        check(&[json!({}), json!([]), json!([[1, 2], []]), json!("a\nb"), json!(null), json!(-1.5)]);
    }

    #[test]
    fn a_head_that_is_no_list_has_no_frame() {
        assert!(Frame::of(b"{", "items", true).is_none());
        assert!(Frame::of(br#"{"rows":["#, "items", true).is_none());
    }
}
