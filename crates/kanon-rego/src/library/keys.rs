//! Public keys as policies give them: PEM certificates and keys, JWKs and sets of them. Just enough DER to find a key; what
//! is found is judged by `ring`.

use base64::{
    Engine, alphabet,
    engine::{
        DecodePaddingMode,
        general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD},
    },
};
use ring::{hmac, signature};
use serde_json::Value as Json;

/// A key, by its family.
#[derive(Clone, Debug)]
pub(super) enum Key {
    Rsa {
        n: Vec<u8>,
        e: Vec<u8>,
    },
    /// The uncompressed point; which curve is known by its length.
    Ec(Vec<u8>),
    Ed25519(Vec<u8>),
    Secret(Vec<u8>),
}

/// A key with the name that tokens may call it by.
pub(super) struct Named {
    pub(super) id: Option<String>,
    pub(super) key: Key,
}

/// As Go reads it: bits that are left over at the end do not matter.
const URL: GeneralPurpose = GeneralPurpose::new(
    &alphabet::URL_SAFE,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

pub(super) fn url_decoded(text: &str) -> Option<Vec<u8>> {
    URL.decode(text).ok()
}

/// All keys in a text.
pub(super) fn parse(text: &str) -> Result<Vec<Named>, String> {
    if text.contains("-----BEGIN") {
        return pem(text).map(|key| vec![Named { id: None, key }]);
    }
    let json: Json = serde_json::from_str(text).map_err(|_| "failed to parse a JWK key (set)".to_owned())?;
    let keys = match json.get("keys").and_then(Json::as_array) {
        Some(keys) => keys.clone(),
        None => vec![json],
    };
    keys.iter().map(jwk).collect()
}

/// A JWK.
pub(super) fn jwk(json: &Json) -> Result<Named, String> {
    let field = |name: &str| json.get(name).and_then(Json::as_str);
    let bytes = |name: &str| field(name).and_then(url_decoded).ok_or_else(|| format!("JWK has no valid `{name}`"));
    let key = match field("kty") {
        Some("RSA") => Key::Rsa { n: bytes("n")?, e: bytes("e")? },
        Some("EC") => {
            let mut point = vec![4];
            point.extend(bytes("x")?);
            point.extend(bytes("y")?);
            Key::Ec(point)
        }
        Some("OKP") => Key::Ed25519(bytes("x")?),
        Some("oct") => Key::Secret(bytes("k")?),
        _ => return Err("JWK is of an unknown type".to_owned()),
    };
    Ok(Named { id: field("kid").map(str::to_owned), key })
}

fn pem(text: &str) -> Result<Key, String> {
    let broken = || "failed to parse a PEM certificate".to_owned();
    let (_, rest) = text.split_once("-----BEGIN ").ok_or_else(broken)?;
    let (label, rest) = rest.split_once("-----").ok_or_else(broken)?;
    let (body, _) = rest.split_once("-----END").ok_or_else(broken)?;
    let body: String = body.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    let der = STANDARD.decode(body).map_err(|_| broken())?;
    let key = match label {
        "CERTIFICATE" => certificate_key(&der),
        "PUBLIC KEY" => Der(&der).sequence().and_then(|info| public_key(info.0)),
        "RSA PUBLIC KEY" => rsa(&der),
        _ => return Err(format!("failed to extract a key from the PEM certificate: `{label}`")),
    };
    key.ok_or_else(broken)
}

/// What is left of a DER text.
struct Der<'d>(&'d [u8]);

impl<'d> Der<'d> {
    /// The next element: its tag and content.
    fn next(&mut self) -> Option<(u8, &'d [u8])> {
        let (tag, rest) = self.0.split_first()?;
        let (first, mut rest) = rest.split_first()?;
        let mut length = usize::from(*first);
        if length > 0x80 {
            let count = length - 0x80;
            let bytes = rest.get(..count).filter(|_| count <= 4)?;
            length = bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte));
            rest = rest.get(count..)?;
        }
        let content = rest.get(..length)?;
        self.0 = rest.get(length..)?;
        Some((*tag, content))
    }

    fn expect(&mut self, tag: u8) -> Option<&'d [u8]> {
        self.next().filter(|it| it.0 == tag).map(|it| it.1)
    }

    fn sequence(&mut self) -> Option<Der<'d>> {
        self.expect(0x30).map(Der)
    }
}

/// The key's information inside a certificate: after version, serial number, algorithm, issuer, validity and subject.
fn certificate_key(der: &[u8]) -> Option<Key> {
    let mut certificate = Der(der).sequence()?.sequence()?;
    let mut ahead = Der(certificate.0);
    if ahead.next()?.0 == 0xA0 {
        certificate = ahead;
    }
    for _ in 0..5 {
        certificate.next()?;
    }
    public_key(certificate.expect(0x30)?)
}

const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
const EC: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
const ED25519: &[u8] = &[0x2b, 0x65, 0x70];

/// The content of a SubjectPublicKeyInfo.
fn public_key(info: &[u8]) -> Option<Key> {
    let mut info = Der(info);
    let algorithm = info.sequence()?.expect(0x06)?;
    // The first byte counts unused bits.
    let bits = info.expect(0x03)?.get(1..)?;
    match algorithm {
        RSA => rsa(bits),
        EC => Some(Key::Ec(bits.to_vec())),
        ED25519 => Some(Key::Ed25519(bits.to_vec())),
        _ => None,
    }
}

fn rsa(der: &[u8]) -> Option<Key> {
    let mut key = Der(der).sequence()?;
    let mut number = || {
        let bytes = key.expect(0x02)?;
        let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
        Some(bytes[zeros..].to_vec())
    };
    Some(Key::Rsa { n: number()?, e: number()? })
}

impl Key {
    /// Whether `signature` is this key's over `message`; `None` where the algorithm is not one of the key's family.
    pub(super) fn verifies(&self, algorithm: &str, message: &[u8], given: &[u8]) -> Option<bool> {
        let rsa: Option<&signature::RsaParameters> = match algorithm {
            "RS256" => Some(&signature::RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY),
            "RS384" => Some(&signature::RSA_PKCS1_2048_8192_SHA384),
            "RS512" => Some(&signature::RSA_PKCS1_1024_8192_SHA512_FOR_LEGACY_USE_ONLY),
            "PS256" => Some(&signature::RSA_PSS_2048_8192_SHA256),
            "PS384" => Some(&signature::RSA_PSS_2048_8192_SHA384),
            "PS512" => Some(&signature::RSA_PSS_2048_8192_SHA512),
            _ => None,
        };
        match self {
            Key::Rsa { n, e } => {
                let key = signature::RsaPublicKeyComponents { n, e };
                Some(key.verify(rsa?, message, given).is_ok())
            }
            Key::Ec(point) => {
                let scheme: &dyn signature::VerificationAlgorithm = match algorithm {
                    "ES256" => &signature::ECDSA_P256_SHA256_FIXED,
                    "ES384" => &signature::ECDSA_P384_SHA384_FIXED,
                    _ => return None,
                };
                Some(signature::UnparsedPublicKey::new(scheme, point).verify(message, given).is_ok())
            }
            Key::Ed25519(key) if algorithm == "EdDSA" => {
                Some(signature::UnparsedPublicKey::new(&signature::ED25519, key).verify(message, given).is_ok())
            }
            Key::Secret(secret) => {
                Some(hmac::verify(&hmac::Key::new(hash(algorithm)?, secret), message, given).is_ok())
            }
            Key::Ed25519(_) => None,
        }
    }
}

/// The digest of a code of authentication.
pub(super) fn hash(algorithm: &str) -> Option<hmac::Algorithm> {
    match algorithm {
        "HS256" => Some(hmac::HMAC_SHA256),
        "HS384" => Some(hmac::HMAC_SHA384),
        "HS512" => Some(hmac::HMAC_SHA512),
        _ => None,
    }
}
