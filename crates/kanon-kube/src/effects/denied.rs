//! What right is missing, as the API server's authorization says it in the message of a 403. Other refusals, by admission or a
//! quota, are about one object and are none of it. Pure.

use crate::client::Error;

/// A fragment such as ``create `pods/eviction` in namespace `shop` ``.
pub(super) fn missing_right(error: &Error) -> Option<String> {
    let Error::Status { code: 403, message, .. } = error else { return None };
    // `pods "a" is forbidden: User "u" cannot create resource "pods/eviction" in API group "" in the namespace "shop"`
    let (_, said) = message.split_once(" cannot ").filter(|it| it.0.contains("orbidden: User \""))?;
    let (verb, said) = said.split_once(" resource \"")?;
    let (resource, said) = said.split_once("\" in API group \"")?;
    let (group, said) = said.split_once('"')?;
    let namespace = said.strip_prefix(" in the namespace \"").and_then(|it| it.split_once('"'));
    let place = namespace.map_or_else(|| "in all namespaces".to_owned(), |it| format!("in namespace `{}`", it.0));
    let dot = if group.is_empty() { "" } else { "." };
    Some(format!("{verb} `{resource}{dot}{group}` {place}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn authorization_names_the_right_and_nobody_else_does() {
        for (message, want) in [
            (
                r#"pods "a" is forbidden: User "u" cannot create resource "pods/eviction" in API group "" in the namespace "shop""#,
                Some("create `pods/eviction` in namespace `shop`"),
            ),
            (
                r#"deployments.apps "web" is forbidden: User "u" cannot patch resource "deployments" in API group "apps" in the namespace "shop": no"#,
                Some("patch `deployments.apps` in namespace `shop`"),
            ),
            (
                r#"nodes "n" is forbidden: User "u" cannot patch resource "nodes" in API group "" at the cluster scope: RBAC: x"#,
                Some("patch `nodes` in all namespaces"),
            ),
            (r#"pods "a" is forbidden: exceeded quota: q, requested: pods=1"#, None),
            (r#"admission webhook "w" denied the request: User "u" cannot do that"#, None),
            (r#"forbidden: User "u" cannot get path "/metrics""#, None),
        ] {
            let error = |code| Error::Status { code, reason: "Forbidden".into(), message: message.into() };
            assert_eq!(missing_right(&error(403)).as_deref(), want, "{message}");
            assert_eq!(missing_right(&error(409)), None);
        }
    }
}
