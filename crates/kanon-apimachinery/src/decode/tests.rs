use serde_json::json;

use super::*;
use crate::resource::Registry;

#[test]
fn duplicates_are_found_with_their_paths() {
    for (text, value, duplicates) in [
        ("{}", json!({}), vec![]),
        (r#"{"a":1,"a":2}"#, json!({"a": 2}), vec!["a"]),
        (
            r#"{"spec":{"b":1,"b":1,"l":[1,{"c":1,"c":2}]},"spec":{}}"#,
            json!({"spec": {}}),
            vec!["spec.b", "spec.l[1].c", "spec"],
        ),
    ] {
        let body = json(text.as_bytes(), "X").unwrap();
        assert_eq!(
            (body.value, body.duplicates),
            (value, duplicates.into_iter().map(str::to_owned).collect()),
            "{text}"
        );
    }
}

#[test]
fn yaml_reads_like_json() {
    let text = b"apiVersion: v1\nkind: ConfigMap\ndata:\n  a: \"1\"\n  b: yes\nlist: [1, 2.5, null, true]\n";
    let body = yaml(text, "ConfigMap").unwrap();
    assert_eq!(body.value["list"], json!([1, 2.5, null, true]));
    assert_eq!(yaml(br#" {"a": 1}"#, "X").unwrap().value, json!({"a": 1}));
    assert_eq!(yaml(b"a: 1\na: 2\n", "X").unwrap_err().code, 400);
    assert_eq!(yaml(b"a: [", "X").unwrap_err().code, 400);
}

fn fails(kind: &str, builtin: bool, mut value: Value) -> (u16, String) {
    let gvk = GroupVersionKind::new(if builtin { "" } else { "x.io" }, "v1", kind);
    check_kind(&mut value, &gvk, builtin).map_or_else(|it| (it.code, it.message), |()| (0, value.to_string()))
}

#[test]
fn kind_and_version_must_fit() {
    for (kind, builtin, value, code, message) in [
        ("Pod", true, json!({}), 0, r#"{"apiVersion":"v1","kind":"Pod"}"#),
        (
            "Gate",
            false,
            json!({"apiVersion": "x.io/v1", "kind": "Gate"}),
            0,
            r#"{"apiVersion":"x.io/v1","kind":"Gate"}"#,
        ),
        (
            "Gate",
            false,
            json!({"apiVersion": "x.io/v1"}),
            400,
            r#"the object provided is unrecognized (must be of type Gate): Object 'Kind' is missing in '{"apiVersion":"x.io/v1"}' ({"apiVersion":"x.io/v1"})"#,
        ),
        (
            "Gate",
            false,
            json!({"apiVersion": "x.io/v1", "kind": "Door", "metadata": {"name": "a"}}),
            422,
            r#"Door.x.io "a" is invalid: kind: Invalid value: "Door": must be Gate"#,
        ),
        (
            "Gate",
            false,
            json!({"apiVersion": "x.io/v2", "kind": "Gate"}),
            400,
            "the API version in the data (x.io/v2) does not match the expected API version (x.io/v1)",
        ),
        (
            "Pod",
            true,
            json!([]),
            400,
            r#"the object provided is unrecognized (must be of type Pod): couldn't get version/kind; json parse error: json: cannot unmarshal array into Go value of type struct { APIVersion string "json:\"apiVersion,omitempty\""; Kind string "json:\"kind,omitempty\"" } (5b5d)"#,
        ),
    ] {
        assert_eq!(fails(kind, builtin, value), (code, message.to_owned()));
    }
}

#[test]
fn wrong_types_are_refused_in_gos_words() {
    let deployment = GroupVersionKind::new("apps", "v1", "Deployment");
    for (value, want) in [
        (json!({"spec": {"replicas": 3, "template": {"spec": {"containers": []}}}}), None),
        (
            json!({"spec": {"replicas": "3"}}),
            Some("json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32"),
        ),
        (
            json!({"spec": {"template": {"spec": {"containers": [{"name": 1}]}}}}),
            Some(
                "json: cannot unmarshal number into Go struct field Container.spec.template.spec.containers.name of type string",
            ),
        ),
        (
            json!({"metadata": {"labels": {"a": true}}}),
            Some("json: cannot unmarshal bool into Go struct field ObjectMeta.metadata.labels of type string"),
        ),
        (
            json!({"spec": {"template": {"spec": {"containers": [{"resources": {"limits": {"cpu": "much"}}}]}}}}),
            Some("quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"),
        ),
        (
            json!({"metadata": {"creationTimestamp": "x"}}),
            Some(r#"parsing time "x" as "2006-01-02T15:04:05Z07:00": cannot parse "x" as "2006""#),
        ),
    ] {
        let message = check_types(&value, &deployment).err().map(|it| it.message);
        let prefix = r#"Deployment in version "v1" cannot be handled as a Deployment: "#;
        assert_eq!(message, want.map(|it| format!("{prefix}{it}")));
    }
}

#[test]
fn metadata_of_custom_kinds_has_types_too() {
    let body = r#"{"apiVersion":"policy.example.io/v1","kind":"Gate","metadata":{"name":"a","labels":{"b":1}}}"#;
    let error = object(&crate::testing::gates(), "", body.as_bytes()).unwrap_err();
    assert_eq!(
        (error.code, error.message.as_str()),
        (
            400,
            r#"Gate in version "v1" cannot be handled as a Gate: json: cannot unmarshal number into Go struct field ObjectMeta.labels of type string"#
        )
    );
}

#[test]
fn syntax_errors_name_the_kind() {
    let pods = Registry::builtin().resource("", "v1", "pods").unwrap().clone();
    let error = object(&pods, "application/json", b"{").unwrap_err();
    assert_eq!(
        (error.code, error.message.as_str()),
        (
            400,
            "the object provided is unrecognized (must be of type Pod): couldn't get version/kind; json parse error: unexpected end of JSON input ({)"
        )
    );
    assert_eq!(object(&pods, "text/plain", b"{}").unwrap_err().code, 415);
    assert_eq!(delete_options("", b""), Ok(None));
    assert_eq!(delete_options("", b"{}"), Ok(Some(json!({}))));
    let deep = format!("{}1{}", "[".repeat(500), "]".repeat(500));
    assert_eq!(object(&pods, "", deep.as_bytes()).unwrap_err().code, 400);
}

proptest::proptest! {
    #[test]
    fn trees_read_what_serde_json_reads(text in r#"[\[\]{}:,"a1 .-]{0,30}"#) {
        let tree: Option<Tree> = serde_json::from_str(&text).ok();
        let value: Option<Value> = serde_json::from_str(&text).ok();
        proptest::prop_assert_eq!(tree.map(|it| it.value), value);
    }
}
