//! Templates of alerts: labels and annotations that rules add to their alerts by name (spec/rules 8.4). Each is an entry of the
//! ConfigMap `alert-templates` in the namespace Kanon runs in, or a file of a folder, so that it can be changed while alerts fire.
//! Where both have a name the ConfigMap counts. A broken file does not replace what was read of it before.
//!
//! Values have `{{ expression }}` parts over what an alert is about. The documented labels and annotations stay as they are,
//! whatever a template says. An alert whose template is not there, or is broken, is sent in the documented shape.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use kanon_core::{
    Change, EventType, Figure, FigureKind, Figures, Input, Object, ObjectRef, PolicyFile, UnreadableFile,
};
use kanon_lang::{Arena, Environment, Language, Limits, Value};
use kanon_plane::Outbox;
use serde::Deserialize;

use super::brake::{is_config_map, is_map};
use crate::{
    alerts::{ANNOTATIONS, LABELS},
    documents::one_line,
    family::figures::FILE_PROBLEMS,
    message::Message,
};

/// The folder's name among figures.
const FOLDER: &str = "alert-templates";
/// Name of the ConfigMap.
pub(super) const TEMPLATE_MAP: &str = "alert-templates";

/// Templates that rules name and that are not there: each once.
const MISSING: Figure = Figure {
    name: "kanon_alert_templates_missing",
    kind: FigureKind::Gauge,
    help: "Alert templates that rules name and that are not there or broken",
    labels: &["template"],
};

/// What expressions of a template may read, in order of [`Fields`].
const FIELDS: [&str; 10] =
    ["rule", "severity", "namespace", "kind", "name", "uid", "mode", "message", "container", "operation"];

/// The values of [`FIELDS`].
pub(crate) type Fields<'f> = [&'f str; FIELDS.len()];

/// Labels and annotations to add.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Extra {
    pub labels: BTreeMap<String, String>,
    pub annotations: BTreeMap<String, String>,
}

/// A template as written.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Text {
    labels: BTreeMap<String, String>,
    annotations: BTreeMap<String, String>,
}

struct Template {
    labels: Vec<(String, Message)>,
    annotations: Vec<(String, Message)>,
}

/// All templates, and labels that every alert has.
pub(crate) struct Templates {
    language: Arc<dyn Language>,
    /// The namespace of the ConfigMap; empty where there is none.
    namespace: String,
    external: BTreeMap<String, String>,
    by_name: BTreeMap<String, Template>,
    /// Those of the folder.
    of_folder: BTreeMap<String, Template>,
    /// Files of it that are broken.
    broken: BTreeSet<String>,
    missing: BTreeSet<String>,
}

impl Templates {
    pub(crate) fn new(language: Arc<dyn Language>, namespace: &str, external: &BTreeMap<String, String>) -> Templates {
        let external = external.iter().filter(|it| !LABELS.contains(&it.0.as_str()));
        Templates {
            language,
            namespace: namespace.to_owned(),
            external: external.map(|(key, value)| (key.clone(), value.clone())).collect(),
            by_name: BTreeMap::new(),
            of_folder: BTreeMap::new(),
            broken: BTreeSet::new(),
            missing: BTreeSet::new(),
        }
    }

    /// Takes in the ConfigMap, or the folder.
    pub(crate) fn handle(&mut self, input: &Input, figures: &Figures, out: &mut Outbox) {
        if let Input::AlertTemplates { files, unreadable } = input {
            return self.handle_folder(files, unreadable, figures);
        }
        let Input::Object { kind, change, object } = input else { return };
        if !is_config_map(kind) || !self.is_mine(object) {
            return;
        }
        self.by_name.clear();
        self.forget_missing(figures);
        if *change == Change::Deleted {
            return;
        }
        let entries = object.at(&["data"]).into_iter().flat_map(|it| it.members().collect::<Vec<_>>());
        for (key, value) in entries {
            let name = name_of(&key).to_owned();
            let text = value.as_str().unwrap_or_default();
            match parse(&text, &*self.language) {
                Ok(template) => {
                    self.by_name.insert(name, template);
                }
                Err(problem) => {
                    let text = |name: &str| object.str_at(&["metadata", name]).to_owned();
                    let (namespace, map, uid) = (text("namespace"), text("name"), text("uid"));
                    let subject = ObjectRef { gvk: kind.gvk.clone(), namespace, name: map, uid };
                    let message = format!("alert template `{name}` is not used: {problem}");
                    out.event(subject, EventType::Warning, "BrokenTemplate", &message, &message);
                }
            }
        }
    }

    fn handle_folder(&mut self, files: &[PolicyFile], unreadable: &[UnreadableFile], figures: &Figures) {
        let mut before = std::mem::take(&mut self.of_folder);
        let mut broken: BTreeSet<String> = unreadable.iter().map(|it| it.path.clone()).collect();
        for file in files {
            let parsed = std::str::from_utf8(&file.text).ok().and_then(|text| parse(text, &*self.language).ok());
            match parsed {
                Some(template) => {
                    self.of_folder.insert(name_of(&file.path).to_owned(), template);
                }
                None => {
                    broken.insert(file.path.clone());
                }
            }
        }
        for path in &broken {
            if let Some(good) = before.remove(name_of(path)) {
                self.of_folder.insert(name_of(path).to_owned(), good);
            }
        }
        for path in self.broken.difference(&broken) {
            figures.set(FILE_PROBLEMS, &[FOLDER, path], 0);
        }
        for path in &broken {
            figures.set(FILE_PROBLEMS, &[FOLDER, path], 1);
        }
        self.broken = broken;
        self.forget_missing(figures);
    }

    /// What was missing may be there now.
    fn forget_missing(&mut self, figures: &Figures) {
        for name in std::mem::take(&mut self.missing) {
            figures.set(MISSING, &[&name], 0);
        }
    }

    /// What an alert has besides the documented shape.
    pub(crate) fn extra(&mut self, name: &str, fields: &Fields<'_>, figures: &Figures) -> Extra {
        let mut extra = Extra { labels: self.external.clone(), annotations: BTreeMap::new() };
        if name.is_empty() {
            return extra;
        }
        let Some(template) = self.by_name.get(name).or_else(|| self.of_folder.get(name)) else {
            if self.missing.insert(name.to_owned()) {
                figures.set(MISSING, &[name], 1);
            }
            return extra;
        };
        let (arena, limits) = (Arena::new(), Limits::default());
        let values = fields.map(Value::Str);
        let render = |(key, message): &(String, Message)| (key.clone(), message.render(&values, &limits, &arena));
        extra.labels.extend(template.labels.iter().map(render));
        extra.annotations.extend(template.annotations.iter().map(render));
        extra
    }

    fn is_mine(&self, object: &Object) -> bool {
        is_map(object, &self.namespace, TEMPLATE_MAP)
    }
}

/// A template's name: that of its file or entry, without an ending.
fn name_of(file: &str) -> &str {
    file.strip_suffix(".yaml").or_else(|| file.strip_suffix(".yml")).unwrap_or(file)
}

fn parse(text: &str, language: &dyn Language) -> Result<Template, String> {
    let Text { labels, annotations } = serde_saphyr::from_str(text).map_err(|it| one_line(&it))?;
    let env = Environment::new(FIELDS);
    let read = |field: &str, entries: BTreeMap<String, String>, taken: &[&str]| {
        let entries = entries.into_iter().map(|(key, text)| {
            if taken.contains(&key.as_str()) {
                return Err(format!("`{field}.{key}` is not a template's to say"));
            }
            let message = Message::parse(&text, language, &env).map_err(|it| format!("`{field}.{key}`: {it}"))?;
            Ok((key, message))
        });
        entries.collect::<Result<Vec<_>, _>>()
    };
    Ok(Template {
        labels: read("labels", labels, &LABELS)?,
        annotations: read("annotations", annotations, &ANNOTATIONS)?,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn templates(data: &serde_json::Value) -> (Templates, Vec<String>) {
        let language = Arc::new(kanon_expr::Expr::default());
        let external = BTreeMap::from([("cluster".to_owned(), "eu".to_owned()), ("rule".to_owned(), "no".to_owned())]);
        let mut templates = Templates::new(language, "kanon-system", &external);
        let map = json!({"metadata": {"name": TEMPLATE_MAP, "namespace": "kanon-system"}, "data": data});
        let mut out = Outbox::new(crate::FAMILY);
        let kind = Arc::new(super::super::brake::config_maps());
        let object = Object::from_value(&map);
        templates.handle(&Input::Object { kind, change: Change::Applied, object }, &Figures::default(), &mut out);
        let said = out.wanted().filter_map(|it| match &it.action {
            kanon_core::Action::Event { message, .. } => Some(message.clone()),
            _ => None,
        });
        (templates, said.collect())
    }

    const ABOUT: Fields<'_> = ["r", "high", "shop", "Pod", "web", "u", "audit", "it is bad", "c", ""];

    #[test]
    fn a_template_adds_what_its_expressions_say() {
        let text =
            "labels: {team: '{{ namespace }}-{{ upper(kind) }}'}\nannotations: {odd: '{{ 1 + 1 }} {{ nothing.x }}'}";
        let data = json!({"t": text, "u.yaml": "{}"});
        let (mut templates, said) = templates(&data);
        assert_eq!(said, [""; 0]);
        let figures = Figures::default();
        let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        let extra = templates.extra("t", &ABOUT, &figures);
        assert_eq!(extra.labels, BTreeMap::from([pair("cluster", "eu"), pair("team", "shop-POD")]));
        assert_eq!(extra.annotations, BTreeMap::from([pair("odd", "2 <unknown>")]));
        let plain = Extra { labels: BTreeMap::from([pair("cluster", "eu")]), ..Extra::default() };
        for (name, missing) in [("u", 0), ("", 0), ("nowhere", 1), ("nowhere", 1)] {
            assert_eq!(templates.extra(name, &ABOUT, &figures), plain, "{name}");
            assert_eq!(figures.value(MISSING, &["nowhere"]), missing, "{name}");
        }
    }

    #[test]
    fn a_folder_has_templates_too_and_a_broken_file_keeps_the_last_good_one() {
        let (mut templates, _) = templates(&json!({"both": "labels: {from: map}"}));
        let (figures, mut out) = (Figures::default(), Outbox::new(crate::FAMILY));
        let file = |path: &str, text: &str| PolicyFile { path: path.to_owned(), text: text.to_owned().into() };
        let mut give = |templates: &mut Templates, files: Vec<PolicyFile>, bad: &[&str]| {
            let bad = bad.iter().map(|it| UnreadableFile { path: (*it).to_owned(), problem: "gone".to_owned() });
            templates.handle(&Input::AlertTemplates { files, unreadable: bad.collect() }, &figures, &mut out);
        };
        let from = |templates: &mut Templates, name| {
            templates.extra(name, &ABOUT, &figures).labels.get("from").cloned().unwrap_or_default()
        };
        assert_eq!(from(&mut templates, "mine"), "");
        assert_eq!(figures.value(MISSING, &["mine"]), 1);
        give(
            &mut templates,
            vec![file("mine.yaml", "labels: {from: file}"), file("both", "labels: {from: file}")],
            &[],
        );
        assert_eq!((from(&mut templates, "mine"), from(&mut templates, "both")), ("file".into(), "map".into()));
        assert_eq!(figures.value(MISSING, &["mine"]), 0);
        let problems = |file: &str| figures.value(FILE_PROBLEMS, &[FOLDER, file]);
        give(&mut templates, vec![file("mine.yaml", "labels: {severity: none}")], &[]);
        assert_eq!((from(&mut templates, "mine"), problems("mine.yaml")), ("file".into(), 1));
        give(&mut templates, Vec::new(), &["mine.yaml"]);
        assert_eq!((from(&mut templates, "mine"), problems("mine.yaml")), ("file".into(), 1));
        give(&mut templates, Vec::new(), &[]);
        assert_eq!((from(&mut templates, "mine"), problems("mine.yaml")), (String::new(), 0));
    }

    #[test]
    fn what_a_template_must_not_say_is_told_and_not_used() {
        for (text, problem) in [
            ("labels: {severity: none}", "`labels.severity` is not a template's to say"),
            ("annotations: {description: none}", "`annotations.description` is not a template's to say"),
            ("labels: {a: '{{ b'}", "`labels.a`: `{{` without `}}`"),
            ("labels: {a: '{{ 1 + }}'}", "`labels.a`: compile: "),
            ("label: {a: b}", "label"),
            ("- a", ""),
        ] {
            let (templates, said) = templates(&json!({"t": text}));
            assert!(templates.by_name.is_empty() && said.len() == 1, "{text}: {said:?}");
            assert!(said[0].starts_with("alert template `t` is not used: ") && said[0].contains(problem), "{said:?}");
        }
    }
}
