//! JSON web tokens: reading, verifying, and signing with what needs no chance.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use regorus::Value;
use ring::{hmac, signature};
use serde_json::{Value as Json, json};

use super::{
    State,
    crypto::hex,
    keys::{self, Key, Named},
    operand, text, wrong,
};

const ALGORITHMS: [&str; 12] =
    ["EdDSA", "ES256", "ES384", "HS256", "HS384", "HS512", "PS256", "PS384", "PS512", "RS256", "RS384", "RS512"];

/// Tokens in tokens.
const MAX_NESTED: usize = 8;

/// A token taken apart.
struct Token<'t> {
    header: Json,
    payload: Vec<u8>,
    signature: Vec<u8>,
    /// What is signed.
    signed: &'t str,
}

impl Token<'_> {
    fn parse(text: &str) -> Result<Token<'_>, String> {
        let parts: Vec<&str> = text.split('.').collect();
        let [header, payload, signature] = parts.as_slice() else {
            return Err(format!("encoded JWT must have 3 sections, found {}", parts.len()));
        };
        let bytes = |name: &str, text: &str| {
            keys::url_decoded(text).ok_or_else(|| format!("JWT {name} had invalid encoding: illegal base64 data"))
        };
        let header: Json = serde_json::from_slice(&bytes("header", header)?)
            .map_err(|error| format!("JWT header had invalid encoding: {error}"))?;
        if !header.is_object() {
            return Err("JWT header is no object".to_owned());
        }
        if header.get("enc").is_some() {
            return Err("JWT is a JWE object, which is not supported".to_owned());
        }
        let payload = bytes("payload", payload)?;
        let signed = &text[..text.len() - signature.len() - 1];
        Ok(Token { header, payload, signature: bytes("signature", signature)?, signed })
    }

    /// Whether the payload is a token itself.
    fn is_nested(&self) -> bool {
        self.header.get("cty").and_then(Json::as_str).is_some_and(|it| it.eq_ignore_ascii_case("JWT"))
    }

    fn inner(&self) -> Result<&str, String> {
        std::str::from_utf8(&self.payload)
            .map(|it| it.trim_matches('"'))
            .map_err(|_| "JWT payload is not text".to_owned())
    }

    fn claims(&self) -> Result<Json, String> {
        let claims: Json = serde_json::from_slice(&self.payload)
            .map_err(|error| format!("JWT payload had invalid encoding: {error}"))?;
        if claims.is_object() { Ok(claims) } else { Err("JWT payload is no object".to_owned()) }
    }

    fn verified(&self, algorithm: &str, keys: &[Named]) -> bool {
        let id = self.header.get("kid").and_then(Json::as_str);
        let named = id.is_some() && keys.iter().any(|key| key.id.as_deref() == id);
        let candidates = keys.iter().filter(|key| !named || key.id.as_deref() == id);
        let mut verdicts = candidates.map(|it| it.key.verifies(algorithm, self.signed.as_bytes(), &self.signature));
        verdicts.any(|it| it == Some(true))
    }
}

pub(super) fn decode(_: &State, args: &[Value]) -> Result<Value, String> {
    let mut token_text = text(args, 0)?.to_owned();
    for _ in 0..MAX_NESTED {
        let token = Token::parse(&token_text)?;
        if token.is_nested() {
            token_text = token.inner()?.to_owned();
            continue;
        }
        let parts =
            vec![Value::from(token.header.clone()), Value::from(token.claims()?), Value::from(hex(&token.signature))];
        return Ok(Value::from(parts));
    }
    Err("JWTs are nested too deeply".to_owned())
}

fn keys_of(algorithm: &str, key: &str) -> Result<Vec<Named>, String> {
    if algorithm.starts_with("HS") {
        return Ok(vec![Named { id: None, key: Key::Secret(key.as_bytes().to_vec()) }]);
    }
    keys::parse(key)
}

pub(super) fn verify(algorithm: &str, args: &[Value]) -> Result<Value, String> {
    let token = Token::parse(text(args, 0)?)?;
    let keys = keys_of(algorithm, text(args, 1)?)?;
    Ok(token.verified(algorithm, &keys).into())
}

/// What `io.jwt.decode_verify` is told.
#[derive(Default)]
struct Constraints {
    cert: Option<String>,
    secret: Option<String>,
    alg: Option<String>,
    iss: Option<String>,
    aud: Option<String>,
    /// Nanoseconds.
    time: Option<f64>,
}

impl Constraints {
    fn parse(value: &Value) -> Result<Constraints, String> {
        let Value::Object(members) = value else { return Err(wrong(1, "object", value)) };
        let mut out = Constraints::default();
        for (key, value) in members.iter_sorted() {
            let Value::String(name) = key else { return Err("names of constraints must be strings".to_owned()) };
            if name.as_ref() == "time" {
                out.time = match value {
                    Value::Number(number) => number.as_i64().map(|it| it as f64).or_else(|| number.as_f64()),
                    _ => return Err("token time constraint: must be a number".to_owned()),
                };
                continue;
            }
            let Value::String(text) = value else { return Err(format!("{name}: must be a string")) };
            let slot = match name.as_ref() {
                "cert" => &mut out.cert,
                "secret" => &mut out.secret,
                "alg" => &mut out.alg,
                "iss" => &mut out.iss,
                "aud" => &mut out.aud,
                _ => return Err(format!("unknown token validation constraint: {name}")),
            };
            *slot = Some(text.to_string());
        }
        match (&out.cert, &out.secret) {
            (Some(_), Some(_)) => Err("duplicate key constraints".to_owned()),
            (None, None) => Err("no key constraint".to_owned()),
            _ => Ok(out),
        }
    }

    fn keys(&self, algorithm: &str) -> Result<Vec<Named>, String> {
        match (&self.cert, &self.secret) {
            (Some(cert), _) if !algorithm.starts_with("HS") => keys::parse(cert),
            (_, Some(secret)) if algorithm.starts_with("HS") => keys_of(algorithm, secret),
            _ => Ok(Vec::new()),
        }
    }

    /// Whether the claims are what is wanted.
    fn accepts(&self, claims: &Json, now: Option<i64>) -> Result<bool, String> {
        let issuer = claims.get("iss").and_then(Json::as_str);
        if self.iss.is_some() && self.iss.as_deref() != issuer {
            return Ok(false);
        }
        let audience = match (claims.get("aud"), &self.aud) {
            (None, None) => true,
            (Some(Json::String(one)), Some(wanted)) => one == wanted,
            (Some(Json::Array(many)), Some(wanted)) => many.iter().any(|it| it.as_str() == Some(wanted)),
            _ => false,
        };
        if !audience {
            return Ok(false);
        }
        for (name, is_end) in [("exp", true), ("nbf", false)] {
            let Some(claim) = claims.get(name) else { continue };
            let seconds = claim.as_f64().ok_or_else(|| format!("{name} value must be a number"))?;
            let time = match (self.time, now) {
                (Some(time), _) => time,
                (None, Some(now)) => now as f64,
                (None, None) => return Err("there is no clock here".to_owned()),
            };
            let limit = seconds * 1e9;
            if (is_end && time >= limit) || (!is_end && time < limit) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

pub(super) fn decode_verify(state: &State, args: &[Value]) -> Result<Value, String> {
    let refused = || Ok(Value::from(json!([false, {}, {}])));
    let constraints = Constraints::parse(operand(args, 1))?;
    if let Some(cert) = &constraints.cert {
        keys::parse(cert)?;
    }
    let mut token_text = text(args, 0)?.to_owned();
    for _ in 0..MAX_NESTED {
        let token = Token::parse(&token_text)?;
        let Some(algorithm) = token.header.get("alg").and_then(Json::as_str).filter(|it| ALGORITHMS.contains(it))
        else {
            return refused();
        };
        if constraints.alg.as_deref().is_some_and(|wanted| wanted != algorithm) || token.header.get("crit").is_some() {
            return refused();
        }
        if !token.verified(algorithm, &constraints.keys(algorithm)?) {
            return refused();
        }
        if token.is_nested() {
            token_text = token.inner()?.to_owned();
            continue;
        }
        let claims = token.claims()?;
        if !constraints.accepts(&claims, state.now())? {
            return refused();
        }
        return Ok(Value::from(json!([true, token.header, claims])));
    }
    Err("JWTs are nested too deeply".to_owned())
}

pub(super) fn encode_sign(_: &State, args: &[Value]) -> Result<Value, String> {
    let json = |at: usize| match operand(args, at) {
        value @ Value::Object(_) => value.to_json_str().map_err(|error| error.to_string()),
        other => Err(wrong(at, "object", other)),
    };
    let compact = |text: String| -> Result<String, String> {
        let value: Json = serde_json::from_str(&text).map_err(|error| error.to_string())?;
        Ok(value.to_string())
    };
    sign(&compact(json(0)?)?, &compact(json(1)?)?, &json(2)?)
}

pub(super) fn encode_sign_raw(_: &State, args: &[Value]) -> Result<Value, String> {
    sign(text(args, 0)?, text(args, 1)?, text(args, 2)?)
}

fn sign(header: &str, payload: &str, key: &str) -> Result<Value, String> {
    let key: Json = serde_json::from_str(key).map_err(|error| format!("failed to parse JWK: {error}"))?;
    let named = keys::jwk(&key)?;
    let fields: Json = serde_json::from_str(header).map_err(|error| format!("failed to parse header: {error}"))?;
    let algorithm = fields.get("alg").and_then(Json::as_str).ok_or("the header names no algorithm")?;
    let kind = fields.get("typ").and_then(Json::as_str).unwrap_or("JWT");
    if kind == "JWT" && serde_json::from_str::<Json>(payload).is_err() {
        return Err("type is JWT but payload is not JSON".to_owned());
    }
    let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload));
    let signature = match &named.key {
        Key::Secret(secret) => {
            let hash = keys::hash(algorithm).ok_or_else(|| format!("key and algorithm `{algorithm}` do not fit"))?;
            hmac::sign(&hmac::Key::new(hash, secret), signed.as_bytes()).as_ref().to_vec()
        }
        Key::Ed25519(public) if algorithm == "EdDSA" => {
            let seed = key.get("d").and_then(Json::as_str).and_then(keys::url_decoded).ok_or("JWK has no valid `d`")?;
            let pair = signature::Ed25519KeyPair::from_seed_and_public_key(&seed, public)
                .map_err(|_| "JWK is no Ed25519 key".to_owned())?;
            pair.sign(signed.as_bytes()).as_ref().to_vec()
        }
        Key::Rsa { .. } | Key::Ec(_) | Key::Ed25519(_) => {
            return Err(format!("signing with `{algorithm}` is not offered: HS256, HS384, HS512 and EdDSA are"));
        }
    };
    Ok(Value::from(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))))
}
