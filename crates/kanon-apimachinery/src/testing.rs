//! What tests of several modules share.

use std::sync::Arc;

use http::{HeaderMap, HeaderValue};
use jiff::Timestamp;
use kanon_core::Operation;
use kanon_store::{Entry, Memory, Writer};
use serde_json::{Value, json};

use crate::{
    crd, decode, list, negotiate,
    request::{Address, RequestInfo, Resolved, Verb},
    resource::{Registry, Resource},
    status::{ApiError, Result},
    write::{
        self, Context, Outcome, Part, Stamp,
        delete::{self, Deletion},
        patch::Patch,
    },
};

/// A definition: namespaced `gates.policy.example.io` with status and a default.
pub(crate) fn gates_crd() -> Value {
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "gates.policy.example.io"},
        "spec": {"group": "policy.example.io", "scope": "Namespaced",
            "names": {"plural": "gates", "singular": "gate", "kind": "Gate", "listKind": "GateList", "shortNames": ["gt"]},
            "versions": [{"name": "v1", "served": true, "storage": true, "subresources": {"status": {}},
                "schema": {"openAPIV3Schema": {"type": "object", "properties": {
                    "spec": {"type": "object", "properties": {"expr": {"type": "string", "minLength": 1}, "weight": {"type": "integer", "default": 5}}},
                    "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}}}}]}
    })
}

/// The definition once it is served.
pub(crate) fn established() -> Value {
    let mut crd = gates_crd();
    crd["status"] = crd::establish(&crd, &crd::TakenNames::default(), "2026-01-01T00:00:00Z").expect("names are free");
    crd
}

/// Its resource.
pub(crate) fn gates() -> Arc<Resource> {
    crd::resources(&established(), None).remove(0)
}

/// A server without HTTP, authorization and admission: what the stages do together.
pub(crate) struct Cluster {
    writer: Writer,
    pub(crate) memory: Memory,
    pub(crate) registry: Registry,
    pub(crate) now: Timestamp,
    made: u32,
}

/// Code and body of an answer.
pub(crate) type Answer = (u16, Value);

impl Cluster {
    /// With namespace `shop` and the gates.
    pub(crate) fn new() -> Cluster {
        let (writer, memory) = Writer::in_memory(kanon_store::Options::default());
        let registry = Registry::builtin().with_crds(crd::resources(&established(), None));
        let now = "2026-11-21T09:00:00Z".parse().expect("a time");
        let mut cluster = Cluster { writer, memory, registry, now, made: 0 };
        cluster.post("/api/v1/namespaces", &json!({"metadata": {"name": "shop"}}));
        cluster
    }

    pub(crate) fn post(&mut self, uri: &str, body: &Value) -> Answer {
        self.ask("POST", uri, "application/json", &body.to_string())
    }

    pub(crate) fn put(&mut self, uri: &str, body: &Value) -> Answer {
        self.ask("PUT", uri, "application/json", &body.to_string())
    }

    pub(crate) fn merge(&mut self, uri: &str, body: &Value) -> Answer {
        self.ask("PATCH", uri, "application/merge-patch+json", &body.to_string())
    }

    pub(crate) fn apply(&mut self, uri: &str, body: &Value) -> Answer {
        self.ask("PATCH", uri, "application/apply-patch+yaml", &body.to_string())
    }

    pub(crate) fn get(&mut self, uri: &str) -> Answer {
        self.ask("GET", uri, "", "")
    }

    pub(crate) fn delete(&mut self, uri: &str, body: &str) -> Answer {
        self.ask("DELETE", uri, "application/json", body)
    }

    pub(crate) fn ask(&mut self, method: &str, uri: &str, content_type: &str, body: &str) -> Answer {
        match self.handle(method, uri, content_type, body) {
            Ok((code, body)) => (code, serde_json::from_slice(&body).expect("JSON")),
            Err(error) => (error.code, error.to_value()),
        }
    }

    pub(crate) fn info(method: &str, uri: &str, content_type: &str) -> RequestInfo {
        let (path, query) = uri.split_once('?').map_or((uri, None), |(path, query)| (path, Some(query)));
        let mut headers = HeaderMap::new();
        headers.insert("user-agent", HeaderValue::from_static("tester/1"));
        headers.insert("content-type", HeaderValue::from_str(content_type).expect("a header"));
        RequestInfo::parse(&method.parse().expect("a method"), path, query, &headers).expect("a request")
    }

    fn handle(&mut self, method: &str, uri: &str, content_type: &str, body: &str) -> Result<(u16, Vec<u8>)> {
        let info = Cluster::info(method, uri, content_type);
        let Resolved { resource, verb, address } = info.resolve(&self.registry)?;
        let key = resource.key(address.object_namespace(), &address.name);
        let current = self.memory.get(&key);
        match verb {
            Verb::Get => {
                let entry = current.ok_or_else(|| ApiError::not_found(&resource.group_resource(), &address.name))?;
                Ok((200, resource.served(&entry.object).text().to_vec()))
            }
            Verb::List => {
                let options = info.list_options(&resource, false)?;
                let listing = list::read(&self.memory, &resource, address.object_namespace(), &options)?;
                Ok((200, listing.objects(&resource).concat()))
            }
            Verb::Delete => {
                let value = decode::delete_options("application/json", body.as_bytes())?;
                let options = info.delete_options(value.as_ref())?;
                match delete::plan(&resource, &address, &options, current.as_ref(), self.now)? {
                    Deletion::Remove(write, status) => {
                        self.store(write);
                        Ok((200, status.to_vec()))
                    }
                    Deletion::Mark(write) => {
                        let entry = self.store(write);
                        Ok((200, resource.served(&entry.object).text().to_vec()))
                    }
                    Deletion::Nothing(value) => Ok((200, value.to_string().into_bytes())),
                    Deletion::DryRun(status) => Ok((200, status.to_vec())),
                }
            }
            Verb::Create | Verb::Update | Verb::Patch => self.write(&info, &resource, &address, body, current.as_ref()),
            Verb::Watch | Verb::DeleteCollection => Err(ApiError::method_not_allowed()),
        }
    }

    fn write(
        &mut self,
        info: &RequestInfo,
        resource: &Resource,
        address: &Address,
        body: &str,
        current: Option<&Arc<Entry>>,
    ) -> Result<(u16, Vec<u8>)> {
        let options = info.write_options("CreateOptions")?;
        let ctx = Context { resource, address, options: &options, now: self.now };
        let prepared = match info.method.as_str() {
            "POST" => {
                let body = decode::object(resource, &info.content_type, body.as_bytes())?;
                write::namespace::check(&self.memory, resource, address.object_namespace(), "")?;
                write::create::prepare(&ctx, body)?
            }
            "PUT" => {
                let gvk = resource.subresource(&address.subresource).map_or(&resource.gvk, |it| &it.gvk);
                let body = if *gvk == resource.gvk {
                    decode::object(resource, &info.content_type, body.as_bytes())?
                } else {
                    decode::part(gvk, &info.content_type, body.as_bytes())?
                };
                write::update::prepare(&ctx, body, current)?
            }
            _ => {
                let kind = negotiate::patch(&info.content_type, resource.builtin_kind().is_some())?;
                let patch = Patch::decode(kind, body.as_bytes(), &resource.gvk.kind)?;
                write::patch::prepare(&ctx, &patch, current)?
            }
        };
        let code = if prepared.operation == Operation::Create { 201 } else { 200 };
        self.made += 1;
        let stamp = Stamp { uid: format!("uid-{}", self.made), suffix: format!("x{:04}", self.made) };
        let mutated = prepared.object.clone();
        let finished = prepared.finish(&ctx, mutated, false, &stamp)?;
        let value = match finished.outcome {
            Outcome::Store(write) if code == 201 && self.memory.get(&write.key).is_some() => {
                return Err(write::create::name_taken(&ctx, &finished.object));
            }
            Outcome::Store(write) => write::served_value(resource, &self.store(write).object),
            Outcome::Unchanged(entry) => write::served_value(resource, &entry.object),
            Outcome::DryRun(value) => return Ok((code, value.to_string().into_bytes())),
            Outcome::Remove(write, value) => {
                self.store(write);
                value
            }
        };
        let value = if finished.part == Part::Scale { write::scale::of(resource, &value)? } else { value };
        Ok((code, value.to_string().into_bytes()))
    }

    pub(crate) fn store(&mut self, write: kanon_store::Write) -> Arc<Entry> {
        let staged = self.writer.stage(write, &self.memory).expect("nobody else writes");
        let batch = self.writer.commit().expect("the disk works");
        drop(self.memory.publish(batch));
        staged.entry
    }

    /// Forgets the history.
    pub(crate) fn compact(&mut self) {
        self.writer.compact_to(self.memory.revision());
        let batch = self.writer.commit().expect("the disk works");
        drop(self.memory.publish(batch));
    }

    /// Passes time.
    pub(crate) fn advance(&mut self, seconds: i64) {
        self.now = self.now.checked_add(jiff::SignedDuration::from_secs(seconds)).expect("in range");
    }
}

/// The path of the gates in `shop`.
pub(crate) const GATES: &str = "/apis/policy.example.io/v1/namespaces/shop/gates";

/// A gate.
pub(crate) fn gate(name: &str) -> Value {
    json!({"apiVersion": "policy.example.io/v1", "kind": "Gate", "metadata": {"name": name}, "spec": {"expr": "true"}})
}
