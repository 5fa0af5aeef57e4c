//! Image references, taken apart as the reference does (spec/rules 2.4): no implicit `library/`, a digest does not
//! remove the default tag, a missing digest is nil.

use crate::{Arena, Record, Value};

/// The parts of an image reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Image<'a> {
    /// Host of the registry, with port; `docker.io` unless written.
    pub registry: &'a str,
    /// Repository.
    pub name: &'a str,
    /// Tag; `latest` unless written.
    pub tag: &'a str,
    /// What follows `@sha256:`.
    pub sha256: Option<&'a str>,
}

/// Takes an image reference apart. Any text gives something; the empty text gives the defaults.
pub fn parse_image(text: &str) -> Image<'_> {
    // Most references have no `@` at all, and looking for one character is far cheaper than for a word.
    let digest = if text.as_bytes().contains(&b'@') { text.split_once("@sha256:") } else { None };
    let (text, sha256) = digest.map_or((text, None), |(before, digest)| (before, Some(digest)));
    let (registry, rest) = match text.split_once('/') {
        Some((host, rest)) if host.contains(['.', ':']) || host == "localhost" => (host, rest),
        _ => ("docker.io", text),
    };
    let (name, tag) = rest.rsplit_once(':').unwrap_or((rest, "latest"));
    Image { registry, name, tag, sha256 }
}

impl Record for Image<'_> {
    fn get<'a>(&'a self, name: &str, _: &'a Arena) -> Option<Value<'a>> {
        Some(match name {
            "registry" => Value::Str(self.registry),
            "name" => Value::Str(self.name),
            "tag" => Value::Str(self.tag),
            "sha256" => self.sha256.map_or(Value::Null, Value::Str),
            _ => return None,
        })
    }

    fn names(&self) -> &'static [&'static str] {
        &["name", "registry", "sha256", "tag"]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_taken_apart_as_the_reference_does() {
        let table = [
            ("", "docker.io", "", "latest", None),
            ("nginx", "docker.io", "nginx", "latest", None),
            ("nginx:1.27", "docker.io", "nginx", "1.27", None),
            ("library/nginx", "docker.io", "library/nginx", "latest", None),
            ("ghcr.io/corp/x:2", "ghcr.io", "corp/x", "2", None),
            ("localhost/app", "localhost", "app", "latest", None),
            ("localhost:5000/app", "localhost:5000", "app", "latest", None),
            ("registry:5000/a/b:c", "registry:5000", "a/b", "c", None),
            ("corp/app@sha256:abc", "docker.io", "corp/app", "latest", Some("abc")),
            ("quay.io/x:1@sha256:ab", "quay.io", "x", "1", Some("ab")),
            ("@sha256:ab", "docker.io", "", "latest", Some("ab")),
            ("app:", "docker.io", "app", "", None),
            ("docker.io/nginx", "docker.io", "nginx", "latest", None),
        ];
        for (text, registry, name, tag, sha256) in table {
            assert_eq!(parse_image(text), Image { registry, name, tag, sha256 }, "{text}");
        }
    }
}
