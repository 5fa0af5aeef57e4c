//! Tokens of service accounts: JSON Web Tokens signed with HMAC-SHA256 and a key of the server's own. Nobody else verifies
//! them, so there is no public key to publish.

use std::{fs, io, path::Path};

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use kanon_apimachinery::{
    reviews::Token,
    status::{ApiError, GroupResource, Result},
};
use kanon_core::UserInfo;
use kanon_store::Key;
use ring::rand::{SecureRandom as _, SystemRandom};
use serde_json::{Value, json};

use crate::{access, core::Core, storage::Place};

/// The key's file in the folder of the store.
const FILE: &str = "token.key";
const KEY_LEN: usize = 32;
/// Who issues tokens, and whom they are for unless the request says otherwise.
const ISSUER: &str = "https://kubernetes.default.svc";
/// Shortest and longest time of a token, in seconds (upstream: ten minutes; a day where nothing is configured is ours).
const TIME: std::ops::RangeInclusive<i64> = 600..=86_400;
/// Where nothing is asked for (upstream).
const TIME_DEFAULT: i64 = 3600;

/// Signs and verifies tokens.
pub(crate) struct Signer {
    encoding: EncodingKey,
    decoding: DecodingKey,
    validation: Validation,
}

impl Signer {
    /// The key of this place: kept beside the objects, so that tokens outlive a restart.
    ///
    /// # Errors
    /// A file that cannot be read or written, no randomness.
    pub(crate) fn open(place: &Place) -> io::Result<Signer> {
        let bytes = match place {
            Place::Memory | Place::Disk(_) => random()?,
            Place::Folder(folder) => load(&folder.join(FILE))?,
        };
        let mut validation = Validation::new(Algorithm::HS256);
        // Time, audience and account are checked by `account_of`, against the server's clock.
        validation.validate_exp = false;
        validation.validate_aud = false;
        validation.required_spec_claims.clear();
        Ok(Signer {
            encoding: EncodingKey::from_secret(&bytes),
            decoding: DecodingKey::from_secret(&bytes),
            validation,
        })
    }

    fn sign(&self, claims: &Value) -> Result<String> {
        jsonwebtoken::encode(&Header::new(Algorithm::HS256), claims, &self.encoding).map_err(ApiError::internal)
    }

    /// The claims of a token of ours; time and account are still to be checked.
    fn claims(&self, token: &str) -> Option<Value> {
        jsonwebtoken::decode(token, &self.decoding, &self.validation).ok().map(|it| it.claims)
    }
}

fn random() -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; KEY_LEN];
    SystemRandom::new().fill(&mut bytes).map_err(|_| io::Error::other("no randomness to be had"))?;
    Ok(bytes)
}

fn load(path: &Path) -> io::Result<Vec<u8>> {
    match fs::read(path) {
        Ok(bytes) if bytes.len() == KEY_LEN => return Ok(bytes),
        Ok(_) => return Err(io::Error::new(io::ErrorKind::InvalidData, "the key has a wrong length")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let bytes = random()?;
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    io::Write::write_all(&mut options.open(path)?, &bytes)?;
    Ok(bytes)
}

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
            "aud": audiences, "iss": ISSUER, "iat": now, "nbf": now, "exp": now + seconds,
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
            "token": self.signer.sign(&claims)?, "expirationTimestamp": expiry.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        });
        Ok(request)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_own_untouched_tokens_verify() {
        let signer = Signer::open(&Place::Memory).expect("random");
        let claims = json!({"sub": "a"});
        let token = signer.sign(&claims).expect("signed");
        assert_eq!(signer.claims(&token), Some(claims));
        for (at, _) in token.char_indices() {
            let mut other = token.clone();
            let letter = if other[at..].starts_with('A') { "B" } else { "A" };
            other.replace_range(at..=at, letter);
            // The last letter of base64 may have bits that do not count.
            assert!(at + 1 == token.len() || signer.claims(&other).is_none(), "{at}");
        }
        assert_eq!(Signer::open(&Place::Memory).expect("random").claims(&token), None);
        assert_eq!(signer.claims("a.b"), None);
    }

    #[test]
    fn the_key_of_a_folder_stays() {
        let folder = tempfile::tempdir().expect("a folder");
        let place = Place::Folder(folder.path().to_owned());
        let token = Signer::open(&place).expect("made").sign(&json!({})).expect("signed");
        assert!(Signer::open(&place).expect("read").claims(&token).is_some());
    }
}
