//! What works in a rule and is hardly meant: for authors, before a cluster sees it. Mistakes are `validate`'s.

use kanon_lang::{Environment, Language, Options};

use crate::{
    facts::VARIABLES,
    rule::{Enforcement, Mode, Rule},
};

/// One thing that an author should look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advice {
    /// Which part of the rule.
    pub field: &'static str,
    /// What it is.
    pub message: String,
}

/// Everything that can be said of a rule without a cluster. `is_clustered` says of a kind whether its objects have no namespace,
/// where that is known.
pub fn advise(
    rule: &Rule,
    language: &dyn Language,
    is_clustered: impl Fn(&kanon_core::GroupVersionKind) -> Option<bool>,
) -> Vec<Advice> {
    let mut found = Vec::new();
    let mut say = |field, message: String| found.push(Advice { field, message });
    let answers = |mode| rule.modes.contains(&mode);
    if let Some(enforcement) = rule.enforcement
        && !answers(Mode::Admission)
    {
        say("enforcementAction", format!("`{enforcement}` has no effect: `mode` has no `admission`"));
    }
    if rule.enforcement.is_none() && rule.modes == [Mode::Admission] && rule.actions.is_empty() {
        let text = "the rule neither refuses nor warns nor acts: set `enforcementAction`, `alert` or `actions`";
        say("enforcementAction", text.to_owned());
    }
    if rule.enforcement == Some(Enforcement::Deny) && rule.matcher.kinds.iter().any(is_webhook) {
        say("match.gvk", "webhook configurations are never asked about, so that nobody is locked out".to_owned());
    }
    let clustered = |it| is_clustered(it) == Some(true);
    if !rule.matcher.include.is_empty() && rule.matcher.kinds.iter().all(clustered) {
        say("match.namespaces.include", "the rule matches nothing: objects of its kinds have no namespace".to_owned());
    }
    if rule.home.is_some() && rule.matcher.kinds.iter().all(clustered) {
        say("match.gvk", "the rule matches nothing: a PortalRule sees objects of its own namespace only".to_owned());
    }
    for namespace in &rule.matcher.include {
        if rule.matcher.exclude.contains(namespace) {
            say("match.namespaces", format!("`{namespace}` is included and excluded: it is excluded"));
        }
    }
    let options = Options { boolean: true, ..Options::default() };
    let hints = language.lint(&rule.expression, &Environment::new(VARIABLES), &options);
    found.extend(hints.into_iter().map(|it| Advice {
        field: "rule",
        message: match it.help {
            Some(help) => format!("{}; {help}", it.message),
            None => it.message,
        },
    }));
    found
}

fn is_webhook(kind: &kanon_core::GroupVersionKind) -> bool {
    kind.group == crate::decide::WEBHOOK_GROUP
}
