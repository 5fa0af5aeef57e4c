use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

/// Reads a node back into a tree by walking the index: the other way round from `to_value`.
fn walk(node: Node<'_>) -> Value {
    match node.kind() {
        NodeKind::Null => Value::Null,
        NodeKind::Bool => json!(node.as_bool().unwrap()),
        NodeKind::Number => match node.as_number().unwrap() {
            Number::Int(int) => json!(int),
            Number::UInt(uint) => json!(uint),
            Number::Float(float) => json!(float),
        },
        NodeKind::String => json!(node.as_str().unwrap()),
        NodeKind::List => node.elements().map(walk).collect(),
        NodeKind::Object => node
            .members()
            .map(|(key, member)| {
                assert!(node.get(&key).is_some_and(|found| found.is_same(member)), "{key} in {}", node.raw());
                (key.into_owned(), walk(member))
            })
            .collect(),
    }
}

fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        (-1e9..1e9f64).prop_map(Value::from),
        "[a-z\"\\\\\n\u{e9}\u{1f600}/]{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 64, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::btree_map("[a-c\"\\\\]{0,3}|[a-c]{4,9}", inner, 0..20)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

/// Names that are alike at both ends, or as long, or have the same hash.
fn alike() -> impl Strategy<Value = String> {
    "[ab]{1,2}|containe[rs]{1,2}|container[a-c]{0,12}s|[a-c]{7,9}"
}

proptest! {
    #[test]
    fn walking_gives_what_was_written(value in values()) {
        let compact = Object::parse(value.to_string()).unwrap();
        prop_assert_eq!(walk(compact.root()), value.clone());
        let spaced = Object::parse(serde_json::to_string_pretty(&value).unwrap()).unwrap();
        prop_assert_eq!(&spaced, &compact);
        prop_assert_eq!(walk(spaced.root()), value.clone());
        prop_assert_eq!(compact.root().to_value(), value);
    }

    #[test]
    fn accepts_exactly_what_serde_json_accepts(text in "[\\[\\]{}:,\" a1.e+\\-\\\\untrefals\n]{0,24}") {
        let theirs = serde_json::from_str::<Value>(&text);
        // serde_json refuses numbers beyond f64; the grammar (RFC 8259) does not.
        let out_of_range = theirs.as_ref().is_err_and(|error| error.to_string().contains("out of range"));
        prop_assert_eq!(Object::parse(text).is_ok(), theirs.is_ok() || out_of_range);
    }

    #[test]
    fn prepared_names_find_what_plain_ones_find(value in values(), names in prop::collection::vec("[a-c\"\\\\]{0,3}|[a-z]{6,20}", 1..8)) {
        let mut names = names;
        if let Value::Object(map) = &value {
            names.extend(map.keys().cloned());
        }
        let object = Object::parse(value.to_string()).unwrap();
        for name in names {
            let want = value.as_object().and_then(|map| map.get(&name)).cloned();
            prop_assert_eq!(object.root().get(&name).map(Node::to_value), want.clone());
            prop_assert_eq!(object.root().member(&Name::new(&name)).map(Node::to_value), want);
        }
    }

    #[test]
    fn ways_lead_where_single_names_lead(
        inner in prop::collection::btree_map(alike(), 0..3u8, 0..12),
        outer in prop::collection::vec(alike(), 0..9),
        names in prop::collection::vec(alike(), 1..4),
    ) {
        // Every outer member holds the inner object: most ways lead somewhere.
        let value: Value = outer.iter().map(|name| (name.clone(), serde_json::json!(inner))).collect();
        let object = Object::parse(value.to_string()).unwrap();
        let (mut want, mut missed) = (&value, names.len());
        while let Some(member) = names.get(names.len() - missed).and_then(|name| want.get(name)) {
            (want, missed) = (member, missed - 1);
        }
        let prepared: Vec<_> = names.iter().map(|name| Name::new(name)).collect();
        let (node, lost) = object.root().along(&prepared);
        prop_assert_eq!((node.to_value(), lost), (want.clone(), missed));
    }

    #[test]
    fn texts_equal_prepared_ones_exactly_when_they_are_the_same(a in "[a-b\"\\\\\n]{0,3}|[ab]{7,18}", b in "[a-b\"\\\\\n]{0,3}|[ab]{7,18}") {
        let object = Object::parse(json!([a, 1]).to_string()).unwrap();
        let text = object.root().elements().next().unwrap();
        prop_assert_eq!(text.is_str(&Name::new(&b)), a == b);
        prop_assert!(text.is_str(&Name::new(&a)));
        prop_assert!(text.starts_plainly_with(&b).is_none_or(|starts| starts == a.starts_with(&b)));
        prop_assert!(text.as_plain_str().is_none_or(|plain| plain == a));
    }

    #[test]
    fn whole_numbers_read_as_they_were_written(int in prop_oneof![any::<i64>(), -120..120i64]) {
        let object = Object::parse(json!([int]).to_string()).unwrap();
        let node = object.root().elements().next().unwrap();
        prop_assert_eq!(node.as_i64(), Some(int));
        prop_assert!(node.as_short_int().is_none_or(|short| short == int));
    }

    #[test]
    fn a_part_stands_alone(value in values()) {
        let whole = Object::from_value(&json!({"pad": "x".repeat(9), "list": [value.clone()], "member": value}));
        let element = whole.at(&["list"]).unwrap().elements().next().unwrap();
        for part in [element.to_object(), whole.at(&["member"]).unwrap().to_object()] {
            prop_assert_eq!(&part, &Object::from_value(&value));
            prop_assert_eq!(part.memory(), part.compact().memory());
            prop_assert_eq!(walk(part.root()), value.clone());
        }
    }

    #[test]
    fn removing_a_member_leaves_the_rest(value in values()) {
        let value = json!({"metadata": {"name": "x", "managedFields": value.clone(), "uid": 1}, "spec": value});
        let without = Object::parse(value.to_string()).unwrap().without(&["metadata", "managedFields"]);
        let mut want = value;
        want["metadata"].as_object_mut().unwrap().remove("managedFields");
        prop_assert_eq!(without.to_value(), want);
    }
}

#[test]
fn paths_read_without_a_tree() {
    let object = Object::parse(r#"{"a":{"b":[{"c":1},{"c":"x\ty"}],"b2":true},"esc\"d":null}"#).unwrap();
    assert_eq!(object.at(&["a", "b2"]).and_then(Node::as_bool), Some(true));
    assert!(object.at(&["a", "b", "c"]).is_none());
    let texts: Vec<_> = object.at(&["a", "b"]).unwrap().elements().map(Node::raw).collect();
    assert_eq!(texts, [r#"{"c":1}"#, r#"{"c":"x\ty"}"#]);
    assert!(object.root().get("esc\"d").unwrap().is_null());
    assert_eq!(object.at(&["a", "b"]).unwrap().elements().nth(1).unwrap().get("c").unwrap().as_str().unwrap(), "x\ty");
}

#[test]
fn lone_surrogates_read_as_the_replacement_character() {
    let object = Object::parse(r#"["a\ud800b\n"]"#).unwrap();
    assert_eq!(object.root().elements().next().unwrap().as_str().unwrap(), "a\u{fffd}b\n");
}

#[test]
fn mistakes_carry_their_offset() {
    for (text, offset) in [("", 0), ("{", 1), ("[1 2]", 3), ("{\"a\" 1}", 5), ("[01]", 2), ("tru", 0), ("[1],", 3)] {
        assert_eq!(Object::parse(text).unwrap_err().offset, offset, "{text}");
    }
    let deep = |depth| "[".repeat(depth) + &"]".repeat(depth);
    assert!(Object::parse(deep(MAX_DEPTH)).is_ok());
    assert_eq!(Object::parse(deep(MAX_DEPTH + 1)).unwrap_err().problem, "nested too deep");
    assert_eq!(Object::parse(&b"\"\xff\""[..]).unwrap_err().offset, 1);
}

#[test]
fn index_stays_below_three_tenths_of_the_text() {
    let containers: Vec<_> = (0..4)
        .map(|n| {
            json!({"name": format!("c{n}"), "image": "registry.example/app:1", "ports": [{"containerPort": 80}],
            "resources": {"limits": {"cpu": "500m", "memory": "256Mi"}}, "securityContext": {"privileged": false}})
        })
        .collect();
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": "shop"},
        "spec": {"containers": containers}});
    let object = Object::from_value(&pod);
    assert!(object.memory() * 10 <= object.text().len() * 13, "{} of {}", object.memory(), object.text().len());
}

#[test]
fn large_objects_read_as_small_ones_do() {
    let members: serde_json::Map<_, _> = (0..4000).map(|n| (format!("key{n}"), json!([n, {"n": n}]))).collect();
    let value = Value::Object(members);
    let object = Object::from_value(&value);
    assert!(object.text().len() > 1 << 16);
    assert_eq!(walk(object.root()), value);
    assert_eq!(object.root().get("key3999").unwrap().raw(), r#"[3999,{"n":3999}]"#);
}

#[test]
fn of_duplicate_names_the_first_counts() {
    for others in 0..20 {
        let more: String = (0..others).map(|n| format!(r#""n{n}":0,"#)).collect();
        let object = Object::parse(format!(r#"{{"a":1,{more}"a":2}}"#)).unwrap();
        for node in [object.root().get("a"), object.root().member(&Name::new("a"))] {
            assert_eq!(node.and_then(Node::as_i64), Some(1), "{object:?}");
        }
    }
}
