//! The requests of a case: to its definition, and to objects of it.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::{
    Pair,
    generate::{self, Random},
    runner::http::Sent,
};

const DEFINITIONS: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";

/// A definition and where its objects are.
pub(crate) struct Case {
    group: String,
    schema: Value,
    with_status: bool,
    columns: Value,
    pub(crate) collection: String,
}

/// One request; `name` of the object that it may change.
pub(crate) struct Step {
    sent: Sent,
    pub(crate) name: String,
    /// A PUT takes the present version of each server's own.
    with_version: bool,
}

/// A GET.
pub(crate) fn get(path: &str) -> Sent {
    sent("GET", path, "", Vec::new())
}

/// A DELETE.
pub(crate) fn delete(path: &str) -> Sent {
    sent("DELETE", path, "", Vec::new())
}

fn sent(method: &str, path: &str, content_type: &str, body: Vec<u8>) -> Sent {
    let mut headers = BTreeMap::from([("user-agent".to_owned(), "differential/1".to_owned())]);
    if !content_type.is_empty() {
        headers.insert("content-type".to_owned(), content_type.to_owned());
    }
    Sent { method: method.to_owned(), path: path.to_owned(), headers, body, anonymous: false }
}

impl Case {
    /// A random definition in a group of its own.
    pub(crate) fn new(id: &str, random: &mut Random) -> Case {
        let group = format!("{id}.example.io");
        let collection = format!("/apis/{group}/v1/namespaces/default/things");
        let mut columns = json!([]);
        if random.once_in(2) {
            columns = json!([{"name": "A", "type": random.one_of(&["string", "integer", "date", "boolean", "number"]), "jsonPath": ".spec.a"}]);
        }
        Case { schema: generate::root(random), with_status: random.once_in(2), columns, group, collection }
    }

    /// The request that makes the definition.
    pub(crate) fn define(&self) -> Sent {
        let mut version =
            json!({"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": self.schema}});
        if self.with_status {
            version["subresources"] = json!({"status": {}});
        }
        if self.columns.as_array().is_some_and(|it| !it.is_empty()) {
            version["additionalPrinterColumns"] = self.columns.clone();
        }
        let body = json!({
            "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": format!("things.{}", self.group)},
            "spec": {"group": self.group, "scope": "Namespaced", "names": {"plural": "things", "kind": "Thing"}, "versions": [version]},
        });
        sent("POST", DEFINITIONS, "application/json", body.to_string().into_bytes())
    }

    /// Where the definition is.
    pub(crate) fn definition_path(&self) -> String {
        format!("{DEFINITIONS}/things.{}", self.group)
    }

    /// A random request; none now and then.
    pub(crate) fn step(&self, random: &mut Random) -> Option<Step> {
        let name = (*random.one_of(&["one", "two", "three"])).to_owned();
        let path = format!("{}/{name}", self.collection);
        let wrong = *random.one_of(&[6, 30, 1000]);
        let object = self.object(random, &name, wrong);
        let strict = *random.one_of(&["", "?fieldValidation=Strict", "?fieldValidation=Ignore", "?dryRun=All"]);
        let body = object.to_string().into_bytes();
        let (sent, name, with_version) = match random.below(10) {
            0..=2 => (sent("POST", &format!("{}{strict}", self.collection), "application/json", body), name, false),
            3 => (sent("PUT", &format!("{path}{strict}"), "application/json", body), name, true),
            4 => {
                let patch = json!({"spec": object["spec"], "metadata": object["metadata"]}).to_string();
                (
                    sent("PATCH", &format!("{path}{strict}"), "application/merge-patch+json", patch.into_bytes()),
                    name,
                    false,
                )
            }
            5 => (
                sent(
                    "PATCH",
                    &path,
                    "application/json-patch+json",
                    operations(random, &object).to_string().into_bytes(),
                ),
                name,
                false,
            ),
            6 | 7 => {
                let manager = random.one_of(&["one", "two", "three&force=true"]);
                (
                    sent("PATCH", &format!("{path}?fieldManager={manager}"), "application/apply-patch+yaml", body),
                    name,
                    false,
                )
            }
            8 => {
                let query = random.one_of(&QUERIES);
                let mut asked = get(&format!("{}{query}", self.collection));
                if random.once_in(3) {
                    asked.headers.insert("accept".to_owned(), (*random.one_of(&ACCEPTS)).to_owned());
                }
                (asked, String::new(), false)
            }
            _ => match random.below(4) {
                0 => (delete(&path), name, false),
                1 => (get(&path), String::new(), false),
                2 => (get(&format!("/apis/{}/v1", self.group)), String::new(), false),
                _ if self.with_status => {
                    let patch =
                        json!({"status": {"phase": "a", "n": random.below(3)}, "spec": object["spec"]}).to_string();
                    (
                        sent("PATCH", &format!("{path}/status"), "application/merge-patch+json", patch.into_bytes()),
                        name,
                        false,
                    )
                }
                _ => return None,
            },
        };
        Some(Step { sent, name, with_version })
    }

    fn object(&self, random: &mut Random, name: &str, wrong: usize) -> Value {
        let mut metadata = json!({"name": name});
        if random.once_in(4) {
            metadata["labels"] = json!({"app": random.one_of(&["a", "b", "a b", ""])});
        }
        if random.once_in(8) {
            metadata["annotations"] = json!({"note": "x"});
        }
        let spec = generate::value(random, &self.schema["properties"]["spec"], wrong);
        let mut object =
            json!({"apiVersion": format!("{}/v1", self.group), "kind": "Thing", "metadata": metadata, "spec": spec});
        if random.once_in(6) {
            object["status"] = json!({"phase": "b"});
        }
        object
    }
}

/// What lists are asked with.
const QUERIES: [&str; 10] = [
    "",
    "?limit=1",
    "?labelSelector=app",
    "?labelSelector=app%20in%20(a",
    "?fieldSelector=metadata.name%3Done",
    "?fieldSelector=spec.a%3Dx",
    "?resourceVersion=0",
    "?resourceVersionMatch=Exact",
    "?limit=x",
    "?continue=bad",
];

/// Forms of answers.
const ACCEPTS: [&str; 3] = [
    "application/json;as=Table;v=v1;g=meta.k8s.io",
    "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io",
    "text/html",
];

fn operations(random: &mut Random, object: &Value) -> Value {
    let spec = object["spec"].as_object().cloned().unwrap_or_default();
    let (name, value) = spec.into_iter().next().unwrap_or(("a".to_owned(), json!(1)));
    let path = format!("/spec/{name}");
    let list: [Value; 5] = [
        json!([{"op": "add", "path": path, "value": value}]),
        json!([{"op": "replace", "path": path, "value": value}]),
        json!([{"op": "remove", "path": path}]),
        json!([{"op": "test", "path": path, "value": value}]),
        json!([{"op": "copy", "from": path, "path": "/spec/b"}]),
    ];
    random.one_of(&list).clone()
}

impl Step {
    /// The request for each of the two.
    pub(crate) async fn sent(&self, pair: &Pair) -> Result<(Sent, Sent), String> {
        if !self.with_version {
            return Ok((self.sent.clone(), self.sent.clone()));
        }
        let path = self.sent.path.split('?').next().unwrap_or_default();
        let (ours, other) = pair.ask(&get(path), &get(path)).await?;
        let with = |version: &Value| {
            let mut sent = self.sent.clone();
            let mut body: Value = serde_json::from_slice(&sent.body).unwrap_or_default();
            if version.is_string() {
                body["metadata"]["resourceVersion"] = version.clone();
            }
            sent.body = body.to_string().into_bytes();
            sent
        };
        let version = |value: Value| value["metadata"]["resourceVersion"].clone();
        Ok((with(&version(ours.value())), with(&version(other.value()))))
    }
}
