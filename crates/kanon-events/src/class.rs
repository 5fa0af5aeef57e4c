//! The classes of events (spec/rules 7.3): what of a request makes it one.

use std::{fmt, str::FromStr};

use crate::event::Event;

macro_rules! classes {
    ($($(#[$doc:meta])* $variant:ident = $word:literal,)*) => {
        /// A kind of event that rules name.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Class { $($(#[$doc])* $variant,)* }

        impl Class {
            /// Every word a user may write.
            pub const WORDS: &[&str] = &[$($word),*];

            /// The word as users write it.
            pub fn as_str(self) -> &'static str {
                match self { $(Class::$variant => $word,)* }
            }
        }

        impl FromStr for Class {
            type Err = UnknownClass;

            fn from_str(text: &str) -> Result<Class, UnknownClass> {
                match text {
                    $($word => Ok(Class::$variant),)*
                    _ => Err(UnknownClass { text: text.to_owned() }),
                }
            }
        }
    };
}

classes! {
    /// A command runs in a container.
    Exec = "exec",
    /// A container's streams are joined.
    Attach = "attach",
    /// A tunnel to a pod's port.
    PortForward = "port-forward",
    /// A container's output is read.
    LogRead = "log-read",
    /// A container is added to a running pod.
    Debug = "debug",
    /// A Secret is read, listed or watched.
    SecretRead = "secret-read",
    /// A token of a service account is made.
    TokenRequest = "token-request",
    /// A role or a binding changes.
    RbacChange = "rbac-change",
    /// Somebody acts as somebody else.
    Impersonate = "impersonate",
    /// A node's own API is called.
    NodeProxy = "node-proxy",
    /// A webhook or an admission policy changes.
    WebhookChange = "webhook-change",
    /// Somebody acts without credentials.
    Anonymous = "anonymous",
}

/// What is called an event of none of the classes.
pub(crate) const OTHER: &str = "other";
/// The user of requests without credentials.
const ANONYMOUS: &str = "system:anonymous";
const RBAC: &str = "rbac.authorization.k8s.io";
const ADMISSION: &str = "admissionregistration.k8s.io";
const WRITES: [&str; 5] = ["create", "update", "patch", "delete", "deletecollection"];

/// A word that names no class.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not one of {}", Class::WORDS.join(", "))]
pub struct UnknownClass {
    text: String,
}

impl fmt::Display for Class {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

impl Class {
    /// Whether it is a stream whose verb depends on how the client speaks: GET with WebSockets, POST otherwise.
    pub(crate) fn is_stream(self) -> bool {
        matches!(self, Class::Exec | Class::Attach | Class::PortForward)
    }
}

/// Every class that an event is of, the most telling one first. Reads the verb as it came.
pub(crate) fn classes(event: &Event) -> Vec<Class> {
    let resource = &event.resource;
    let verb = event.raw_verb.as_str();
    let is = |verbs: &[&str]| verbs.contains(&verb);
    let of_resource = match (&*resource.group, &*resource.resource, &*event.sub_resource) {
        ("", "pods", "exec") if is(&["create", "get"]) => Some(Class::Exec),
        ("", "pods", "attach") if is(&["create", "get"]) => Some(Class::Attach),
        ("", "pods", "portforward") if is(&["create", "get"]) => Some(Class::PortForward),
        ("", "pods", "log") if is(&["get"]) => Some(Class::LogRead),
        ("", "pods", "ephemeralcontainers") if is(&["update", "patch"]) => Some(Class::Debug),
        ("", "secrets", "") if is(&["get", "list", "watch"]) => Some(Class::SecretRead),
        ("", "serviceaccounts", "token") if is(&["create"]) => Some(Class::TokenRequest),
        ("", "nodes", "proxy") => Some(Class::NodeProxy),
        (RBAC, _, _) if is(&WRITES) => Some(Class::RbacChange),
        (ADMISSION, _, _) if is(&WRITES) => Some(Class::WebhookChange),
        _ => None,
    };
    let impersonates = event.impersonated.is_some().then_some(Class::Impersonate);
    let anonymous = (event.user.username == ANONYMOUS).then_some(Class::Anonymous);
    [of_resource, impersonates, anonymous].into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use kanon_core::{Resource, UserInfo};

    use super::*;

    #[test]
    fn the_table_of_classes() {
        let all = "create get list watch update patch delete deletecollection";
        for (group, path, verbs, want) in [
            ("", "pods/exec", "create get", "exec"),
            ("", "pods/attach", "create get", "attach"),
            ("", "pods/portforward", "create get", "port-forward"),
            ("", "pods/log", "get", "log-read"),
            ("", "pods/ephemeralcontainers", "update patch", "debug"),
            ("", "secrets", "get list watch", "secret-read"),
            ("", "serviceaccounts/token", "create", "token-request"),
            ("rbac.authorization.k8s.io", "rolebindings", "create update patch delete deletecollection", "rbac-change"),
            ("", "nodes/proxy", all, "node-proxy"),
            (
                "admissionregistration.k8s.io",
                "validatingwebhookconfigurations",
                "create update patch delete deletecollection",
                "webhook-change",
            ),
            // Neighbours that are of no class.
            ("", "secrets/status", "", ""),
            ("apps", "pods/exec", "", ""),
            ("", "pods", "", ""),
        ] {
            let (resource, sub) = path.split_once('/').unwrap_or((path, ""));
            for verb in all.split(' ') {
                let event = Event {
                    resource: Resource { group: group.into(), version: "v1".into(), resource: resource.into() },
                    sub_resource: sub.into(),
                    raw_verb: verb.into(),
                    ..Event::empty()
                };
                let found: Vec<_> = classes(&event).into_iter().map(Class::as_str).collect();
                let wanted: Vec<_> = verbs.split(' ').filter(|it| *it == verb).map(|_| want).collect();
                assert_eq!(found, wanted, "{verb} {path}");
            }
        }
    }

    #[test]
    fn who_asks_makes_classes_too() {
        let user = |name: &str| UserInfo { username: name.into(), ..UserInfo::default() };
        let event = Event { user: user("system:anonymous"), impersonated: Some(user("eve")), ..Event::empty() };
        assert_eq!(classes(&event), [Class::Impersonate, Class::Anonymous]);
        for word in Class::WORDS {
            assert_eq!(word.parse::<Class>().map(Class::as_str), Ok(*word));
        }
        let problem = "Exec".parse::<Class>().unwrap_err().to_string();
        assert!(problem.starts_with("`Exec` is not one of exec, attach, port-forward"), "{problem}");
    }
}
