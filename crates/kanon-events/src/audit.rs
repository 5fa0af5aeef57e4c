//! Audit events (`audit.k8s.io/v1`) as an API server's webhook posts them and its log has them.

use bytes::Bytes;
use jiff::Timestamp;
use kanon_core::{Node, Object, Resource, UserInfo};

use crate::{
    event::{Event, Source},
    options,
};

/// Why a text is no audit event: what to tell who sent it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// Not JSON.
    #[error("it is no JSON: {0}")]
    Json(#[from] kanon_core::ParseError),
    /// Another kind or version.
    #[error("expected an EventList or an Event of audit.k8s.io/v1, got `{0}`")]
    Kind(String),
    /// A part is missing or of another type.
    #[error("`{field}` {problem}")]
    Field {
        /// Path of the part.
        field: &'static str,
        /// What is wrong with it.
        problem: &'static str,
    },
}

/// The events of a body: of a list, or of a single one.
///
/// # Errors
/// See [`ReadError`]. What stands in a list is not looked at; [`of_audit`] does.
pub fn read(body: Bytes) -> Result<Vec<Object>, ReadError> {
    let whole = Object::parse(body)?;
    match (whole.str_at(&["apiVersion"]), whole.str_at(&["kind"])) {
        ("audit.k8s.io/v1", "Event") => Ok(vec![whole]),
        ("audit.k8s.io/v1", "EventList") => {
            Ok(whole.root().get("items").into_iter().flat_map(Node::elements).map(Node::to_object).collect())
        }
        (version, kind) => Err(ReadError::Kind(format!("{version} {kind}").chars().take(128).collect())),
    }
}

/// The event that an audit event tells of; `None` for a stage that only says that a request arrived.
///
/// A stream is told of twice, when it begins and when it ends; the [`Desk`](crate::Desk) lets it through once.
///
/// # Errors
/// A part that every audit event has is missing.
pub fn of_audit(object: &Object) -> Result<Option<Event>, ReadError> {
    let root = object.root();
    let required = |field: &'static str| match text(root, field) {
        text if text.is_empty() => Err(ReadError::Field { field, problem: "is missing" }),
        text => Ok(text),
    };
    let stage = required("stage")?;
    if stage == "RequestReceived" {
        return Ok(None);
    }
    let (id, raw_verb) = (required("auditID")?, required("verb")?);
    let time = ["requestReceivedTimestamp", "stageTimestamp"].iter().find_map(|it| text(root, it).parse().ok());
    let time: Timestamp =
        time.ok_or(ReadError::Field { field: "requestReceivedTimestamp", problem: "is no RFC 3339 time" })?;
    let reference = root.get("objectRef").filter(|it| !it.is_null());
    let named = |name| reference.map(|it| text(it, name)).unwrap_or_default();
    let (sub_resource, uri) = (named("subresource"), text(root, "requestURI"));
    let code = root.at(&["responseStatus", "code"]).and_then(Node::as_i64).and_then(|it| u16::try_from(it).ok());
    let sent = root.get("requestObject").filter(|it| !it.is_null()).map(Node::to_object);
    let is_pod = named("apiGroup").is_empty() && named("resource") == "pods";
    let annotations = root.get("annotations").map(|it| it.members().filter_map(pair).collect()).unwrap_or_default();
    let event = Event {
        source: Source::Audit,
        id,
        time,
        stage,
        raw_verb,
        resource: Resource { group: named("apiGroup"), version: named("apiVersion"), resource: named("resource") },
        namespace: named("namespace"),
        name: named("name"),
        user: root.get("user").map(user).unwrap_or_default(),
        impersonated: root.get("impersonatedUser").filter(|it| !it.is_null()).map(user),
        source_ips: root.get("sourceIPs").map(texts).unwrap_or_default(),
        user_agent: text(root, "userAgent"),
        code,
        annotations,
        object: sent.or_else(|| if is_pod { options::of_uri(&sub_resource, &uri) } else { None }),
        is_refused: code.is_some_and(|it| it >= 400),
        sub_resource,
        uri,
        ..Event::empty()
    };
    Ok(Some(event.classified()))
}

fn text(node: Node<'_>, name: &str) -> String {
    node.get(name).and_then(Node::as_str).unwrap_or_default().into_owned()
}

fn texts(node: Node<'_>) -> Vec<String> {
    node.elements().filter_map(Node::as_str).map(std::borrow::Cow::into_owned).collect()
}

fn pair((key, value): (std::borrow::Cow<'_, str>, Node<'_>)) -> Option<(String, String)> {
    Some((key.into_owned(), value.as_str()?.into_owned()))
}

fn user(node: Node<'_>) -> UserInfo {
    let extra = node.get("extra");
    UserInfo {
        username: text(node, "username"),
        uid: text(node, "uid"),
        groups: node.get("groups").map(texts).unwrap_or_default(),
        extra: extra
            .map(|it| it.members().map(|(key, it)| (key.into_owned(), texts(it))).collect())
            .unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// As Kubernetes 1.32 writes it for `kubectl exec -n shop web -c app -- cat /etc/passwd`.
    const EXEC: &str = r#"{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Metadata","auditID":"a-1",
        "stage":"ResponseStarted",
        "requestURI":"/api/v1/namespaces/shop/pods/web/exec?command=cat&command=%2Fetc%2Fpasswd&container=app&stdout=true",
        "verb":"get","user":{"username":"eve","groups":["dev","system:authenticated"],"extra":{"scope":["x"]}},
        "sourceIPs":["10.0.0.9"],"userAgent":"kubectl/v1.32.0",
        "objectRef":{"resource":"pods","namespace":"shop","name":"web","apiVersion":"v1","subresource":"exec"},
        "responseStatus":{"metadata":{},"code":101},"requestReceivedTimestamp":"2026-11-21T09:00:00.000001Z",
        "stageTimestamp":"2026-11-21T09:00:00.100000Z","annotations":{"authorization.k8s.io/decision":"allow"}}"#;

    fn event(text: &str) -> Result<Option<Event>, ReadError> {
        of_audit(&Object::parse(text.to_owned())?)
    }

    #[test]
    fn an_exec_is_read_whole() {
        let event = event(EXEC).unwrap().unwrap();
        assert_eq!((event.class(), &*event.verb, &*event.raw_verb), ("exec", "create", "get"));
        assert_eq!((event.container(), event.code, event.is_refused), ("app", Some(101), false));
        assert_eq!(event.object.as_ref().unwrap().at(&["command"]).unwrap().raw(), r#"["cat","/etc/passwd"]"#);
        assert_eq!((&*event.user.username, &event.user.extra["scope"][..]), ("eve", &["x".to_owned()][..]));
        assert_eq!((&event.source_ips[..], &*event.user_agent), (&["10.0.0.9".to_owned()][..], "kubectl/v1.32.0"));
        assert_eq!(event.time.to_string(), "2026-11-21T09:00:00.000001Z");
        assert_eq!(event.annotations["authorization.k8s.io/decision"], "allow");
    }

    #[test]
    fn what_only_arrived_is_no_event_and_what_failed_is_refused() {
        assert!(event(&EXEC.replace("ResponseStarted", "RequestReceived")).unwrap().is_none());
        assert!(event(&EXEC.replace("101", "403")).unwrap().unwrap().is_refused);
        let body = r#""requestObject":{"container":"told"},"annotations""#;
        assert_eq!(event(&EXEC.replace(r#""annotations""#, body)).unwrap().unwrap().container(), "told");
    }

    #[test]
    fn mistakes_name_what_is_wrong() {
        for (from, to, want) in [
            ("a-1", "", "`auditID` is missing"),
            (r#""verb":"get""#, r#""verb":7"#, "`verb` is missing"),
            ("ResponseStarted", "", "`stage` is missing"),
            ("Timestamp", "Moment", "`requestReceivedTimestamp` is no RFC 3339 time"),
        ] {
            assert_eq!(event(&EXEC.replace(from, to)).unwrap_err().to_string(), want);
        }
        for (body, want) in [
            ("{", "it is no JSON: invalid JSON at byte 1: the text ends inside a list or object"),
            ("[]", "expected an EventList or an Event of audit.k8s.io/v1, got ` `"),
            (
                r#"{"apiVersion":"v1","kind":"EventList"}"#,
                "expected an EventList or an Event of audit.k8s.io/v1, got `v1 EventList`",
            ),
        ] {
            assert_eq!(read(body.into()).unwrap_err().to_string(), want);
        }
    }

    #[test]
    fn bodies_are_lists_or_single_events() {
        let list = format!(r#"{{"apiVersion":"audit.k8s.io/v1","kind":"EventList","items":[{EXEC},7,{{}}]}}"#);
        let items = read(list.into()).unwrap();
        assert_eq!(items.iter().map(|it| of_audit(it).is_ok()).collect::<Vec<_>>(), [true, false, false]);
        assert_eq!(read(EXEC.into()).unwrap().len(), 1);
        assert_eq!(read(r#"{"apiVersion":"audit.k8s.io/v1","kind":"EventList","items":7}"#.into()), Ok(Vec::new()));
    }

    proptest! {
        /// Whatever stands in a field, reading ends with an event or an error.
        #[test]
        fn nothing_in_an_event_makes_it_panic(value in any_json(), field in prop::sample::select(FIELDS.to_vec())) {
            let mut event: serde_json::Value = serde_json::from_str(EXEC).unwrap();
            *event.pointer_mut(field).unwrap() = value;
            let _ = of_audit(&Object::from_value(&event));
        }

        #[test]
        fn no_body_makes_it_panic(body in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = read(body.into());
        }
    }

    const FIELDS: [&str; 12] = [
        "/auditID",
        "/stage",
        "/verb",
        "/user",
        "/user/groups",
        "/user/extra",
        "/objectRef",
        "/objectRef/resource",
        "/responseStatus/code",
        "/requestURI",
        "/annotations",
        "/requestReceivedTimestamp",
    ];

    fn any_json() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(Into::into),
            any::<i64>().prop_map(Into::into),
            "[%&=?/+a-zé\\\\\"]{0,12}".prop_map(Into::into),
        ];
        leaf.prop_recursive(3, 12, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Into::into),
                prop::collection::btree_map("[a-z]{1,3}", inner, 0..4)
                    .prop_map(|it| serde_json::Value::Object(it.into_iter().collect())),
            ]
        })
    }
}
