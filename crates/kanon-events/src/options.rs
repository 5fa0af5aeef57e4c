//! The options of a stream out of the path it was asked for under: audit events of streams carry no body.

use kanon_core::Object;
use serde_json::{Map, Value};

/// The options in a URI's query, in the form of `PodExecOptions` and its like; none for other parts of a pod.
pub(crate) fn of_uri(sub_resource: &str, uri: &str) -> Option<Object> {
    let kind = match sub_resource {
        "exec" => "PodExecOptions",
        "attach" => "PodAttachOptions",
        "portforward" => "PodPortForwardOptions",
        "log" => "PodLogOptions",
        _ => return None,
    };
    let query = uri.split_once('?').map_or("", |it| it.1);
    let mut options = Map::from_iter([("apiVersion".to_owned(), "v1".into()), ("kind".to_owned(), kind.into())]);
    for (name, value) in query.split('&').filter(|it| !it.is_empty()).map(pair) {
        match name.as_str() {
            "stdin" | "stdout" | "stderr" | "tty" | "follow" | "previous" | "timestamps" => {
                // As Go reads it: anything but nothing, `0` and `false` is yes.
                let is_true = !(value.is_empty() || value == "0" || value.eq_ignore_ascii_case("false"));
                options.insert(name, is_true.into());
            }
            "command" | "ports" => {
                let value = match value.parse::<u16>() {
                    Ok(port) if name == "ports" => port.into(),
                    _ => Value::from(value),
                };
                if let Value::Array(list) = options.entry(name).or_insert_with(|| Value::Array(Vec::new())) {
                    list.push(value);
                }
            }
            "container" => {
                options.entry(name).or_insert_with(|| value.into());
            }
            _ => {}
        }
    }
    Some(Object::from_value(&options.into()))
}

fn pair(text: &str) -> (String, String) {
    let (name, value) = text.split_once('=').unwrap_or((text, ""));
    (decoded(name), decoded(value))
}

/// A part of a query without its escapes. What is no text becomes the replacement character: an event is told all the same.
fn decoded(text: &str) -> String {
    let digit = |it: u8| char::from(it).to_digit(16).and_then(|it| u8::try_from(it).ok());
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let (byte, left) = match (first, after) {
            (b'+', _) => (b' ', after),
            (b'%', [high, low, left @ ..]) => match (digit(*high), digit(*low)) {
                (Some(high), Some(low)) => (high << 4 | low, left),
                _ => (b'%', after),
            },
            (byte, _) => (*byte, after),
        };
        bytes.push(byte);
        rest = left;
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(part: &str, query: &str, want: &str) {
        let uri = format!("/api/v1/namespaces/shop/pods/web/{part}?{query}");
        let found = of_uri(part, &uri).map(|it| it.to_value());
        assert_eq!(found, serde_json::from_str(want).ok(), "{query}");
    }

    #[test]
    fn options_are_read_from_the_query() {
        check(
            "exec",
            "command=sh&command=-c&command=cat+%2Fetc%2Fpasswd&container=app&stdin=true&tty=false&stdout",
            r#"{"apiVersion":"v1","kind":"PodExecOptions","command":["sh","-c","cat /etc/passwd"],"container":"app",
                "stdin":true,"tty":false,"stdout":false}"#,
        );
        check(
            "portforward",
            "ports=8080&ports=x&container=a",
            r#"{"apiVersion":"v1","kind":"PodPortForwardOptions","ports":[8080,"x"],"container":"a"}"#,
        );
        check("attach", "", r#"{"apiVersion":"v1","kind":"PodAttachOptions"}"#);
        check(
            "log",
            "follow=1&container=%FF%",
            "{\"apiVersion\":\"v1\",\"kind\":\"PodLogOptions\",\"follow\":true,\"container\":\"\u{fffd}%\"}",
        );
        check("status", "a=b", "");
    }
}
