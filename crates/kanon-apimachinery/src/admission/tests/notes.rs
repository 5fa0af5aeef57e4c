//! What calls leave for the audit.

use super::*;

#[test]
fn the_audit_log_is_told_who_changed_what_and_who_was_away() {
    let again = json!({"reinvocationPolicy": "IfNeeded"});
    let list = [webhook("a.a.a", again), webhook("b.b.b", json!({}))];
    let label = json!([{"op": "add", "path": "/metadata/labels/b", "value": "1"}]);
    let answer = |name: &str, _: &Value| if name == "b.b.b" { patch(&label) } else { allowed() };
    let (_, asked, notes) = Asked::default().mutate(&hooks(&list, &[]), answer).expect("fine");
    assert_eq!(asked, ["a.a.a", "b.b.b", "a.a.a"]);
    let mutation =
        |name: &str, mutated: bool| json!({"configuration": "m", "webhook": name, "mutated": mutated}).to_string();
    let key = |kind: &str, place: &str| format!("{kind}.webhook.admission.k8s.io/{place}");
    let shown = json!({"configuration": "m", "webhook": "b.b.b", "patch": label, "patchType": "JSONPatch"}).to_string();
    let want = [
        (key("mutation", "round_0_index_0"), mutation("a.a.a", false)),
        (key("mutation", "round_0_index_1"), mutation("b.b.b", true)),
        (key("mutation", "round_1_index_0"), mutation("a.a.a", false)),
        (key("patch", "round_0_index_1"), shown),
    ];
    assert_eq!(notes.audit_annotations, BTreeMap::from(want));
    let calls = Asked::default().calls(&hooks(&[], &[webhook("a.b.c", json!({"failurePolicy": "Ignore"}))]));
    let validated = Validation { calls: calls.expect("fine") }.finish(vec![Err("away".to_owned())]);
    let open = key("failed-open.validating", "round_0_index_0");
    assert_eq!(validated.notes.audit_annotations, BTreeMap::from([(open, "a.b.c".to_owned())]));
}

#[test]
fn webhooks_that_were_passed_over_are_noted() {
    let list = [webhook("a.b.c", json!({})), webhook("d.e.f", json!({"failurePolicy": "Ignore"}))];
    let calls = Asked::default().calls(&hooks(&[], &list)).expect("fine");
    let validated = Validation { calls }.finish(vec![Ok(allowed().to_string().into()), Err("away".to_owned())]);
    assert_eq!(validated.result, Ok(()));
    let key = "failed-open.validating.webhook.admission.k8s.io/round_0_index_1";
    assert_eq!(validated.notes.audit_annotations, BTreeMap::from([(key.to_owned(), "d.e.f".to_owned())]));
}

#[test]
fn keys_that_cannot_be_recorded_are_dropped() {
    let calls = Asked::default().calls(&hooks(&[], &[webhook("a.b.c", json!({}))])).expect("fine");
    let annotations = json!({"fine": "1", "not/fine": "2", "nor this": "3", "": "4"});
    let answer = review(json!({"uid": UID, "allowed": true, "auditAnnotations": annotations}));
    let validated = Validation { calls }.finish(vec![Ok(answer.to_string().into())]);
    assert_eq!(validated.notes.audit_annotations, BTreeMap::from([("a.b.c/fine".to_owned(), "1".to_owned())]));
}

#[test]
fn a_webhook_that_is_skipped_in_the_first_round_is_not_asked_in_the_second() {
    let again = |extra: Value| {
        let mut extra = extra;
        extra["reinvocationPolicy"] = "IfNeeded".into();
        extra
    };
    let late = again(json!({"objectSelector": {"matchLabels": {"b": "1"}}}));
    let list = [webhook("a.a.a", late), webhook("b.b.b", again(json!({})))];
    let label = json!([{"op": "add", "path": "/metadata/labels/b", "value": "1"}]);
    let (_, asked, _) = Asked::default().mutate(&hooks(&list, &[]), |_, _| patch(&label)).expect("fine");
    assert_eq!(asked, ["b.b.b"], "nor is one asked again for its own change");
}
