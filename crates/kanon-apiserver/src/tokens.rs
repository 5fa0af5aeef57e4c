//! Tokens of service accounts: JSON Web Tokens, signed with a key of the server's own that others verify by
//! `/openid/v1/jwks`. What a token says is checked each time against the clock and the stored account.

mod signer;

use kanon_apimachinery::{
    reviews::Token,
    status::{ApiError, GroupResource, Result},
};
use kanon_core::UserInfo;
use kanon_store::Key;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{access, core::Core};

pub(crate) use signer::Signer;

/// Who issues tokens, and whom they are for unless the request says otherwise.
const ISSUER: &str = "https://kubernetes.default.svc";
/// Shortest and longest time of a token, in seconds (upstream: ten minutes; a day where nothing is configured is ours).
const TIME: std::ops::RangeInclusive<i64> = 600..=86_400;
/// Where nothing is asked for (upstream).
const TIME_DEFAULT: i64 = 3600;

impl Core {
    /// A token for a service account: what `TokenRequest` answers with. `request` is its body.
    ///
    /// # Errors
    /// 404 without that account.
    pub(crate) fn issue_token(&self, namespace: &str, name: &str, mut request: Value) -> Result<Value> {
        let account = self.storage.get(&Key::new("core/serviceaccounts", namespace, name));
        let what = GroupResource::new("", "serviceaccounts");
        let account = account.ok_or_else(|| ApiError::not_found(&what, name))?;
        let wanted = request["spec"]["expirationSeconds"].as_i64().unwrap_or(TIME_DEFAULT);
        let seconds = wanted.clamp(*TIME.start(), *TIME.end());
        let mut audiences = request["spec"]["audiences"].take();
        if audiences.as_array().is_none_or(Vec::is_empty) {
            audiences = json!([ISSUER]);
        }
        let now = self.now().wall.as_second();
        let claims = json!({
            "aud": audiences, "iss": ISSUER, "iat": now, "nbf": now, "exp": now + seconds, "jti": Uuid::new_v4().to_string(),
            "sub": format!("system:serviceaccount:{namespace}:{name}"),
            "kubernetes.io": {"namespace": namespace,
                "serviceaccount": {"name": name, "uid": account.object.str_at(&["metadata", "uid"])}},
        });
        let expiry = jiff::Timestamp::from_second(now + seconds).map_err(ApiError::internal)?;
        request["apiVersion"] = "authentication.k8s.io/v1".into();
        request["kind"] = "TokenRequest".into();
        request["metadata"] = json!({"name": name, "namespace": namespace});
        request["spec"]["audiences"] = audiences;
        request["spec"]["expirationSeconds"] = seconds.into();
        request["status"] = json!({
            "token": self.signer.sign(&claims)?, "expirationTimestamp": kanon_core::rfc3339(expiry),
        });
        Ok(request)
    }

    /// The public keys, as `/openid/v1/jwks` shows them.
    pub(crate) fn jwks(&self) -> Value {
        json!({"keys": [self.signer.public()]})
    }

    /// What verifiers of tokens begin with: `/.well-known/openid-configuration`.
    pub(crate) fn openid_configuration(&self) -> Value {
        json!({
            "issuer": ISSUER,
            "jwks_uri": format!("{}/openid/v1/jwks", self.url),
            "response_types_supported": ["id_token"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": [signer::ALGORITHM],
        })
    }

    /// Whose a token is that came with a request.
    pub(crate) fn verify_token(&self, token: &str) -> Option<UserInfo> {
        self.account_of(token, &[]).map(|it| it.user)
    }

    /// Whose a token is that somebody asks about, tokens of the configuration included.
    pub(crate) fn review_token(&self, token: &str, audiences: &[String]) -> Option<Token> {
        let known = self.tokens.find(token).map(|user| Token { user: user.clone(), audiences: audiences.to_vec() });
        known.or_else(|| self.account_of(token, audiences))
    }

    /// The account of a token: only while it counts, is meant for one of the audiences (none: for us), and its account is the
    /// one that it was made for.
    fn account_of(&self, token: &str, audiences: &[String]) -> Option<Token> {
        let claims = self.signer.claims(token)?;
        let now = self.now().wall.as_second();
        let counts = claims["nbf"].as_i64()? <= now && now < claims["exp"].as_i64()?;
        let meant_for = claims["aud"].as_array()?;
        let shared: Vec<String> =
            audiences.iter().filter(|it| meant_for.iter().any(|aud| aud == it.as_str())).cloned().collect();
        let fits = if audiences.is_empty() { meant_for.iter().any(|it| it == ISSUER) } else { !shared.is_empty() };
        let about = &claims["kubernetes.io"];
        let (namespace, account) = (about["namespace"].as_str()?, &about["serviceaccount"]);
        let (name, uid) = (account["name"].as_str()?, account["uid"].as_str()?);
        let stored = self.storage.get(&Key::new("core/serviceaccounts", namespace, name))?;
        let same = stored.object.str_at(&["metadata", "uid"]) == uid;
        (counts && fits && same).then(|| Token {
            user: UserInfo {
                username: format!("system:serviceaccount:{namespace}:{name}"),
                uid: uid.to_owned(),
                groups: access::service_account_groups(namespace),
                ..UserInfo::default()
            },
            audiences: shared,
        })
    }
}
