//! Rule folders: from files to rule documents (spec/rules 1.8).
//!
//! Every document of a stream is read. A document is one rule, a sequence of rules, a whole manifest of a rule or of an
//! exception, or a list of such. Manifests of other API groups belong to other families and are passed over in silence.

use kanon_core::PolicyFile;
use kanon_plane::PolicyKey;
use serde_json::Value;

use crate::api::{CLUSTER_EXCEPTION, CLUSTER_RULE, EXCEPTION, GROUP, RULE};

/// The file that a folder policy stands in.
pub(crate) fn file_of(key: &PolicyKey) -> &str {
    key.name.rsplit_once('#').map_or(&key.name, |(file, _)| file)
}

/// One rule or exception as written in a folder.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Document {
    /// Path, number of the document from 0, and number within a sequence: `base.yaml#0`, `base.yaml#1.2`.
    pub place: String,
    /// The name of an exception; `None` for rules, whose name is in `spec`.
    pub exception: Option<String>,
    /// The namespace of a PortalRule or a RuleException manifest.
    pub home: Option<String>,
    /// The fields of `spec`.
    pub spec: Value,
}

/// A document that cannot be read as a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unreadable {
    /// Path, or the place of the document in it.
    pub place: String,
    /// Why: one sentence.
    pub problem: String,
}

/// Every rule document of a file, in order, and what could not be read.
///
/// # Errors
/// A file that is no YAML at all: nothing is known of the rules in it.
pub(crate) fn read_file(file: &PolicyFile) -> Result<(Vec<Document>, Vec<Unreadable>), Unreadable> {
    // Programs belong to other families.
    if file.path.to_ascii_lowercase().ends_with(".rego") {
        return Ok((Vec::new(), Vec::new()));
    }
    let whole = |problem: String| Unreadable { place: file.path.clone(), problem };
    let text = std::str::from_utf8(&file.text).map_err(|it| whole(format!("file is not UTF-8: {it}")))?;
    let documents: Vec<Value> =
        serde_saphyr::from_multiple(text).map_err(|it| whole(format!("file is not YAML: {}", one_line(&it))))?;
    let mut found = Found::default();
    for (at, document) in documents.into_iter().enumerate() {
        found.take(format!("{}#{at}", file.path), document);
    }
    Ok((found.documents, found.unreadable))
}

/// A YAML error as one line.
pub(crate) fn one_line(error: &serde_saphyr::Error) -> String {
    let text = error.without_snippet().to_string();
    text.lines().map(str::trim).filter(|it| !it.is_empty()).collect::<Vec<_>>().join(" ")
}

#[derive(Default)]
struct Found {
    documents: Vec<Document>,
    unreadable: Vec<Unreadable>,
}

impl Found {
    fn take(&mut self, place: String, document: Value) {
        match document {
            Value::Null => {}
            Value::Array(items) => {
                for (at, item) in items.into_iter().enumerate() {
                    self.take(format!("{place}.{at}"), item);
                }
            }
            Value::Object(ref members) if members.contains_key("apiVersion") => self.manifest(place, document),
            Value::Object(_) => self.documents.push(Document { place, exception: None, home: None, spec: document }),
            Value::Bool(_) | Value::Number(_) | Value::String(_) => {
                self.fail(place, "a rule is a mapping with the keys `name`, `enabled`, `match`, `rule`");
            }
        }
    }

    fn manifest(&mut self, place: String, mut manifest: Value) {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let (api_version, kind) = (text(&manifest["apiVersion"]), text(&manifest["kind"]));
        let is_list = |it: &str| kind.strip_suffix("List") == Some(it);
        if kind == "List" || [CLUSTER_RULE, RULE, CLUSTER_EXCEPTION, EXCEPTION].into_iter().any(is_list) {
            return self.take(place, manifest["items"].take());
        }
        if api_version.split_once('/').is_none_or(|(group, _)| group != GROUP) {
            return;
        }
        let (home, name) = (text(&manifest["metadata"]["namespace"]), text(&manifest["metadata"]["name"]));
        let (spec, exception) = (manifest["spec"].take(), Some(name));
        match kind.as_str() {
            RULE | EXCEPTION if home.is_empty() => {
                self.fail(place, &format!("`metadata.namespace`: a {kind} needs the namespace it is confined to"));
            }
            CLUSTER_EXCEPTION | EXCEPTION if exception.as_ref().is_some_and(String::is_empty) => {
                self.fail(place, "`metadata.name`: is required");
            }
            CLUSTER_RULE => self.documents.push(Document { place, exception: None, home: None, spec }),
            RULE => self.documents.push(Document { place, exception: None, home: Some(home), spec }),
            CLUSTER_EXCEPTION => self.documents.push(Document { place, exception, home: None, spec }),
            EXCEPTION => self.documents.push(Document { place, exception, home: Some(home), spec }),
            _ => self.fail(
                place,
                &format!("`kind`: `{kind}` is not one of {CLUSTER_RULE}, {RULE}, {CLUSTER_EXCEPTION}, {EXCEPTION}"),
            ),
        }
    }

    fn fail(&mut self, place: String, problem: &str) {
        self.unreadable.push(Unreadable { place, problem: problem.to_owned() });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (Vec<String>, Vec<String>) {
        let file = PolicyFile { path: "a.yaml".into(), text: text.to_owned().into() };
        match read_file(&file) {
            Ok((documents, unreadable)) => (
                documents
                    .iter()
                    .map(|it| format!("{} {}", it.place, it.spec["name"].as_str().unwrap_or("?")))
                    .collect(),
                unreadable.iter().map(|it| format!("{}: {}", it.place, it.problem)).collect(),
            ),
            Err(it) => (Vec::new(), vec![format!("{}: {}", it.place, it.problem)]),
        }
    }

    #[test]
    fn streams_sequences_and_manifests_are_read() {
        let (rules, problems) = read(
            "name: a\n---\n# nothing\n---\n- name: b\n- name: c\n---\napiVersion: portal.io/v1alpha1\nkind: PortalClusterRule\nspec: {name: d}\n---\napiVersion: v1\nkind: Service\nspec: {name: no}\n---\napiVersion: v1\nkind: List\nitems:\n- {apiVersion: portal.io/v1alpha1, kind: PortalRule, metadata: {namespace: shop}, spec: {name: e}}\n- {apiVersion: portal.io/v1alpha1, kind: PortalRule, spec: {name: f}}\n",
        );
        assert_eq!(rules, ["a.yaml#0 a", "a.yaml#1.0 b", "a.yaml#1.1 c", "a.yaml#2 d", "a.yaml#4.0 e"]);
        assert_eq!(problems.len(), 1);
        assert!(problems[0].starts_with("a.yaml#4.1: `metadata.namespace`"), "{problems:?}");
    }

    #[test]
    fn blank_files_hold_no_rule_and_no_mistake() {
        for text in ["", "\n\n", "# only a comment\n", "---\n---\n"] {
            assert_eq!(read(text), (vec![], vec![]), "{text:?}");
        }
    }

    #[test]
    fn broken_yaml_is_one_problem_on_one_line() {
        let (rules, problems) = read("name: a\nrule: [\n");
        assert_eq!((rules.len(), problems.len()), (0, 1));
        assert!(problems[0].starts_with("a.yaml: file is not YAML") && !problems[0].contains('\n'), "{problems:?}");
        assert!(read("just text").1[0].contains("a rule is a mapping"));
    }

    #[test]
    fn programs_of_other_families_are_passed_over() {
        let file = PolicyFile { path: "policy.Rego".into(), text: "package a\nb := {\n".into() };
        assert_eq!(read_file(&file), Ok((Vec::new(), Vec::new())));
    }
}
