//! The webhook's material in a Secret that all replicas share (spec/rules 4.8): who comes first makes it, the others adopt it, the
//! leader renews it. A write is tied to the version that was read, so that of several writers one wins and the others see it.

use base64::{Engine, engine::general_purpose::STANDARD};
use http::Method;
use jiff::{SignedDuration, Timestamp};
use kanon_core::{Node, Object};
use kanon_net::{AUTHORITIES, CERTIFICATE, Due, KEY, Leaf, Material, Renewal};
use serde_json::{Value, json};

use crate::client::{Api, Error};

/// Keys of the certificate that is to follow, while a renewal is under way.
const NEXT_CERTIFICATE: &str = "next.crt";
const NEXT_KEY: &str = "next.key";
/// Material with less time left is replaced rather than adopted.
const LEFT_MIN: SignedDuration = SignedDuration::from_hours(30 * 24);
/// How often a claim is tried when others write too.
const ATTEMPTS: usize = 5;

/// A Secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretName {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

/// How a claim came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// The Secret held good material.
    Adopted,
    /// New material was written.
    Made,
}

impl SecretName {
    fn collection(&self) -> String {
        format!("/api/v1/namespaces/{}/secrets", self.namespace)
    }

    fn path(&self) -> String {
        format!("{}/{}", self.collection(), self.name)
    }
}

/// The Secret's material, if it is good for `names` (the first one must be covered) and counts for a month yet; otherwise new
/// material, written into it. Of several that claim at once, one writes and the others adopt.
///
/// # Errors
/// A call that fails, names that are no DNS names, five writes that others were faster at.
pub async fn claim_material(
    api: &Api,
    secret: &SecretName,
    names: &[&str],
    now: Timestamp,
) -> Result<(Material, Claim), Error> {
    let served = names.first().copied().unwrap_or_default();
    for _ in 0..ATTEMPTS {
        let stored = api.get(&secret.path()).await?;
        match stored.as_ref().map(|it| adoptable(it, served, now)) {
            Some(Ok(material)) => return Ok((material, Claim::Adopted)),
            Some(Err(reason)) => tracing::info!(secret = secret.name, reason, "new certificates are made"),
            None => tracing::info!(secret = secret.name, "certificates are made"),
        }
        let made = Material::generate(names, now).map_err(|error| Error::Answer(error.to_string()))?;
        // Replicas that run show the old certificate until they have read the new one.
        let made = match stored.as_ref().map(parse) {
            Some(Ok(old)) => made.trusting(&old.current, now),
            Some(Err(_)) | None => made,
        };
        let renewal = Renewal { current: made, next: None };
        if write(api, secret, stored.as_ref(), &renewal).await? {
            return Ok((renewal.current, Claim::Made));
        }
    }
    Err(Error::Answer(format!("the Secret `{}` was changed by others {ATTEMPTS} times in a row", secret.name)))
}

/// Reads the Secret; nothing where it is not there.
///
/// # Errors
/// A call that fails; material that cannot be used.
pub async fn read_material(api: &Api, secret: &SecretName) -> Result<Option<Renewal>, Error> {
    let Some(stored) = api.get(&secret.path()).await? else { return Ok(None) };
    parse(&stored).map(Some).map_err(|problem| Error::Answer(format!("Secret `{}`: {problem}", secret.name)))
}

/// Takes the step of renewal that is due, if any, and gives what the Secret holds then.
///
/// # Errors
/// As [`read_material`]; keys that cannot be made.
pub async fn renew_material(api: &Api, secret: &SecretName, now: Timestamp) -> Result<Option<Renewal>, Error> {
    let Some(stored) = api.get(&secret.path()).await? else { return Ok(None) };
    let wrong = |problem: String| Error::Answer(format!("Secret `{}`: {problem}", secret.name));
    let renewal = parse(&stored).map_err(wrong)?;
    if matches!(renewal.due(now), Due::Nothing | Due::Soon) {
        return Ok(Some(renewal));
    }
    let next = renewal.clone().step(now).map_err(|error| wrong(error.to_string()))?;
    // Where others were faster, theirs is seen at the next look.
    Ok(Some(if write(api, secret, Some(&stored), &next).await? { next } else { renewal }))
}

/// What makes it worth keeping: all there, good for the name that the API server calls, and a month left.
fn adoptable(stored: &Object, served: &str, now: Timestamp) -> Result<Material, String> {
    let material = parse(stored)?.current;
    material.verify(served, now).map_err(|error| error.to_string())?;
    let left = material.leaf().validity().not_after.duration_since(now);
    if left <= LEFT_MIN { Err("the certificate ends within a month".to_owned()) } else { Ok(material) }
}

fn parse(stored: &Object) -> Result<Renewal, String> {
    let text = |key: &str| -> Result<String, String> {
        let encoded = stored.at(&["data", key]).and_then(Node::as_plain_str).unwrap_or_default();
        let bytes = STANDARD.decode(encoded).map_err(|_| format!("`{key}` is not base64"))?;
        String::from_utf8(bytes).map_err(|_| format!("`{key}` is not PEM"))
    };
    let (certificate, key, authorities) = (text(CERTIFICATE)?, text(KEY)?, text(AUTHORITIES)?);
    for (name, text) in [(CERTIFICATE, &certificate), (KEY, &key), (AUTHORITIES, &authorities)] {
        if text.is_empty() {
            return Err(format!("`{name}` is missing"));
        }
    }
    let current = Material::from_pem(&certificate, &key, &authorities).map_err(|error| error.to_string())?;
    // A renewal that somebody damaged begins anew.
    let next = Leaf::from_pem(text(NEXT_CERTIFICATE)?, text(NEXT_KEY)?).ok();
    Ok(Renewal { current, next })
}

/// Creates the Secret, or replaces the version that was read; `false` when somebody else was faster.
async fn write(api: &Api, secret: &SecretName, stored: Option<&Object>, renewal: &Renewal) -> Result<bool, Error> {
    let manifest = manifest(secret, stored, renewal);
    let (method, path) = match stored {
        None => (Method::POST, secret.collection()),
        Some(_) => (Method::PUT, secret.path()),
    };
    match api.call(method, &path, Some(("application/json", manifest.to_string().into_bytes()))).await {
        Ok(_) => Ok(true),
        Err(Error::Status { code: 409, .. }) => Ok(false),
        // It was deleted after it was read: the next attempt creates it.
        Err(Error::Status { code: 404, .. }) if stored.is_some() => Ok(false),
        Err(error) => Err(error),
    }
}

/// The Secret as it is to be. Its type is set when it is made and left alone afterwards.
fn manifest(secret: &SecretName, stored: Option<&Object>, renewal: &Renewal) -> Value {
    let mut manifest = stored.map(Object::to_value).unwrap_or_else(|| {
        json!({"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls",
            "metadata": {"name": secret.name, "namespace": secret.namespace}})
    });
    if !manifest["data"].is_object() {
        manifest["data"] = json!({});
    }
    let Renewal { current, next } = renewal;
    for (key, text) in [
        (CERTIFICATE, Some(current.leaf().certificate_pem())),
        (KEY, Some(current.leaf().key_pem())),
        (AUTHORITIES, Some(current.authorities_pem())),
        (NEXT_CERTIFICATE, next.as_ref().map(Leaf::certificate_pem)),
        (NEXT_KEY, next.as_ref().map(Leaf::key_pem)),
    ] {
        match text {
            Some(text) => manifest["data"][key] = json!(STANDARD.encode(text)),
            None => {
                manifest["data"].as_object_mut().and_then(|it| it.remove(key));
            }
        }
    }
    manifest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret() -> SecretName {
        SecretName { namespace: "portal-system".into(), name: "portal-webhook-cert".into() }
    }

    #[test]
    fn a_secret_is_adopted_when_all_of_it_is_good() {
        let now = Timestamp::from_second(1_800_000_000).unwrap();
        let made = Material::generate(&["portal.portal-system.svc"], now).unwrap();
        let good = manifest(&secret(), None, &Renewal { current: made.clone(), next: None });
        assert_eq!(good["type"], "kubernetes.io/tls");
        let later = now + SignedDuration::from_hours(336 * 24);
        let mut cases = vec![(good.clone(), now, None), (good.clone(), later, Some("ends within a month"))];
        for key in [CERTIFICATE, KEY, AUTHORITIES] {
            let mut bad = good.clone();
            bad["data"].as_object_mut().unwrap().remove(key);
            cases.push((bad, now, Some("is missing")));
        }
        let other = Material::generate(&["portal.portal-system.svc"], now).unwrap();
        let mut bad = good.clone();
        bad["data"][AUTHORITIES] = json!(STANDARD.encode(other.authorities_pem()));
        cases.push((bad, now, Some("do not vouch for it")));
        let mut bad = good.clone();
        bad["data"][KEY] = json!("%");
        cases.push((bad, now, Some("`tls.key` is not base64")));
        cases.push((json!({"type": "Opaque", "metadata": {}}), now, Some("`tls.crt` is missing")));
        for (manifest, now, want) in cases {
            let found = adoptable(&Object::from_value(&manifest), "portal.portal-system.svc", now);
            match (found, want) {
                (Ok(found), None) => assert_eq!(found.leaf().certificate_pem(), made.leaf().certificate_pem()),
                (Err(problem), Some(want)) => assert!(problem.contains(want), "{problem}"),
                (found, want) => panic!("{want:?}: {found:?}"),
            }
        }
        assert!(adoptable(&Object::from_value(&good), "other.portal-system.svc", now).is_err());
    }

    #[test]
    fn an_update_keeps_type_version_and_other_keys() {
        let now = Timestamp::from_second(1_800_000_000).unwrap();
        let current = Material::generate(&["a"], now).unwrap();
        let next = Material::generate(&["a"], now).unwrap().leaf().clone();
        let stored = Object::from_value(&json!({"type": "Opaque", "metadata": {"name": "s", "resourceVersion": "7"},
            "data": {"note": "eA=="}}));
        let begun = manifest(&secret(), Some(&stored), &Renewal { current: current.clone(), next: Some(next) });
        assert_eq!((&begun["type"], &begun["metadata"]["resourceVersion"]), (&json!("Opaque"), &json!("7")));
        assert_eq!(begun["data"]["note"], "eA==");
        assert!(parse(&Object::from_value(&begun)).unwrap().next.is_some());
        let done = manifest(&secret(), Some(&Object::from_value(&begun)), &Renewal { current, next: None });
        assert!(done["data"].get(NEXT_KEY).is_none());
    }
}
