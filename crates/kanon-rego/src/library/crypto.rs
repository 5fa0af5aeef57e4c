//! Digests and codes of authentication, as lower-case hexadecimal text. MD5 and SHA-1 are there because policies compare
//! with what others computed.

use regorus::Value;
use ring::{digest, hmac};

use super::{State, text};

pub(super) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |value: u8| char::from(DIGITS[usize::from(value & 15)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(*byte)]).collect()
}

fn shown(bytes: &[u8]) -> Result<Value, String> {
    Ok(Value::from(hex(bytes)))
}

pub(super) fn sha1(_: &State, args: &[Value]) -> Result<Value, String> {
    shown(digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, text(args, 0)?.as_bytes()).as_ref())
}

pub(super) fn sha256(_: &State, args: &[Value]) -> Result<Value, String> {
    shown(digest::digest(&digest::SHA256, text(args, 0)?.as_bytes()).as_ref())
}

pub(super) fn md5(_: &State, args: &[Value]) -> Result<Value, String> {
    shown(&md5_of(text(args, 0)?.as_bytes()))
}

fn code(algorithm: hmac::Algorithm, args: &[Value]) -> Result<Value, String> {
    let key = hmac::Key::new(algorithm, text(args, 1)?.as_bytes());
    shown(hmac::sign(&key, text(args, 0)?.as_bytes()).as_ref())
}

pub(super) fn hmac_sha1(_: &State, args: &[Value]) -> Result<Value, String> {
    code(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, args)
}

pub(super) fn hmac_sha256(_: &State, args: &[Value]) -> Result<Value, String> {
    code(hmac::HMAC_SHA256, args)
}

pub(super) fn hmac_sha512(_: &State, args: &[Value]) -> Result<Value, String> {
    code(hmac::HMAC_SHA512, args)
}

pub(super) fn hmac_md5(_: &State, args: &[Value]) -> Result<Value, String> {
    let (message, key) = (text(args, 0)?.as_bytes(), text(args, 1)?.as_bytes());
    let mut block = [0u8; 64];
    let short = if key.len() > block.len() { md5_of(key).to_vec() } else { key.to_vec() };
    block.iter_mut().zip(short).for_each(|(to, from)| *to = from);
    let padded = |pad: u8, rest: &[u8]| {
        let mut text: Vec<u8> = block.iter().map(|byte| byte ^ pad).collect();
        text.extend_from_slice(rest);
        md5_of(&text)
    };
    shown(&padded(0x5c, &padded(0x36, message)))
}

/// Whether two codes are the same text; takes the same time wherever they differ.
pub(super) fn equal(_: &State, args: &[Value]) -> Result<Value, String> {
    let (a, b) = (text(args, 0)?.as_bytes(), text(args, 1)?.as_bytes());
    let differ = a.iter().zip(b).fold(0, |differ, (a, b)| differ | (a ^ b));
    Ok(Value::from(a.len() == b.len() && differ == 0))
}

/// Rotations by round and step (RFC 1321).
const SHIFTS: [[u32; 4]; 4] = [[7, 12, 17, 22], [5, 9, 14, 20], [4, 11, 16, 23], [6, 10, 15, 21]];

/// RFC 1321. Not for security: no library here has it.
fn md5_of(message: &[u8]) -> [u8; 16] {
    let mut data = message.to_vec();
    data.push(0x80);
    while data.len() % 64 != 56 {
        data.push(0);
    }
    data.extend_from_slice(&(message.len() as u64).wrapping_mul(8).to_le_bytes());
    let mut state: [u32; 4] = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476];
    for block in data.chunks_exact(64) {
        let word = |at: usize| {
            let bytes = &block[at * 4..at * 4 + 4];
            u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
        };
        let [mut a, mut b, mut c, mut d] = state;
        for step in 0..64 {
            let (mix, at) = match step / 16 {
                0 => ((b & c) | (!b & d), step),
                1 => ((d & b) | (!d & c), (5 * step + 1) % 16),
                2 => (b ^ c ^ d, (3 * step + 5) % 16),
                _ => (c ^ (b | !d), (7 * step) % 16),
            };
            let constant = ((step as f64 + 1.0).sin().abs() * 4_294_967_296.0) as u32;
            let sum = mix.wrapping_add(a).wrapping_add(constant).wrapping_add(word(at));
            (a, d, c) = (d, c, b);
            b = b.wrapping_add(sum.rotate_left(SHIFTS[step / 16][step % 4]));
        }
        for (to, from) in state.iter_mut().zip([a, b, c, d]) {
            *to = to.wrapping_add(from);
        }
    }
    let mut out = [0; 16];
    out.iter_mut().zip(state.iter().flat_map(|word| word.to_le_bytes())).for_each(|(to, from)| *to = from);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_those_of_the_standard() {
        let cases = [
            (String::new(), "d41d8cd98f00b204e9800998ecf8427e"),
            ("abc".to_owned(), "900150983cd24fb0d6963f7d28e17f72"),
            ("1234567890".repeat(8), "57edf4a22be3c955ac49da2e2107b67a"),
            ("a".repeat(56), "3b0c8ac703f828b04c6c197006d17218"),
            ("a".repeat(64), "014842d480b571495a4a0363793f7367"),
        ];
        for (message, want) in cases {
            assert_eq!(hex(&md5_of(message.as_bytes())), want, "{}", message.len());
        }
    }
}
