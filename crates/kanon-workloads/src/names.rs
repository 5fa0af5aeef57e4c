//! Names that a cluster would draw or hash: here all are computed, so that the same history gives the same names.

use serde_json::Value;

/// Letters of generated names and hashes, as upstream has them: no vowels, nothing that looks alike.
const LETTERS: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";
/// Letters of a generated suffix.
const SUFFIX: usize = 5;
/// The longest prefix of a generated name: what is left of 63 characters.
const PREFIX_MAX: usize = 63 - SUFFIX;

/// FNV-1a with 32 bits.
#[derive(Clone, Copy)]
struct Fnv(u32);

impl Fnv {
    fn new() -> Fnv {
        Fnv(0x811c_9dc5)
    }

    fn add(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u32::from(*byte)).wrapping_mul(0x0100_0193);
        }
    }

    /// Members in the order of their names, so that the text's order does not count.
    fn add_value(&mut self, value: &Value) {
        match value {
            Value::Object(members) => {
                let mut names: Vec<&String> = members.keys().collect();
                names.sort();
                self.add(b"{");
                for name in names {
                    self.add(name.as_bytes());
                    self.add(b":");
                    self.add_value(&members[name]);
                }
                self.add(b"}");
            }
            Value::Array(elements) => {
                self.add(b"[");
                elements.iter().for_each(|it| self.add_value(it));
                self.add(b"]");
            }
            Value::String(text) => {
                self.add(b"\"");
                self.add(text.as_bytes());
                self.add(b"\"");
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => self.add(value.to_string().as_bytes()),
        }
        self.add(b",");
    }
}

/// The hash of a pod template for names and labels; `collisions` makes another one of the same template.
pub(crate) fn template_hash(template: &Value, collisions: i64) -> String {
    let mut fnv = Fnv::new();
    fnv.add_value(template);
    if collisions > 0 {
        fnv.add(&collisions.to_le_bytes());
    }
    fnv.0.to_string().bytes().map(|it| char::from(LETTERS[usize::from(it) % LETTERS.len()])).collect()
}

/// Five letters out of these parts.
pub(crate) fn suffix(parts: &[&str]) -> String {
    let mut fnv = Fnv::new();
    for part in parts {
        fnv.add(part.as_bytes());
        fnv.add(&[0]);
    }
    let mut rest = u64::from(fnv.0).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 16;
    let mut out = String::with_capacity(SUFFIX);
    for _ in 0..SUFFIX {
        out.push(char::from(LETTERS[usize::try_from(rest % 27).unwrap_or_default()]));
        rest /= 27;
    }
    out
}

/// `prefix` and a suffix out of `parts`, as a server makes a name of `generateName`; another one where it `is_taken`.
pub(crate) fn generated(prefix: &str, parts: &[&str], mut is_taken: impl FnMut(&str) -> bool) -> String {
    let prefix: String = prefix.chars().take(PREFIX_MAX).collect();
    let mut salt = 0_u32;
    loop {
        let text = salt.to_string();
        let mut all = parts.to_vec();
        all.push(&text);
        let name = format!("{prefix}{}", suffix(&all));
        if !is_taken(&name) {
            return name;
        }
        salt = salt.wrapping_add(1);
    }
}

/// Sixteen hexadecimal digits out of these parts, as names of Events end.
pub(crate) fn digits(parts: &[&str]) -> String {
    let mut halves = [Fnv::new(), Fnv(0x9747_b28c)];
    for half in &mut halves {
        for part in parts {
            half.add(part.as_bytes());
            half.add(&[0]);
        }
    }
    format!("{:08x}{:08x}", halves[0].0, halves[1].0)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn hashes_do_not_depend_on_the_order_of_members() {
        let one: Value = serde_json::from_str(r#"{"a":{"b":1,"c":[true,null]}}"#).unwrap();
        let other: Value = serde_json::from_str(r#"{"a":{"c":[true,null],"b":1}}"#).unwrap();
        assert_eq!(template_hash(&one, 0), template_hash(&other, 0));
        assert_ne!(template_hash(&one, 0), template_hash(&one, 1));
        assert_ne!(template_hash(&one, 0), template_hash(&json!({"a": {"b": 2, "c": [true, null]}}), 0));
        assert!(template_hash(&one, 0).bytes().all(|it| LETTERS.contains(&it)));
    }

    #[test]
    fn taken_names_are_passed_over() {
        let first = generated("web-", &["uid", "0"], |_| false);
        let second = generated("web-", &["uid", "0"], |it| it == first);
        assert_ne!(first, second);
        assert_eq!(first.len(), "web-".len() + SUFFIX);
        assert_eq!(generated(&"x".repeat(80), &[], |_| false).len(), 63);
    }
}
