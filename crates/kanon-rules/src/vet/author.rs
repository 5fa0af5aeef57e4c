//! Whether the author of a rule may do what its actions do (spec/rules 1.10): the engine is stronger than most who write rules, and must
//! not lend its rights. The API server is asked, about the author: no rights are known here.

use kanon_core::{GroupVersionKind, Node, Outcome, UserInfo, Verdict};
use kanon_plane::{Access, Actions, Live, LiveRead, Lookups, Params, Right};

use super::Stored;

const FORBIDDEN: &str = "AuthorLacksRights";

/// A denial for each right that the author lacks, or that cannot be found out about.
pub(super) fn check(stored: &Stored<'_>, actions: &Actions, lookups: &dyn Lookups) -> Vec<Verdict> {
    let mut asked = Vec::new();
    let mut found = Vec::new();
    for (word, right) in needed(stored, actions) {
        if asked.contains(&right) {
            continue;
        }
        let what = text(&right, stored.home());
        let user = &stored.review.user;
        let problem = match lookups.live(&LiveRead::Access(access(user, &right, stored.home()))) {
            // The decision is made again with the answer.
            Some(Live::Wanted) => None,
            Some(Live::Known(Ok(answer))) => {
                let is_allowed =
                    |it: &kanon_core::Object| it.at(&["status", "allowed"]).and_then(Node::as_bool).unwrap_or_default();
                let may_not =
                    || format!("action `{word}` needs the right to {what}, which `{}` does not have", user.username);
                (!answer.iter().any(is_allowed)).then(may_not)
            }
            Some(Live::Known(Err(error))) => Some(format!(
                "action `{word}` needs the right to {what}; whether `{}` has it cannot be found out: {error}",
                user.username
            )),
            None => None,
        };
        found.extend(problem.map(|it| stored.verdict(Outcome::Deny, FORBIDDEN, it)));
        asked.push(right);
    }
    found
}

/// The rights that the rule's actions need, by the action. The text is read, not the rule: what is broken or never runs needs no less.
fn needed(stored: &Stored<'_>, actions: &Actions) -> Vec<(String, Right)> {
    let text = |node: Node<'_>, name: &str| node.get(name).and_then(Node::as_str).unwrap_or_default().into_owned();
    let listed = |path: &[&str]| stored.object.at(path).into_iter().flat_map(|it| it.elements().collect::<Vec<_>>());
    let mut objects: Vec<Right> = Vec::new();
    for it in listed(&["spec", "match", "gvk"]) {
        let kind = GroupVersionKind::new(&text(it, "group"), &text(it, "version"), &text(it, "kind"));
        // Of a kind that nobody serves it is asked about all of the group.
        let resource = stored.rules.resources.kind(&kind).map_or("*", |it| it.plural.as_str());
        objects.push(Right::new("", &kind.group, resource));
    }
    let mut needed = Vec::new();
    for spec in listed(&["spec", "actions"]) {
        let word = text(spec, "type");
        let Some(action) = actions.get(word.as_str()) else { continue };
        // Both forms of parameters, as when the rule runs.
        let mut params = Params::new();
        for part in [Some(spec), spec.get("params")].into_iter().flatten() {
            params.extend(part.members().map(|(key, value)| (key.into_owned(), value.to_object().to_value())));
        }
        needed.extend(action.rights(&params, &objects).into_iter().map(|right| (word.clone(), right)));
    }
    needed
}

fn access(user: &UserInfo, right: &Right, home: Option<&str>) -> Access {
    Access { user: user.clone(), right: right.clone(), namespace: home.unwrap_or_default().to_owned() }
}

/// `patch pods in namespace shop`
fn text(right: &Right, home: Option<&str>) -> String {
    let Right { verb, group, resource, part } = right;
    let slash = if part.is_empty() { "" } else { "/" };
    let dot = if group.is_empty() { "" } else { "." };
    let place = home.map_or("in all namespaces".to_owned(), |it| format!("in namespace `{it}`"));
    format!("{verb} `{resource}{slash}{part}{dot}{group}` {place}")
}
