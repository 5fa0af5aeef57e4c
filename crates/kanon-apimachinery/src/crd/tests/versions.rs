//! Several versions of one kind: warnings of old ones, stored versions, what may not change.

use super::*;

fn version(name: &str, extra: Value) -> Value {
    let mut version = gates()["spec"]["versions"][0].clone();
    version["name"] = name.into();
    version["storage"] = false.into();
    for (name, value) in extra.as_object().into_iter().flatten() {
        version[name] = value.clone();
    }
    version
}

#[test]
fn deprecated_versions_say_where_to_go() {
    let warning = |name: &str, versions: &[Value]| {
        let mut crd = crate::testing::established();
        crd["spec"]["versions"] = versions.to_vec().into();
        let resources = resources(&crd, None);
        let found = resources.iter().find(|it| it.gvk.version == name).and_then(|it| it.custom());
        found.and_then(|it| it.deprecation.clone())
    };
    let old = version("v1alpha1", json!({"deprecated": true}));
    let stored = version("v1", json!({"storage": true}));
    let told = |text: &str| Some(format!("policy.example.io/v1alpha1 Gate is deprecated{text}"));
    assert_eq!(warning("v1alpha1", &[old.clone(), stored.clone()]), told("; use policy.example.io/v1 Gate"));
    assert_eq!(
        warning(
            "v1alpha1",
            &[version("v1beta1", json!({})), old.clone(), stored.clone(), version("v2beta1", json!({}))]
        ),
        told("; use policy.example.io/v1 Gate"),
        "the newest stable one"
    );
    let away = version("v1", json!({"storage": true, "served": false}));
    assert_eq!(warning("v1alpha1", &[old.clone(), away]), told(""));
    let own = version("v1alpha1", json!({"deprecated": true, "deprecationWarning": "go away"}));
    assert_eq!(warning("v1alpha1", &[own, stored.clone()]), Some("go away".to_owned()));
    assert_eq!(warning("v1", &[old, stored]), None);
}

#[test]
fn deprecation_warnings_are_bounded() {
    let judge = |extra: Value| {
        problems(|crd| {
            for (name, value) in extra.as_object().into_iter().flatten() {
                crd["spec"]["versions"][0][name] = value.clone();
            }
        })
    };
    let field = "spec.versions[0].deprecationWarning: Invalid value:";
    assert_eq!(
        judge(json!({"deprecationWarning": "x"})),
        [format!(r#"{field} "x": can only be set for deprecated versions"#)]
    );
    assert_eq!(
        judge(json!({"deprecated": true, "deprecationWarning": ""})),
        [format!(r#"{field} "": must not be an empty string"#)]
    );
    let long = judge(json!({"deprecated": true, "deprecationWarning": "x".repeat(257)}));
    assert!(long.len() == 1 && long[0].ends_with("must be <= 256 characters long"), "{long:?}");
    let odd = judge(json!({"deprecated": true, "deprecationWarning": "a\u{7}"}));
    assert!(odd[0].ends_with("non-printable character found at index 1"), "{odd:?}");
}

#[test]
fn stored_versions_stay_until_nothing_is_stored_in_them() {
    let judge = |stored: Value, versions: &[Value]| {
        let mut crd = crate::testing::established();
        crd["spec"]["versions"] = versions.to_vec().into();
        crd["status"]["storedVersions"] = stored;
        validate(&crd, None, None).iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let stored = || version("v1", json!({"storage": true}));
    assert_eq!(judge(json!(["v1"]), &[stored()]), [""; 0]);
    assert_eq!(
        judge(json!(["v1", "v0"]), &[stored()]),
        [
            r#"status.storedVersions[1]: Invalid value: "v0": missing from spec.versions; v0 was previously a storage version, and must remain in spec.versions until a storage migration ensures no data remains persisted in v0 and removes v0 from status.storedVersions"#
        ]
    );
    assert_eq!(
        judge(json!(["v2"]), &[stored(), version("v2", json!({}))]),
        [r#"status.storedVersions: Invalid value: ["v2"]: must have the storage version v1"#]
    );
}

#[test]
fn a_new_storage_version_is_noted_beside_the_old() {
    let definitions = Registry::builtin().resource("apiextensions.k8s.io", "v1", "customresourcedefinitions").cloned();
    let mut crd = crate::testing::established();
    crd["status"]["storedVersions"] = json!(["v1"]);
    crd["spec"]["versions"] = json!([version("v1", json!({})), version("v2", json!({"storage": true}))]);
    note_stored_version(&definitions.expect("built in"), &mut crd);
    assert_eq!(crd["status"]["storedVersions"], json!(["v1", "v2"]));
}

#[test]
fn what_decides_where_objects_are_stored_stays() {
    let judge = |old: &Value, change: &dyn Fn(&mut Value)| {
        let mut crd = old.clone();
        change(&mut crd);
        let causes = validate(&crd, Some(old), None);
        causes.iter().map(ToString::to_string).filter(|it| it.contains("immutable")).collect::<Vec<_>>()
    };
    let (fresh, served) = (gates(), crate::testing::established());
    let scope = |crd: &mut Value| crd["spec"]["scope"] = json!("Cluster");
    assert_eq!(judge(&fresh, &scope), [""; 0]);
    assert_eq!(judge(&served, &scope), [r#"spec.scope: Invalid value: "Cluster": field is immutable"#]);
    let kind = |crd: &mut Value| crd["spec"]["names"]["kind"] = json!("Door");
    assert_eq!(judge(&fresh, &kind), [""; 0]);
    assert_eq!(judge(&served, &kind), [r#"spec.names.kind: Invalid value: "Door": field is immutable"#]);
    let group = |crd: &mut Value| crd["spec"]["group"] = json!("other.example.io");
    assert_eq!(judge(&fresh, &group), [r#"spec.group: Invalid value: "other.example.io": field is immutable"#]);
}
