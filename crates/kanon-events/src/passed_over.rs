//! Whose events nobody wants to hear of: this process' own, and those of the cluster's components (spec/rules 7.4).

use std::{fmt, str::FromStr};

use crate::event::Event;

/// A user's name, or the beginning of one with `*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    start: String,
    is_whole: bool,
}

/// Text that is no pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no pattern: write a user's name, with `*` at its end or nowhere")]
pub struct PatternError {
    text: String,
}

impl FromStr for Pattern {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<Pattern, PatternError> {
        let start = text.strip_suffix('*').unwrap_or(text);
        if text.is_empty() || start.contains('*') {
            return Err(PatternError { text: text.to_owned() });
        }
        Ok(Pattern { start: start.to_owned(), is_whole: start.len() == text.len() })
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}{}", self.start, if self.is_whole { "" } else { "*" })
    }
}

impl Pattern {
    fn matches(&self, name: &str) -> bool {
        if self.is_whole { name == self.start } else { name.starts_with(&self.start) }
    }
}

/// Who this process is to the API server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Own {
    /// Its user.
    pub user: String,
    /// What its `User-Agent` begins with: whoever runs it may be somebody who does other things too.
    pub agent: &'static str,
}

/// Whose events are passed over.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PassedOver {
    /// This process.
    pub own: Option<Own>,
    /// Users by name.
    pub users: Vec<Pattern>,
}

impl PassedOver {
    /// The components of a cluster: its nodes, its control plane, and what runs in `kube-system`.
    pub const COMPONENTS: [&str; 4] =
        ["system:apiserver", "system:kube-*", "system:node:*", "system:serviceaccount:kube-system:*"];

    /// Whether an event is passed over. Whoever acts as somebody else is heard of, whoever it is.
    pub fn covers(&self, event: &Event) -> bool {
        let user = &event.user.username;
        // A review does not say which program asks; what this process writes does not come here as one.
        let is_own = |it: &Own| it.user == *user && event.user_agent.starts_with(it.agent);
        self.own.as_ref().is_some_and(is_own)
            || event.impersonated.is_none() && self.users.iter().any(|it| it.matches(user))
    }
}

#[cfg(test)]
mod tests {
    use kanon_core::UserInfo;

    use super::*;

    #[test]
    fn own_events_and_components_are_passed_over() {
        let users = PassedOver::COMPONENTS.iter().map(|it| it.parse().unwrap()).collect();
        let own = Some(Own { user: "ops".into(), agent: "kanon/" });
        let passed_over = PassedOver { own, users };
        for (user, agent, want) in [
            ("ops", "kanon/0.1", true),
            ("ops", "kubectl/v1.32", false),
            ("system:node:a", "kubelet", true),
            ("system:kube-scheduler", "", true),
            ("system:serviceaccount:kube-system:job-controller", "", true),
            ("system:serviceaccount:shop:robot", "", false),
            ("system:apiserver", "", true),
            ("system:apiserver2", "", false),
            ("system:anonymous", "", false),
            ("system:admin", "kubectl", false),
        ] {
            let user = UserInfo { username: user.into(), ..UserInfo::default() };
            let event = Event { user, user_agent: agent.into(), ..Event::empty() };
            assert_eq!(passed_over.covers(&event), want, "{event:?}");
        }
        let acting = |impersonated| Event {
            user: UserInfo { username: "system:kube-x".into(), ..UserInfo::default() },
            impersonated,
            ..Event::empty()
        };
        assert!(passed_over.covers(&acting(None)) && !passed_over.covers(&acting(Some(UserInfo::default()))));
    }

    #[test]
    fn a_star_stands_at_the_end_or_nowhere() {
        for text in ["a", "system:*", "*"] {
            assert_eq!(text.parse::<Pattern>().map(|it| it.to_string()).as_deref(), Ok(text));
        }
        for text in ["", "a*b", "**"] {
            assert!(text.parse::<Pattern>().is_err(), "{text}");
        }
    }
}
