//! From the wire to a checked [`Exception`]: every mistake with its field path. What is not understood is a mistake and no warning: a
//! key that was meant to narrow an exception and is passed over would widen it.

use kanon_core::{ExceptionEvidence, PolicyRef};
use serde_json::Value;

use super::{Exception, RuleNames};
use crate::{
    api::{
        self,
        exceptions::{ENTRIES_MAX, ExceptionSpec, REASON_LEN_MAX},
    },
    narrow::Narrow,
    network::BUILT_IN,
    validate::{Mistakes, check_matcher, keys},
};

/// Kinds of rules; the checks of the process itself are one.
const KINDS: [&str; 3] = [api::CLUSTER_RULE, api::RULE, BUILT_IN];

/// Checks the fields of `spec`.
///
/// # Errors
/// Every mistake, one a line, each with its field path.
pub(super) fn validate(spec: &Value, policy: PolicyRef, home: Option<&str>) -> Result<Exception, String> {
    let mut mistakes = Mistakes { list: keys::unknown_of_exception(spec) };
    let spec = keys::without_nulls(spec);
    let wire: ExceptionSpec = match serde_path_to_error::deserialize(&spec) {
        Ok(wire) => wire,
        Err(error) => {
            mistakes.add(error.path().to_string(), error.inner());
            return Err(mistakes.list.join("\n"));
        }
    };
    let mut matcher = check_matcher(&wire.matcher, &mut mistakes, false);
    matcher.narrow = Narrow::of(&wire.matcher, &[], &mut mistakes);
    let rules = names(&wire.rules, &mut mistakes);
    for (field, list) in [("containers", &wire.containers), ("images", &wire.images)] {
        check_length(field, list, &mut mistakes);
        for (at, _) in list.iter().enumerate().filter(|it| it.1.is_empty()) {
            mistakes.add(format!("{field}[{at}]"), "is empty");
        }
    }
    let reason = wire.reason.trim();
    if reason.is_empty() {
        mistakes.add("reason", "is required: say why violations are let be");
    } else if reason.len() > REASON_LEN_MAX {
        mistakes.add("reason", format!("has {} bytes, at most {REASON_LEN_MAX} are allowed", reason.len()));
    }
    let expires = match wire.expires.as_str() {
        "" => None,
        text => text
            .parse()
            .map_err(|_| {
                let what = format!("`{text}` is no time of RFC 3339, such as `2027-01-31T00:00:00Z`");
                mistakes.add("expires", what);
            })
            .ok(),
    };
    if !mistakes.list.is_empty() {
        return Err(mistakes.list.join("\n"));
    }
    let mut warnings = Vec::new();
    if matcher.narrow.is_by_request() {
        let text = "`match`: `operations` and `subjects` speak of requests: stored objects are not covered";
        warnings.push(text.to_owned());
    }
    if let Some(home) = home.filter(|it| !matcher.admits(it)) {
        warnings.push(format!("`match.namespaces`: leaves out `{home}`, the only namespace that it may cover"));
    }
    let evidence =
        ExceptionEvidence { policy, reason: reason.to_owned(), owner: wire.owner.trim().to_owned(), expires };
    let (containers, images) = (wire.containers, wire.images);
    Ok(Exception { evidence, home: home.map(str::to_owned), rules, matcher, containers, images, warnings })
}

fn names(texts: &[String], mistakes: &mut Mistakes) -> Vec<RuleNames> {
    if texts.is_empty() {
        mistakes.add("rules", "is required: name at least one rule");
    }
    check_length("rules", texts, mistakes);
    let mut names = Vec::new();
    for (at, text) in texts.iter().enumerate() {
        let kind = KINDS.into_iter().find_map(|it| Some((it, text.strip_prefix(it)?.strip_prefix('/')?)));
        let (kind, pattern) = kind.map_or((None, text.as_str()), |(kind, rest)| (Some(kind), rest));
        if pattern.is_empty() {
            mistakes.add(format!("rules[{at}]"), "names no rule");
        }
        names.push(RuleNames { text: text.clone(), kind, pattern: pattern.to_owned() });
    }
    names
}

fn check_length(field: &str, list: &[String], mistakes: &mut Mistakes) {
    if list.len() > ENTRIES_MAX {
        mistakes.add(field, format!("has {} entries, at most {ENTRIES_MAX} are allowed", list.len()));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(spec: &Value, home: Option<&str>) -> Result<Vec<String>, String> {
        validate(spec, PolicyRef::default(), home).map(|it| it.warnings)
    }

    fn with(change: Value) -> Value {
        let mut spec = json!({"rules": ["a"], "reason": "moving"});
        for (key, value) in change.as_object().unwrap() {
            spec[key] = value.clone();
        }
        spec
    }

    #[test]
    fn every_mistake_names_its_field() {
        for (change, want) in [
            (json!({"rules": []}), "`rules`: is required"),
            (json!({"rules": ["a", ""]}), "`rules[1]`: names no rule"),
            (json!({"rules": ["PortalRule/"]}), "`rules[0]`: names no rule"),
            (json!({"rules": "a"}), "`rules`: "),
            (json!({"rules": vec!["a"; 65]}), "`rules`: has 65 entries, at most 64"),
            (json!({"reason": "  "}), "`reason`: is required"),
            (json!({"reason": "x".repeat(1025)}), "`reason`: has 1025 bytes"),
            (json!({"expires": "tomorrow"}), "`expires`: `tomorrow` is no time of RFC 3339"),
            (json!({"expires": 5}), "`expires`: "),
            (json!({"containers": [""]}), "`containers[0]`: is empty"),
            (json!({"match": {"operations": ["PATCH"]}}), "`match.operations[0]`: `PATCH` is not one of"),
            (json!({"match": {"gvk": [{"group": "", "kind": "Pod"}]}}), "`match.gvk[0].version`: is required"),
            (
                json!({"match": {"labelSelector": {"matchExpressions": [{"key": "a", "operator": "Near"}]}}}),
                "`match.labelSelector`: ",
            ),
            (
                json!({"match": {"subjects": {"include": {"serviceAccounts": ["x"]}}}}),
                "`match.subjects.include.serviceAccounts[0]`: ",
            ),
            (json!({"match": {"namespace": ["shop"]}}), "`match.namespace`: unknown key"),
            (json!({"until": "2027-01-01T00:00:00Z"}), "`until`: unknown key"),
        ] {
            let problem = check(&with(change.clone()), None).unwrap_err();
            assert!(problem.starts_with(want), "{change}: {problem}");
        }
        let both = check(&json!({}), None).unwrap_err();
        assert_eq!(both.lines().count(), 2, "{both}");
    }

    #[test]
    fn what_hardly_means_what_it_says_is_a_warning() {
        assert_eq!(check(&with(json!({"owner": null, "expires": "2027-01-01T00:00:00Z"})), None), Ok(Vec::new()));
        let requests = check(&with(json!({"match": {"operations": ["UPDATE"]}})), None).unwrap();
        assert!(requests[0].contains("stored objects are not covered"), "{requests:?}");
        let elsewhere = with(json!({"match": {"namespaces": {"include": ["lab"]}}}));
        assert!(check(&elsewhere, Some("shop")).unwrap()[0].contains("leaves out `shop`"));
        assert_eq!(check(&elsewhere, None), Ok(Vec::new()));
    }
}
