//! Definitions that are refused, in upstream's words and at its places.

use super::*;

/// Lays a change over the only version.
fn spoilt(member: &str, value: Value) -> Vec<String> {
    problems(|crd| crd["spec"]["versions"][0][member] = value.clone())
}

#[test]
fn names_are_labels() {
    let label = "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end \
                 with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')";
    let names = |member: &str, value: Value| problems(|crd| crd["spec"]["names"][member] = value.clone());
    assert_eq!(names("singular", json!("a b")), [format!(r#"spec.names.singular: Invalid value: "a b": {label}"#)]);
    assert_eq!(names("singular", json!("")), ["spec.names.singular: Required value"]);
    assert_eq!(
        names("shortNames", json!(["ok", "N"])),
        [format!(r#"spec.names.shortNames[1]: Invalid value: "N": {label}"#)]
    );
    assert_eq!(
        names("categories", json!(["All"])),
        [format!(r#"spec.names.categories[0]: Invalid value: "All": {label}"#)]
    );
    assert_eq!(
        names("kind", json!("Ga te")),
        [format!(
            r#"spec.names.kind: Invalid value: "Ga te": may have mixed case, but should otherwise match: {label}"#
        )]
    );
    assert_eq!(
        names("listKind", json!("Gate")),
        [r#"spec.names.listKind: Invalid value: "Gate": kind and listKind may not be the same"#]
    );
    let group = problems(|crd| {
        crd["spec"]["group"] = json!("example");
        crd["metadata"]["name"] = json!("gates.example");
    });
    assert_eq!(group, [r#"spec.group: Invalid value: "example": should be a domain with at least one dot"#]);
}

#[test]
fn columns_and_scale_are_told_where_all_versions_have_them() {
    assert_eq!(
        spoilt(
            "additionalPrinterColumns",
            json!([{"name": "", "type": "text", "format": "f", "jsonPath": "spec.x"}, {"name": "a"}])
        ),
        [
            "spec.additionalPrinterColumns[0].name: Required value",
            r#"spec.additionalPrinterColumns[0].type: Invalid value: "text": must be one of boolean,date,integer,number,string"#,
            r#"spec.additionalPrinterColumns[0].format: Invalid value: "f": must be one of byte,date,date-time,double,float,int32,int64,password"#,
            r#"spec.additionalPrinterColumns[0].JSONPath: Invalid value: "spec.x": must be a simple json path starting with ."#,
            "spec.additionalPrinterColumns[1].type: Required value: must be one of boolean,date,integer,number,string",
            "spec.additionalPrinterColumns[1].JSONPath: Required value",
        ]
    );
    let filter = r#".status.conditions[?(@.type=="Ready")].status"#;
    assert_eq!(
        spoilt("additionalPrinterColumns", json!([{"name": "r", "type": "string", "jsonPath": filter}])),
        [""; 0]
    );
    let scale = |spec: &str, status: &str, label: &str| {
        let paths = json!({"specReplicasPath": spec, "statusReplicasPath": status, "labelSelectorPath": label});
        spoilt("subresources", json!({"scale": paths}))
    };
    assert_eq!(scale(".spec.replicas", ".status.replicas", ".spec.selector"), [""; 0]);
    assert_eq!(
        scale(".replicas", "", "status.x"),
        [
            r#"spec.subresources.scale.specReplicasPath: Invalid value: ".replicas": should be a json path under .spec"#,
            "spec.subresources.scale.statusReplicasPath: Required value",
            r#"spec.subresources.scale.labelSelectorPath: Invalid value: "status.x": must be a simple json path starting with ."#,
        ]
    );
    assert_eq!(
        scale(".spec.replicas", ".status.replicas", ".selector"),
        [
            r#"spec.subresources.scale.labelSelectorPath: Invalid value: ".selector": should be a json path under either .spec or .status"#
        ]
    );
    // Versions that differ are told apart.
    let two = problems(|crd| {
        let mut second = crd["spec"]["versions"][0].clone();
        second["name"] = json!("v2");
        second["storage"] = json!(false);
        second["additionalPrinterColumns"] = json!([{"name": "x", "type": "string"}]);
        if let Some(list) = crd["spec"]["versions"].as_array_mut() {
            list.push(second);
        }
    });
    assert_eq!(two, ["spec.versions[1].additionalPrinterColumns[0].JSONPath: Required value"]);
}

#[test]
fn selectable_fields_are_scalars_of_the_schema() {
    let judge = |paths: &[&str]| {
        spoilt("selectableFields", paths.iter().map(|it| json!({"jsonPath": it})).collect::<Vec<_>>().into())
    };
    assert_eq!(judge(&[".spec.expr", ".spec.weight"]), [""; 0]);
    let field = "spec.selectableFields[0]";
    for (path, want) in [
        ("", format!("{field}.jsonPath: Required value")),
        (
            ".spec.nothing",
            format!(
                r#"{field}.jsonPath: Invalid value: ".spec.nothing": is an invalid path: does not refer to a valid field"#
            ),
        ),
        (
            "spec.expr",
            format!(
                r#"{field}.jsonPath: Invalid value: "spec.expr": is an invalid path: expected [ or . but got: spec"#
            ),
        ),
        (
            ".spec['expr']",
            format!(
                r#"{field}.jsonPath: Invalid value: ".spec['expr']": is an invalid path: array notation is not allowed"#
            ),
        ),
        (
            ".spec",
            format!(
                r#"{field}.jsonPath: Invalid value: ".spec": must point to a field of type string, boolean or integer. Enum string fields and strings with formats are allowed."#
            ),
        ),
    ] {
        assert_eq!(judge(&[path]), [want], "{path}");
    }
    assert_eq!(
        judge(&[".spec.expr", ".spec.expr"]),
        [r#"spec.selectableFields[1].jsonPath: Duplicate value: ".spec.expr""#]
    );
    let many = problems(|crd| {
        let version = &mut crd["spec"]["versions"][0];
        let names: Vec<String> = (0..9).map(|it| format!("f{it}")).collect();
        for name in &names {
            version["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"][name] = json!({"type": "string"});
        }
        version["selectableFields"] = names.iter().map(|it| json!({"jsonPath": format!(".spec.{it}")})).collect();
    });
    assert_eq!(many, ["spec.selectableFields: Too many: 9: must have at most 8 items"]);
}

#[test]
fn what_a_definition_says_of_its_conversion_is_whole() {
    let judge = |conversion: Value, versions: usize| {
        problems(|crd| {
            crd["spec"]["conversion"] = conversion.clone();
            let mut list = vec![crd["spec"]["versions"][0].clone()];
            for number in 1..versions {
                let mut version = list[0].clone();
                version["name"] = format!("v{}", number + 1).into();
                version["storage"] = json!(false);
                list.push(version);
            }
            crd["spec"]["versions"] = list.into();
        })
    };
    let webhook = json!({"strategy": "Webhook", "webhook": {"conversionReviewVersions": ["v1"], "clientConfig": {"url": "https://x/y"}}});
    assert_eq!(judge(json!({"strategy": "None"}), 2), [""; 0]);
    assert_eq!(judge(webhook.clone(), 1), [""; 0]);
    assert_eq!(judge(webhook, 2), [""; 0]);
    assert_eq!(
        judge(json!({"strategy": "Magic"}), 1),
        [r#"spec.conversion.strategy: Unsupported value: "Magic": supported values: "None", "Webhook""#]
    );
    assert_eq!(
        judge(json!({"strategy": "Webhook"}), 1),
        [
            "spec.conversion.webhookClientConfig: Required value: required when strategy is set to Webhook",
            "spec.conversion.conversionReviewVersions: Required value",
        ]
    );
    assert_eq!(
        judge(json!({"strategy": "None", "webhook": {"conversionReviewVersions": ["v1"]}}), 1),
        ["spec.conversion.conversionReviewVersions: Forbidden: should not be set when strategy is not set to Webhook"]
    );
}

#[test]
fn groups_of_the_project_need_an_approval() {
    let judge = |approval: Option<&str>, old: Option<Option<&str>>| {
        let of = |approval: Option<&str>| {
            let mut crd = gates();
            crd["metadata"]["name"] = json!("gates.policy.k8s.io");
            crd["spec"]["group"] = json!("policy.k8s.io");
            if let Some(approval) = approval {
                crd["metadata"]["annotations"] = json!({"api-approved.kubernetes.io": approval});
            }
            crd
        };
        let old = old.map(of);
        validate(&of(approval), old.as_ref(), None).iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let field = "metadata.annotations[api-approved.kubernetes.io]";
    let see = "see https://github.com/kubernetes/enhancements/pull/1111";
    let missing = format!(
        r#"{field}: Required value: protected groups must have approval annotation "api-approved.kubernetes.io", {see}"#
    );
    assert_eq!(judge(None, None), [missing]);
    assert_eq!(judge(None, Some(None)), [""; 0], "what was there may stay");
    assert_eq!(judge(Some("https://github.com/x/pull/1"), None), [""; 0]);
    assert_eq!(judge(Some("unapproved, experimental"), None), [""; 0]);
    let wrong = judge(Some("yes"), None);
    assert!(
        wrong[0].starts_with(&format!(r#"{field}: Invalid value: "yes": protected groups must have"#)),
        "{wrong:?}"
    );

    let mut crd = gates();
    crd["spec"]["group"] = json!("policy.k8s.io");
    crd["metadata"]["annotations"] = json!({"api-approved.kubernetes.io": "unapproved, experimental"});
    let status = establish(&crd, &TakenNames::default(), "t1").unwrap();
    let condition = &status["conditions"][2];
    assert_eq!(
        (&condition["type"], &condition["status"], &condition["reason"]),
        (&json!("KubernetesAPIApprovalPolicyConformant"), &json!("False"), &json!("UnapprovedAnnotation"))
    );
    assert_eq!(
        establish(&gates(), &TakenNames::default(), "t1").unwrap()["conditions"].as_array().map(Vec::len),
        Some(2)
    );
}

#[test]
fn unknown_fields_are_kept_by_schemas_only() {
    assert_eq!(
        problems(|crd| crd["spec"]["preserveUnknownFields"] = json!(true)),
        [
            "spec.preserveUnknownFields: Invalid value: true: cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead"
        ]
    );
}

#[test]
fn the_root_says_only_what_can_be_told_of_status_alone() {
    let judge = |member: &str, value: Value, status: bool| {
        problems(|crd| {
            let version = &mut crd["spec"]["versions"][0];
            version["schema"]["openAPIV3Schema"][member] = value.clone();
            if !status {
                version["subresources"] = json!({});
            }
        })
    };
    assert_eq!(
        judge("nullable", json!(true), false),
        ["spec.validation.openAPIV3Schema.nullable: Forbidden: nullable cannot be true at the root"]
    );
    let all_of = || json!([{"required": ["spec"]}]);
    assert_eq!(judge("allOf", all_of(), false), [""; 0]);
    let refused = judge("allOf", all_of(), true);
    let text = "fields are allowed at the root of the schema if the status subresource is enabled";
    assert!(refused.len() == 1 && refused[0].ends_with(text), "{refused:?}");
    assert_eq!(judge("required", json!(["spec"]), true), [""; 0]);
}

#[test]
fn every_mistake_is_told_once() {
    let mut cluster = crate::testing::Cluster::new();
    let mut crd = gates();
    crd["metadata"]["name"] = json!("x");
    crd["spec"]["scope"] = json!("Global");
    let (code, status) = cluster.post("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", &crd);
    let fields: Vec<&str> =
        status["details"]["causes"].as_array().into_iter().flatten().filter_map(|it| it["field"].as_str()).collect();
    assert_eq!((code, fields.len()), (422, 2), "{status}");
}
