//! Tokens of service accounts: JSON Web Tokens, signed with a key of the server's own that others verify by
//! `/openid/v1/jwks`. What a token says is checked each time against the clock and the stored account.

mod bound;
mod signer;

use kanon_apimachinery::{
    reviews::Token,
    status::{ApiError, Cause, GroupResource, Result},
};
use kanon_core::{GroupVersionKind, UserInfo};
use kanon_store::Key;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{access, core::Core};

pub(crate) use signer::Signer;

/// Who issues tokens, and whom they are for unless the request says otherwise.
const ISSUER: &str = "https://kubernetes.default.svc";
/// Shortest and longest time of a token, in seconds (upstream).
const TIME: std::ops::RangeInclusive<i64> = 600..=1 << 32;
/// Where nothing is asked for (upstream).
const TIME_DEFAULT: i64 = 3600;

impl Core {
    /// A token for a service account: what `TokenRequest` answers with. `request` is its body.
    ///
    /// # Errors
    /// 404 without that account or the object that the token is to be bound to, 422 for a time that no token has.
    pub(crate) fn issue_token(&self, namespace: &str, name: &str, mut request: Value) -> Result<Value> {
        let account = self.storage.get(&Key::new("core/serviceaccounts", namespace, name));
        let what = GroupResource::new("", "serviceaccounts");
        let account = account.ok_or_else(|| ApiError::not_found(&what, name))?;
        let seconds = request["spec"]["expirationSeconds"].as_i64().unwrap_or(TIME_DEFAULT);
        check_time(seconds)?;
        let mut about = bound::claims(self, namespace, name, &request["spec"]["boundObjectRef"])?;
        about.insert("namespace".to_owned(), namespace.into());
        let uid = account.object.str_at(&["metadata", "uid"]);
        about.insert("serviceaccount".to_owned(), json!({"name": name, "uid": uid}));
        let mut audiences = request["spec"]["audiences"].take();
        if audiences.as_array().is_none_or(Vec::is_empty) {
            audiences = json!([ISSUER]);
        }
        let now = self.now().wall.as_second();
        let claims = json!({
            "aud": audiences, "iss": ISSUER, "iat": now, "nbf": now, "exp": now + seconds, "jti": Uuid::new_v4().to_string(),
            "sub": format!("system:serviceaccount:{namespace}:{name}"),
            "kubernetes.io": about,
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
        let same = stored.object.str_at(&["metadata", "uid"]) == uid && bound::holds(&self.storage, about);
        (counts && fits && same).then(|| Token {
            user: UserInfo {
                username: format!("system:serviceaccount:{namespace}:{name}"),
                uid: uid.to_owned(),
                groups: access::service_account_groups(namespace),
                extra: bound::extra(&claims),
            },
            audiences: shared,
        })
    }
}

/// Refuses a time that no token has.
fn check_time(seconds: i64) -> Result<()> {
    let bound = match seconds {
        _ if seconds < *TIME.start() => "less than 10 minutes",
        _ if seconds > *TIME.end() => "larger than 2^32 seconds",
        _ => return Ok(()),
    };
    let problem = format!("may not specify a duration {bound}");
    let cause = Cause::invalid("spec.expirationSeconds", &seconds.into(), &problem);
    Err(ApiError::invalid(&GroupVersionKind::new("authentication.k8s.io", "v1", "TokenRequest"), "", vec![cause]))
}
