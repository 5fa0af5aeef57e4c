//! Names of resources, made of the names of rules.

/// As long as a name may be.
const LEN_MAX: usize = 63;

/// Lower case letters and digits; `-`, `_`, blanks, `:`, `/` and `.` become one `-`; everything else goes.
pub(super) fn slug(name: &str) -> String {
    let mut slug = String::new();
    for it in name.to_lowercase().chars() {
        match it {
            'a'..='z' | '0'..='9' => slug.push(it),
            '-' | '_' | ' ' | ':' | '/' | '.' if !slug.is_empty() && !slug.ends_with('-') => slug.push('-'),
            _ => {}
        }
    }
    slug.truncate(LEN_MAX);
    let slug = slug.trim_matches('-');
    if slug.is_empty() { "rule".to_owned() } else { slug.to_owned() }
}

/// The slug of a name's repetition: `web-2`.
pub(super) fn numbered(slug: &str, number: usize) -> String {
    let tail = format!("-{number}");
    let head = &slug[..slug.len().min(LEN_MAX - tail.len())];
    format!("{}{tail}", head.trim_end_matches('-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slugs_are_legal_names() {
        for (name, want) in [
            ("No Host_Network", "no-host-network"),
            ("pci::dss/1.2 (a)", "pci-dss-1-2-a"),
            ("--x--", "x"),
            ("Übergröße", "bergre"),
            ("", "rule"),
            ("日本", "rule"),
        ] {
            assert_eq!(slug(name), want, "{name}");
        }
        let long = slug(&"a-".repeat(60));
        assert!(long.len() <= LEN_MAX && !long.ends_with('-'));
        assert_eq!(numbered("web", 2), "web-2");
        assert_eq!(numbered(&"a".repeat(63), 10).len(), LEN_MAX);
    }
}
