//! What names, label keys and label values may look like, in upstream's words (spec/kubernetes-api.md 4.1).

use std::sync::LazyLock;

use regex::Regex;

const LABEL: &str = "[a-z0-9]([-a-z0-9]*[a-z0-9])?";
const LABEL_TEXT: &str = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
const SUBDOMAIN: &str = "[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*";
const SUBDOMAIN_TEXT: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const LABEL_1035: &str = "[a-z]([-a-z0-9]*[a-z0-9])?";
const LABEL_1035_TEXT: &str = "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')";
const QUALIFIED: &str = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]";
const QUALIFIED_TEXT: &str = "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
const LABEL_VALUE: &str = "(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?";
const LABEL_VALUE_TEXT: &str = "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";

/// Longest DNS label and label value.
const LABEL_MAX: usize = 63;
/// Longest DNS subdomain.
pub(crate) const SUBDOMAIN_MAX: usize = 253;

/// What a kind's `metadata.name` must look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameRule {
    /// Anything: reviews have no name.
    None,
    /// RFC 1123 subdomain: most kinds.
    Subdomain,
    /// RFC 1123 label: namespaces, stateful sets.
    Label,
    /// RFC 1035 label: services.
    Label1035,
    /// Anything that can stand between two slashes of a path: RBAC.
    Segment,
}

impl NameRule {
    pub(crate) fn from_word(word: &str) -> Option<NameRule> {
        Some(match word {
            "subdomain" => NameRule::Subdomain,
            "label" => NameRule::Label,
            "label1035" => NameRule::Label1035,
            "segment" => NameRule::Segment,
            _ => return None,
        })
    }

    /// What is wrong with `name`, each as upstream words it; empty when it is fine. With `prefix` it is a `generateName`, to which
    /// the server appends: a dash at its end is fine.
    pub fn problems(self, name: &str, prefix: bool) -> Vec<String> {
        let masked =
            if prefix && name.ends_with('-') { format!("{}a", &name[..name.len() - 1]) } else { name.to_owned() };
        match self {
            NameRule::None => Vec::new(),
            NameRule::Subdomain => subdomain_problems(&masked),
            NameRule::Label => label_problems(&masked),
            NameRule::Label1035 => label_1035_problems(&masked),
            NameRule::Segment => segment_problems(name, prefix),
        }
    }
}

static LABEL_RE: LazyLock<Regex> = LazyLock::new(|| whole(LABEL));
static SUBDOMAIN_RE: LazyLock<Regex> = LazyLock::new(|| whole(SUBDOMAIN));
static LABEL_1035_RE: LazyLock<Regex> = LazyLock::new(|| whole(LABEL_1035));
static QUALIFIED_RE: LazyLock<Regex> = LazyLock::new(|| whole(QUALIFIED));
static LABEL_VALUE_RE: LazyLock<Regex> = LazyLock::new(|| whole(LABEL_VALUE));

pub(crate) fn whole(pattern: &str) -> Regex {
    Regex::new(&format!("^(?:{pattern})$")).expect("a constant pattern is valid (tested)")
}

fn matched(name: &str, longest: usize, pattern: &Regex, text: &str) -> Vec<String> {
    let mut problems = Vec::new();
    if name.len() > longest {
        problems.push(too_long(longest));
    }
    if !pattern.is_match(name) {
        problems.push(text.to_owned());
    }
    problems
}

pub(crate) fn too_long(longest: usize) -> String {
    format!("must be no more than {longest} characters")
}

/// RFC 1123 label (container names, namespaces).
pub fn label_problems(name: &str) -> Vec<String> {
    matched(name, LABEL_MAX, &LABEL_RE, LABEL_TEXT)
}

/// RFC 1123 subdomain (most object names).
pub fn subdomain_problems(name: &str) -> Vec<String> {
    matched(name, SUBDOMAIN_MAX, &SUBDOMAIN_RE, SUBDOMAIN_TEXT)
}

/// RFC 1035 label (service names).
pub fn label_1035_problems(name: &str) -> Vec<String> {
    matched(name, LABEL_MAX, &LABEL_1035_RE, LABEL_1035_TEXT)
}

/// A label's value.
pub fn label_value_problems(value: &str) -> Vec<String> {
    matched(value, LABEL_MAX, &LABEL_VALUE_RE, LABEL_VALUE_TEXT)
}

/// A label's or annotation's key: an optional subdomain and `/`, then a name part.
pub fn qualified_name_problems(key: &str) -> Vec<String> {
    let mut problems = Vec::new();
    let parts: Vec<&str> = key.split('/').collect();
    let name = match parts.as_slice() {
        [name] => *name,
        [prefix, name] => {
            if prefix.is_empty() {
                problems.push("prefix part must be non-empty".to_owned());
            } else {
                problems.extend(subdomain_problems(prefix).into_iter().map(|it| format!("prefix part {it}")));
            }
            *name
        }
        _ => {
            return vec![format!(
                "a qualified name {QUALIFIED_TEXT} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"
            )];
        }
    };
    if name.is_empty() {
        problems.push("name part must be non-empty".to_owned());
    } else if name.len() > LABEL_MAX {
        problems.push(format!("name part {}", too_long(LABEL_MAX)));
    }
    if !QUALIFIED_RE.is_match(name) {
        problems.push(format!("name part {QUALIFIED_TEXT}"));
    }
    problems
}

fn segment_problems(name: &str, prefix: bool) -> Vec<String> {
    if !prefix && (name == "." || name == "..") {
        return vec![format!("may not be '{name}'")];
    }
    ["/", "%"].iter().filter(|it| name.contains(**it)).map(|it| format!("may not contain '{it}'")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_rules_accept_and_refuse() {
        let check = |rule: NameRule, name: &str, fine: bool| {
            assert_eq!(rule.problems(name, false).is_empty(), fine, "{rule:?} {name}");
        };
        for (name, subdomain, label, label_1035) in [
            ("a", true, true, true),
            ("web-1", true, true, true),
            ("1web", true, true, false),
            ("a.b-c.d", true, false, false),
            ("A", false, false, false),
            ("a_b", false, false, false),
            ("-a", false, false, false),
            ("a-", false, false, false),
            ("a..b", false, false, false),
            ("", false, false, false),
            (&"a".repeat(64), true, false, false),
            (&"a".repeat(254), false, false, false),
        ] {
            check(NameRule::Subdomain, name, subdomain);
            check(NameRule::Label, name, label);
            check(NameRule::Label1035, name, label_1035);
        }
        for (name, fine) in
            [("system:node", true), ("A b", true), ("a/b", false), ("50%", false), ("..", false), (".", false)]
        {
            check(NameRule::Segment, name, fine);
        }
        assert!(NameRule::Subdomain.problems("web-", true).is_empty());
    }

    #[test]
    fn keys_and_values_of_labels() {
        for (key, fine) in [
            ("app", true),
            ("app.kubernetes.io/name", true),
            ("Example.com/name", false),
            ("/name", false),
            ("a/", false),
            ("a/b/c", false),
            ("", false),
            ("-a", false),
        ] {
            assert_eq!(qualified_name_problems(key).is_empty(), fine, "{key}");
        }
        for (value, fine) in [("", true), ("a_b.c", true), ("a b", false), ("-a", false)] {
            assert_eq!(label_value_problems(value).is_empty(), fine, "{value}");
        }
        assert_eq!(qualified_name_problems("a b"), [format!("name part {QUALIFIED_TEXT}")]);
    }
}
