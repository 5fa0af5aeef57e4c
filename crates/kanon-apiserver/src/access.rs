//! Who asks: certificates, bearer tokens, impersonation, nobody (spec/kubernetes-api.md 4.12).

use std::collections::BTreeMap;

use http::{HeaderMap, header};
use kanon_apimachinery::{request::unescape, status::ApiError};
use kanon_core::UserInfo;
use kanon_net::Peer;

/// Whoever shows nothing.
const ANONYMOUS: &str = "system:anonymous";
/// The group of whoever shows nothing.
const UNAUTHENTICATED: &str = "system:unauthenticated";
/// The group of everybody else.
const AUTHENTICATED: &str = "system:authenticated";
/// The group that may do everything.
pub(crate) const MASTERS: &str = "system:masters";

/// The user that our own controllers act as.
pub(crate) fn controller() -> UserInfo {
    user("system:apiserver", &[MASTERS])
}

/// A user in these groups and in the group of all that are known.
pub(crate) fn user(name: &str, groups: &[&str]) -> UserInfo {
    let mut groups: Vec<String> = groups.iter().map(|it| (*it).to_owned()).collect();
    if !groups.iter().any(|it| it == AUTHENTICATED) {
        groups.push(AUTHENTICATED.to_owned());
    }
    UserInfo { username: name.to_owned(), groups, ..UserInfo::default() }
}

/// Whoever shows nothing.
fn anonymous() -> UserInfo {
    let groups = vec![UNAUTHENTICATED.to_owned()];
    UserInfo { username: ANONYMOUS.to_owned(), groups, ..UserInfo::default() }
}

/// Bearer tokens known from the start.
#[derive(Clone, Default)]
pub(crate) struct StaticTokens(pub(crate) BTreeMap<String, UserInfo>);

impl StaticTokens {
    pub(crate) fn find(&self, token: &str) -> Option<&UserInfo> {
        // Each is compared whole, so that the time taken tells nothing about how much of a guess was right.
        let same = |known: &str| {
            known.len() == token.len()
                && known.bytes().zip(token.bytes()).fold(0, |differs, (a, b)| differs | (a ^ b)) == 0
        };
        self.0.iter().find(|(known, _)| same(known)).map(|(_, user)| user)
    }
}

/// Finds the user of a request; `verify` knows signed tokens.
///
/// # Errors
/// 401 for a token that nobody gave out.
pub(crate) fn authenticate(
    headers: &HeaderMap,
    peer: Option<&Peer>,
    tokens: &StaticTokens,
    verify: impl FnOnce(&str) -> Option<UserInfo>,
) -> Result<UserInfo, ApiError> {
    if let Some(identity) = peer.and_then(|peer| peer.identity.as_ref()).filter(|it| !it.common_name.is_empty()) {
        let groups: Vec<&str> = identity.organizations.iter().map(String::as_str).collect();
        return Ok(user(&identity.common_name, &groups));
    }
    let Some(given) = headers.get(header::AUTHORIZATION) else { return Ok(anonymous()) };
    let given = given.to_str().map_err(|_| ApiError::unauthorized())?;
    let token = match given.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => token.trim(),
        _ => return Ok(anonymous()),
    };
    tokens.find(token).cloned().or_else(|| verify(token)).ok_or_else(ApiError::unauthorized)
}

/// Whom a request asks to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Impersonation {
    /// The user that counts if this is allowed.
    pub(crate) user: UserInfo,
    /// What must be allowed.
    pub(crate) needs: Vec<Need>,
}

/// One thing that must be allowed to impersonate: the verb `impersonate` on this resource.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Need {
    pub(crate) group: &'static str,
    pub(crate) resource: &'static str,
    pub(crate) subresource: String,
    pub(crate) namespace: String,
    pub(crate) name: String,
}

/// Reads the `Impersonate-…` headers.
///
/// # Errors
/// 400 for groups or more without a user, and for names that are no text.
pub(crate) fn impersonation(headers: &HeaderMap) -> Result<Option<Impersonation>, ApiError> {
    if !headers.keys().any(|it| it.as_str().starts_with("impersonate-")) {
        return Ok(None);
    }
    let text = |value: &http::HeaderValue| {
        value.to_str().map(str::to_owned).map_err(|_| ApiError::bad_request("impersonation headers must be text"))
    };
    let all = |name: &str| headers.get_all(name).iter().map(text).collect::<Result<Vec<_>, _>>();
    let (names, groups, uids) = (all("impersonate-user")?, all("impersonate-group")?, all("impersonate-uid")?);
    let mut extra: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, value) in headers {
        if let Some(key) = name.as_str().strip_prefix("impersonate-extra-") {
            // Keys hold what names of headers cannot.
            extra.entry(unescape(key)).or_default().push(text(value)?);
        }
    }
    let Some(name) = names.into_iter().next().filter(|it| !it.is_empty()) else {
        if groups.is_empty() && uids.is_empty() && extra.is_empty() {
            return Ok(None);
        }
        return Err(ApiError::plain_500("requested impersonation without impersonating a user"));
    };
    let mut needs = Vec::new();
    let mut groups_given = groups.clone();
    match name.strip_prefix("system:serviceaccount:").and_then(|it| it.split_once(':')) {
        Some((namespace, account)) => {
            if groups_given.is_empty() {
                groups_given = service_account_groups(namespace);
            }
            let (namespace, name) = (namespace.to_owned(), account.to_owned());
            needs.push(Need { resource: "serviceaccounts", namespace, name, ..Need::default() });
        }
        None => needs.push(Need { resource: "users", name: name.clone(), ..Need::default() }),
    }
    needs.extend(groups.into_iter().map(|name| Need { resource: "groups", name, ..Need::default() }));
    let group = "authentication.k8s.io";
    needs.extend(uids.iter().map(|it| Need { group, resource: "uids", name: it.clone(), ..Need::default() }));
    for (key, values) in &extra {
        let need = |it: &String| Need {
            group,
            resource: "userextras",
            subresource: key.clone(),
            name: it.clone(),
            ..Need::default()
        };
        needs.extend(values.iter().map(need));
    }
    let known = if name == ANONYMOUS { UNAUTHENTICATED } else { AUTHENTICATED };
    if !groups_given.iter().any(|it| it == known) {
        groups_given.push(known.to_owned());
    }
    let user =
        UserInfo { username: name, uid: uids.into_iter().next().unwrap_or_default(), groups: groups_given, extra };
    Ok(Some(Impersonation { user, needs }))
}

/// The groups of a service account.
pub(crate) fn service_account_groups(namespace: &str) -> Vec<String> {
    vec!["system:serviceaccounts".to_owned(), format!("system:serviceaccounts:{namespace}"), AUTHENTICATED.to_owned()]
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use kanon_net::Identity;

    use super::*;

    fn headers(list: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in list {
            headers.append(*name, HeaderValue::from_str(value).expect("a header"));
        }
        headers
    }

    #[test]
    fn certificate_then_token_then_nobody() {
        let tokens = StaticTokens(BTreeMap::from([("secret".to_owned(), user("ci", &["ops"]))]));
        let identity = Identity { common_name: "jane".to_owned(), organizations: vec!["dev".to_owned()] };
        let peer = Peer { address: "127.0.0.1:1".parse().expect("address"), identity: Some(identity) };
        let verify = |token: &str| (token == "signed").then(|| user("sa", &[]));
        for (sent, peer, want) in [
            (headers(&[]), None, Ok("system:anonymous system:unauthenticated")),
            (headers(&[]), Some(&peer), Ok("jane dev,system:authenticated")),
            (headers(&[("authorization", "Bearer secret")]), None, Ok("ci ops,system:authenticated")),
            (headers(&[("authorization", "bearer signed")]), None, Ok("sa system:authenticated")),
            (headers(&[("authorization", "Bearer secreT")]), None, Err(401)),
            (headers(&[("authorization", "Basic x")]), None, Ok("system:anonymous system:unauthenticated")),
        ] {
            let got = authenticate(&sent, peer, &tokens, verify)
                .map(|it| format!("{} {}", it.username, it.groups.join(",")))
                .map_err(|error| error.code);
            assert_eq!(got, want.map(str::to_owned), "{sent:?}");
        }
    }

    #[test]
    fn impersonation_names_what_must_be_allowed() {
        let sent = headers(&[
            ("impersonate-user", "system:serviceaccount:shop:cart"),
            ("impersonate-extra-example.io%2fscopes", "view"),
        ]);
        let impersonation = impersonation(&sent).expect("fine").expect("there");
        assert_eq!(
            impersonation.user.groups,
            ["system:serviceaccounts", "system:serviceaccounts:shop", "system:authenticated"]
        );
        assert_eq!(
            impersonation.needs,
            [
                Need {
                    resource: "serviceaccounts",
                    namespace: "shop".to_owned(),
                    name: "cart".to_owned(),
                    ..Need::default()
                },
                Need {
                    group: "authentication.k8s.io",
                    resource: "userextras",
                    subresource: "example.io/scopes".to_owned(),
                    name: "view".to_owned(),
                    ..Need::default()
                }
            ]
        );
        assert_eq!(super::impersonation(&headers(&[])), Ok(None));
        assert!(super::impersonation(&headers(&[("impersonate-group", "a")])).is_err());
    }
}
