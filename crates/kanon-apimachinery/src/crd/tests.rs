use kanon_cel::Cel;

use super::*;

mod definitions;
mod versions;

use crate::{resource::Registry, testing::gates_crd as gates};

fn problems(change: impl Fn(&mut Value)) -> Vec<String> {
    let mut crd = gates();
    change(&mut crd);
    validate(&crd, None, None).iter().map(ToString::to_string).collect()
}

#[test]
fn definitions_are_judged() {
    assert_eq!(problems(|_| {}), Vec::<String>::new());
    assert_eq!(
        problems(|it| it["metadata"]["name"] = json!("x")),
        [r#"metadata.name: Invalid value: "x": must be spec.names.plural+"."+spec.group"#]
    );
    assert_eq!(
        problems(|it| it["spec"]["scope"] = json!("Global")),
        [r#"spec.scope: Unsupported value: "Global": supported values: "Cluster", "Namespaced""#]
    );
    let none = problems(|it| it["spec"]["versions"][0]["storage"] = json!(false));
    assert!(none[0].ends_with("must have exactly one version marked as storage version"), "{none:?}");
    assert_eq!(
        problems(|it| it["spec"]["versions"][0]["schema"] = json!({})),
        ["spec.versions[0].schema.openAPIV3Schema: Required value: schemas are required"]
    );
}

#[test]
fn schemas_must_be_structural_and_rules_compile() {
    let judge = |change: &dyn Fn(&mut Value)| {
        let mut crd = gates();
        change(&mut crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]);
        validate(&crd, None, Some(&Cel::default())).iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(
        judge(&|it| it["properties"]["spec"]["properties"]["expr"] = json!({"minLength": 1})),
        [
            "spec.validation.openAPIV3Schema.properties[spec].properties[expr].type: Required value: must not be empty for specified object fields"
        ]
    );
    let broken = judge(&|it| it["properties"]["spec"]["x-kubernetes-validations"] = json!([{"rule": "self.expr ="}]));
    assert!(
        broken[0].starts_with(r#"spec.validation.openAPIV3Schema.properties[spec].x-kubernetes-validations[0].rule: Invalid value: "self.expr =": compilation failed: "#),
        "{broken:?}"
    );
    let rules = |rule: &str, message: &str| {
        let rule = json!([{"rule": rule, "messageExpression": message}]);
        let causes = judge(&|it| it["properties"]["spec"]["x-kubernetes-validations"] = rule.clone());
        causes
            .iter()
            .filter_map(|it| Some(it.split_once(".x-kubernetes-validations[0].")?.1.to_owned()))
            .collect::<Vec<_>>()
    };
    assert_eq!(rules("self.weight > 0", "self.weight > 9 ? 'heavy' : 'light' // text"), [""; 0]);
    assert_eq!(
        rules("self.weight", "self.weight"),
        [
            r#"rule: Invalid value: "self.weight": cel expression must evaluate to a bool"#,
            r#"messageExpression: Invalid value: "self.weight": messageExpression must evaluate to a string"#,
        ]
    );
}

#[test]
fn rules_that_may_cost_too_much_are_refused() {
    let judge = |most: Option<u64>, rules: Value| {
        let mut crd = gates();
        let mut list = json!({"type": "array", "items": {"type": "string", "maxLength": 20},
            "x-kubernetes-validations": rules});
        if let Some(most) = most {
            list["maxItems"] = json!(most);
        }
        crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]["names"] = list;
        validate(&crd, None, Some(&Cel::default())).iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let unique = || json!([{"rule": "self.all(a, self.exists_one(b, a == b))"}]);
    let advice = "(try simplifying the rule, or adding maxItems, maxProperties, and maxLength where arrays, maps, and strings \
                  are declared)";
    let place = "spec.validation.openAPIV3Schema";
    let rule = format!("{place}.properties[spec].properties[names].x-kubernetes-validations[0].rule");
    assert_eq!(
        judge(None, unique()),
        [
            format!("{rule}: Forbidden: estimated rule cost exceeds budget by factor of more than 100x {advice}"),
            format!(
                "{rule}: Forbidden: contributed to estimated rule cost total exceeding cost limit for entire OpenAPIv3 schema"
            ),
            format!(
                "{place}: Forbidden: x-kubernetes-validations estimated rule cost total for entire OpenAPIv3 schema exceeds \
                 budget by factor of more than 100x {advice}"
            ),
        ]
    );
    let some = judge(Some(1_500), unique());
    assert_eq!(some, [format!("{rule}: Forbidden: estimated rule cost exceeds budget by factor of 2.7x {advice}")]);
    assert_eq!(judge(Some(100), unique()), [""; 0]);
}

#[test]
fn rules_see_values_with_the_types_of_their_schema() {
    let judge = |rule: &str, spec: Value| {
        let mut crd = crate::testing::established();
        let schema = &mut crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"];
        schema["properties"]["ratio"] = json!({"type": "number"});
        schema["properties"]["from"] = json!({"type": "string", "format": "date-time"});
        schema["properties"]["hold-for"] = json!({"type": "string", "format": "duration"});
        schema["properties"]["limits"] = json!({"type": "object", "additionalProperties": {"type": "number"}});
        schema["x-kubernetes-validations"] = json!([{"rule": rule, "message": "broken"}]);
        let problems = validate(&crd, None, Some(&Cel::default()));
        if let Some(first) = problems.first() {
            let text = first.message.split_once("compilation failed: ").map_or(first.message.as_str(), |it| it.1);
            return text.lines().next().unwrap_or_default().to_owned();
        }
        let gates = resources(&crd, Some(&Cel::default())).remove(0);
        let mut gate = crate::testing::gate("a");
        gate["spec"].as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
        crate::shape::validate(&gates, &gate, None).0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
    };
    let spec = || json!({"ratio": 1, "from": "2024-05-01T10:00:00Z", "hold-for": "1h", "limits": {"a-b": 2}});
    assert_eq!(judge("self.ratio * 2.5 == 2.5", spec()), "");
    assert_eq!(judge("self.from.getHours() == 10", spec()), "");
    assert_eq!(judge("self.hold__dash__for <= duration('1h')", spec()), "");
    assert_eq!(
        judge("self.from + self.hold__dash__for > timestamp('2024-05-01T11:00:00Z')", spec()),
        r#"spec: Invalid value: "object": broken"#
    );
    assert_eq!(judge("self.limits['a-b'] == 2.0", spec()), "");
    assert_eq!(
        judge("self.ratio > 'x'", spec()),
        "ERROR: <input>:1:12: found no matching overload for '_>_' applied to '(double, string)'"
    );
    assert_eq!(judge("self.hold", spec()), "ERROR: <input>:1:5: undefined field 'hold'");
}

#[test]
fn rules_judge_objects() {
    let mut crd = crate::testing::established();
    crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["x-kubernetes-validations"] =
        json!([{"rule": "self.weight < 10", "message": "too heavy"}]);
    let gates = resources(&crd, Some(&Cel::default())).remove(0);
    let mut gate = crate::testing::gate("a");
    gate["spec"]["weight"] = json!(11);
    let (causes, _) = crate::shape::validate(&gates, &gate, None);
    assert_eq!(causes[0].to_string(), r#"spec: Invalid value: "object": too heavy"#);
    gate["spec"]["weight"] = json!(9);
    assert!(crate::shape::validate(&gates, &gate, None).0.is_empty());
}

#[test]
fn rules_may_ask_whether_there_was_an_old_value() {
    let mut crd = crate::testing::established();
    crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["x-kubernetes-validations"] = json!([{
        "rule": "oldSelf.hasValue() ? self.weight >= oldSelf.value().weight : self.weight < 10",
        "message": "weights begin small and grow", "optionalOldSelf": true}]);
    assert!(validate(&crd, None, Some(&Cel::default())).is_empty());
    let gates = resources(&crd, Some(&Cel::default())).remove(0);
    let gate = |weight: i64| {
        let mut gate = crate::testing::gate("a");
        gate["spec"]["weight"] = json!(weight);
        gate
    };
    let judge = |new: i64, old: Option<i64>| crate::shape::validate(&gates, &gate(new), old.map(gate).as_ref()).0.len();
    assert_eq!([judge(5, None), judge(11, None), judge(11, Some(5)), judge(4, Some(5))], [0, 1, 0, 1]);
}

#[test]
fn objects_older_than_a_default_show_it() {
    let mut crd = crate::testing::established();
    crd["metadata"]["resourceVersion"] = json!("7");
    let gates = resources(&crd, None).remove(0);
    let stored =
        |version: &str| kanon_core::Object::from_value(&json!({"metadata": {"resourceVersion": version}, "spec": {}}));
    assert_eq!(gates.served(&stored("6")).to_value()["spec"], json!({"weight": 5}));
    assert_eq!(gates.served(&stored("8")).to_value()["spec"], json!({}));
}

#[test]
fn names_are_accepted_once() {
    let mut crd = gates();
    let status = establish(&crd, &TakenNames::default(), "t1").unwrap();
    assert_eq!(status["acceptedNames"], crd["spec"]["names"]);
    crd["status"] = status;
    assert!(is_established(&crd));
    assert_eq!(establish(&crd, &TakenNames::default(), "t2"), None);

    let mut taken = TakenNames::default();
    taken.add(&crd);
    let mut other = gates();
    other["metadata"]["name"] = json!("doors.policy.example.io");
    other["spec"]["names"] =
        json!({"plural": "doors", "singular": "door", "kind": "Door", "listKind": "DoorList", "shortNames": ["gt"]});
    let status = establish(&other, &taken, "t1").unwrap();
    let conditions = status["conditions"].as_array().unwrap();
    assert_eq!(
        (&conditions[0]["status"], &conditions[0]["message"]),
        (&json!("False"), &json!(r#""gt" is already in use"#))
    );
    assert_eq!(conditions[1]["reason"], "NotAccepted");
    other["status"] = status;
    assert!(resources(&other, None).is_empty());
}

#[test]
fn established_definitions_are_served() {
    let mut crd = gates();
    crd["status"] = establish(&crd, &TakenNames::default(), "t1").unwrap();
    let registry = Registry::builtin().with_crds(resources(&crd, None));
    let gates = registry.resource("policy.example.io", "v1", "gates").unwrap();
    assert_eq!((gates.prefix.as_str(), gates.list_kind.as_str()), ("policy.example.io/gates", "GateList"));
    assert!(gates.has_status && gates.has_generation && gates.is_namespaced());
    assert_eq!(gates.subresources.iter().map(|it| it.name).collect::<Vec<_>>(), ["status"]);
}

#[test]
fn objects_of_an_older_stored_version_show_the_version_that_is_asked_for() {
    let gates = crate::testing::gates();
    let old = kanon_core::Object::from_value(
        &json!({"apiVersion": "policy.example.io/v0", "kind": "Gate", "spec": {"weight": 1}}),
    );
    assert!(gates.serves_stored_form() && !gates.shows_as_stored(&old));
    assert_eq!(gates.served(&old).to_value()["apiVersion"], "policy.example.io/v1");
}
