//! Whether a NetworkPolicy would let more through than before. Pure, and careful: what it cannot follow counts as wider.
//!
//! Policies add up: each allows what its rules allow and isolates what it selects, for its directions. A changed policy
//! allows no more if it has no rule that it had not, and isolates all that it did.

use kanon_core::{Node, Object};

/// What would be wider, if anything.
pub(super) fn widening(before: &Object, after: &Object) -> Option<&'static str> {
    let isolated = directions(before).into_iter().zip(directions(after));
    if isolated.clone().any(|(before, after)| before && !after) {
        return Some("a direction is no longer isolated");
    }
    let (selected, selects) = (selector(before), selector(after));
    let selects_all = selects == "{}";
    if !selects_all && selected != selects {
        return Some("other pods are selected");
    }
    // Rules reach the pods that are selected anew, too.
    let reaches_more = selected != selects;
    for (field, (was, is)) in ["ingress", "egress"].into_iter().zip(isolated) {
        // Rules of a direction that is not isolated say nothing.
        let had = if was { rules(before, field) } else { Vec::new() };
        let has = if is { rules(after, field) } else { Vec::new() };
        if reaches_more && !has.is_empty() {
            return Some("the rules apply to more pods");
        }
        if has.iter().any(|rule| !had.contains(rule)) {
            return Some("a rule is new or changed");
        }
    }
    None
}

/// Whether ingress and egress are isolated (spec/rules 6.1: effective `policyTypes`).
fn directions(policy: &Object) -> [bool; 2] {
    let named = |direction: &str| {
        let types = policy.at(&["spec", "policyTypes"])?;
        Some(types.elements().any(|it| it.as_plain_str() == Some(direction)))
    };
    let has_egress = !rules(policy, "egress").is_empty();
    [named("Ingress").unwrap_or(true), named("Egress").unwrap_or(has_egress)]
}

/// The pod selector's text; `{}` selects all.
fn selector(policy: &Object) -> &str {
    policy.at(&["spec", "podSelector"]).filter(|it| !it.is_null()).map_or("{}", |it| it.raw())
}

fn rules<'p>(policy: &'p Object, field: &str) -> Vec<&'p str> {
    policy.at(&["spec", field]).into_iter().flat_map(Node::elements).map(|it| it.raw()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_surely_narrows_passes() {
        let before = r#"{"podSelector":{"matchLabels":{"a":"b"}},"policyTypes":["Ingress"],"ingress":[{"ports":[1]},{"ports":[2]}]}"#;
        for (after, want) in [
            (before, None),
            (r#"{"podSelector":{"matchLabels":{"a":"b"}},"policyTypes":["Ingress"],"ingress":[{"ports":[2]}]}"#, None),
            (r#"{"podSelector":{"matchLabels":{"a":"b"}},"policyTypes":["Ingress","Egress"],"ingress":[]}"#, None),
            (r#"{"podSelector":{},"policyTypes":["Ingress"]}"#, None),
            (
                r#"{"podSelector":{},"policyTypes":["Ingress"],"ingress":[{"ports":[1]}]}"#,
                Some("the rules apply to more pods"),
            ),
            (r#"{"podSelector":{"matchLabels":{"a":"c"}},"policyTypes":["Ingress"]}"#, Some("other pods are selected")),
            (
                r#"{"podSelector":{"matchLabels":{"a":"b"}},"policyTypes":["Egress"]}"#,
                Some("a direction is no longer isolated"),
            ),
            (
                r#"{"podSelector":{"matchLabels":{"a":"b"}},"policyTypes":["Ingress"],"ingress":[{}]}"#,
                Some("a rule is new or changed"),
            ),
            (
                r#"{"podSelector":{"matchLabels":{"a":"b"}},"policyTypes":["Ingress","Egress"],"egress":[{}]}"#,
                Some("a rule is new or changed"),
            ),
            (
                r#"{"podSelector":{"matchLabels":{"a":"b"}},"policyTypes":["Ingress"],"ingress":[{"ports":[2]}],"egress":[{}]}"#,
                None,
            ),
        ] {
            let policy = |spec: &str| Object::parse(format!(r#"{{"spec":{spec}}}"#)).unwrap();
            assert_eq!(widening(&policy(before), &policy(after)), want, "{after}");
        }
    }
}
