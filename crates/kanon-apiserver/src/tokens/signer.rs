//! The key that signs tokens: P-256, kept beside the objects so that tokens outlive a restart.

use std::{collections::BTreeMap, fs, io, path::Path, sync::Mutex};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use kanon_apimachinery::status::{ApiError, Result};
use ring::{
    digest,
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _},
};
use serde_json::{Value, json};

use crate::storage::Place;

/// The key's file in the folder of the store, in PKCS #8.
const FILE: &str = "token.key";
/// What older versions had in that file: a secret that nobody else could verify with.
const SECRET_LEN: usize = 32;
/// How tokens are signed.
pub(super) const ALGORITHM: &str = "ES256";
/// What stands before the point in the DER form of a P-256 public key (RFC 5480): its algorithm and curve.
const SPKI: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce,
    0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];
/// Tokens whose signature is known to be right; a client sends the same one with every request.
const KNOWN_MAX: usize = 1024;

/// Signs and verifies tokens.
pub(crate) struct Signer {
    encoding: EncodingKey,
    decoding: DecodingKey,
    validation: Validation,
    /// The public key as a JSON Web Key.
    public: Value,
    /// Claims by the hash of their token.
    known: Mutex<BTreeMap<[u8; 32], Value>>,
}

impl Signer {
    /// The key of this place, made where there is none.
    ///
    /// # Errors
    /// A file that cannot be read or written, no randomness.
    pub(crate) fn open(place: &Place) -> io::Result<Signer> {
        let pkcs8 = match place {
            Place::Memory | Place::Disk(_) => generate()?,
            Place::Folder(folder) => load(&folder.join(FILE))?,
        };
        let damaged = |_| io::Error::new(io::ErrorKind::InvalidData, "`token.key` is not a P-256 key in PKCS #8");
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &pkcs8, &SystemRandom::new());
        let point = pair.map_err(damaged)?.public_key().as_ref().to_vec();
        // An uncompressed point: 4, then both coordinates.
        let (x, y) = (URL_SAFE_NO_PAD.encode(&point[1..33]), URL_SAFE_NO_PAD.encode(&point[33..]));
        // Upstream names keys the same way.
        let id = URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, &[&SPKI, point.as_slice()].concat()));
        let mut validation = Validation::new(Algorithm::ES256);
        // Time, audience and account are checked by whoever asks, against the server's clock.
        validation.validate_exp = false;
        validation.validate_aud = false;
        validation.required_spec_claims.clear();
        Ok(Signer {
            encoding: EncodingKey::from_ec_der(&pkcs8),
            decoding: DecodingKey::from_ec_components(&x, &y).map_err(io::Error::other)?,
            validation,
            public: json!({"use": "sig", "kty": "EC", "kid": id, "crv": "P-256", "alg": ALGORITHM, "x": x, "y": y}),
            known: Mutex::default(),
        })
    }

    /// The public key as a JSON Web Key.
    pub(super) fn public(&self) -> &Value {
        &self.public
    }

    pub(super) fn sign(&self, claims: &Value) -> Result<String> {
        let mut header = Header::new(Algorithm::ES256);
        header.typ = None;
        header.kid = self.public["kid"].as_str().map(str::to_owned);
        jsonwebtoken::encode(&header, claims, &self.encoding).map_err(ApiError::internal)
    }

    /// The claims of a token of ours; time and account are still to be checked.
    pub(super) fn claims(&self, token: &str) -> Option<Value> {
        let hash = digest::digest(&digest::SHA256, token.as_bytes()).as_ref().try_into().ok()?;
        let known = || self.known.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(claims) = known().get(&hash) {
            return Some(claims.clone());
        }
        let claims: Value = jsonwebtoken::decode(token, &self.decoding, &self.validation).ok()?.claims;
        let mut known = known();
        if known.len() >= KNOWN_MAX {
            // Those that are still in use come back with their next request.
            known.clear();
        }
        known.insert(hash, claims.clone());
        Some(claims)
    }
}

fn generate() -> io::Result<Vec<u8>> {
    let made = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new());
    Ok(made.map_err(|_| io::Error::other("no randomness to be had"))?.as_ref().to_vec())
}

fn load(path: &Path) -> io::Result<Vec<u8>> {
    match fs::read(path) {
        // Clients ask for tokens again before they run out: those of the old secret too.
        Ok(bytes) if bytes.len() == SECRET_LEN => fs::remove_file(path)?,
        Ok(bytes) => return Ok(bytes),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let bytes = generate()?;
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    io::Write::write_all(&mut options.open(path)?, &bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_own_untouched_tokens_verify() {
        let signer = Signer::open(&Place::Memory).expect("random");
        let claims = json!({"sub": "a"});
        let token = signer.sign(&claims).expect("signed");
        assert_eq!([signer.claims(&token), signer.claims(&token)], [Some(claims.clone()), Some(claims)]);
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
    fn whoever_has_the_published_key_verifies() {
        let signer = Signer::open(&Place::Memory).expect("random");
        let token = signer.sign(&json!({"sub": "a"})).expect("signed");
        let header = jsonwebtoken::decode_header(&token).expect("a header");
        assert_eq!(
            (header.alg, header.kid.as_deref(), header.typ),
            (Algorithm::ES256, signer.public["kid"].as_str(), None)
        );
        let key: jsonwebtoken::jwk::Jwk = serde_json::from_value(signer.public.clone()).expect("a key");
        let key = DecodingKey::from_jwk(&key).expect("usable");
        assert!(jsonwebtoken::decode::<Value>(&token, &key, &signer.validation).is_ok());
    }

    #[test]
    fn the_key_of_a_folder_stays_and_an_old_secret_is_replaced() {
        let folder = tempfile::tempdir().expect("a folder");
        let place = Place::Folder(folder.path().to_owned());
        fs::write(folder.path().join(FILE), [7; SECRET_LEN]).expect("written");
        let token = Signer::open(&place).expect("made").sign(&json!({})).expect("signed");
        assert!(Signer::open(&place).expect("read").claims(&token).is_some());
        fs::write(folder.path().join(FILE), b"nonsense").expect("written");
        let error = Signer::open(&place).err().expect("damaged").to_string();
        assert_eq!(error, "`token.key` is not a P-256 key in PKCS #8");
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let signer = Signer::open(&Place::Memory).expect("random");
        for number in 0..KNOWN_MAX + 10 {
            let token = signer.sign(&json!({"n": number})).expect("signed");
            assert!(signer.claims(&token).is_some());
        }
        assert!(signer.known.lock().expect("unpoisoned").len() <= KNOWN_MAX);
    }
}
