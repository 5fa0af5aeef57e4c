//! Where rules and exceptions come from: objects of the API server, and files of the folder. Rules are compiled once a revision.

use std::{collections::BTreeSet, sync::Arc};

use kanon_core::{Change, Kind, Now, Object, PolicyFile, Scope, UnreadableFile};
use kanon_plane::{Applied, Outbox, PolicyKey, PolicyStore};

use super::{RulesFamily, Source};
use crate::{
    documents::{Document, file_of, read_file},
    index::FOLDER,
    plan::{Resource, Version},
    rule::Rule,
    validate::{Cases, Compiler, validate, without_cases},
};

impl RulesFamily {
    pub(super) fn handle_object(&mut self, kind: &Kind, change: Change, object: &Object, now: Now, out: &mut Outbox) {
        let key = PolicyKey {
            origin: kind.gvk.kind.clone(),
            namespace: object.str_at(&["metadata", "namespace"]).to_owned(),
            name: object.str_at(&["metadata", "name"]).to_owned(),
        };
        match change {
            Change::Deleted => {
                self.store.remove(&key);
                self.breaker.retain(|it| *it != key);
                self.resources.remove(&key);
                self.sources.remove(&key);
                self.publish(None, now, out);
            }
            Change::Applied => {
                let spec = object.at(&["spec"]).map(|it| it.to_value()).unwrap_or_default();
                let home = (kind.scope == Scope::Namespaced).then_some(key.namespace.as_str());
                let applied = compile(&mut self.store, &self.compiler, &key, &spec, home);
                let version = Version::of(object);
                if applied == Applied::Unchanged
                    && let Some(resource) = self.resources.get_mut(&key).filter(|it| it.is_version(&version))
                {
                    // Status or metadata, most often our own write: nothing to decide (spec/rules 1.7, 4).
                    resource.seen(object);
                    return;
                }
                let resource = Resource::new(kind, object, now);
                if applied == Applied::Broken
                    && let Some(entry) = self.store.get(&key)
                {
                    resource.announce(entry.problem.as_deref().unwrap_or_default(), &entry.revision.short(), out);
                }
                self.sources
                    .insert(key.clone(), Source { name: name_of(&spec, &key), counts: resource.counts().clone() });
                self.resources.insert(key.clone(), resource);
                self.publish(Some(&key), now, out);
            }
        }
    }

    pub(crate) fn handle_folder(
        &mut self,
        files: &[PolicyFile],
        unreadable: &[UnreadableFile],
        now: Now,
        out: &mut Outbox,
    ) {
        let mut all: Vec<(&str, Result<&PolicyFile, &str>)> = files.iter().map(|it| (&*it.path, Ok(it))).collect();
        all.extend(unreadable.iter().map(|it| (&*it.path, Err(&*it.problem))));
        all.sort_by_key(|it| it.0);
        let (mut keys, mut exceptions, mut unread) = (Vec::new(), BTreeSet::new(), BTreeSet::new());
        for (path, file) in all {
            let file = match file {
                Ok(file) => file,
                Err(problem) => {
                    unread.insert(path);
                    keys.extend(self.note_whole(path, problem, problem.as_bytes()));
                    continue;
                }
            };
            match read_file(file) {
                Ok((documents, unreadable)) => {
                    for Document { place, exception, home, spec } in documents {
                        let key = folder_key(&place);
                        if let Some(name) = exception {
                            self.exceptions.document(&key, &spec, home.as_deref(), &name, now);
                            exceptions.insert(key);
                            continue;
                        }
                        if compile(&mut self.store, &self.compiler, &key, &spec, home.as_deref()) != Applied::Unchanged
                        {
                            let source = Source { name: name_of(&spec, &key), counts: Arc::default() };
                            self.sources.insert(key.clone(), source);
                        }
                        keys.push(key);
                    }
                    for it in unreadable {
                        keys.push(self.note_unreadable(folder_key(&it.place), &it.problem, &file.text));
                    }
                }
                Err(it) => {
                    unread.insert(path);
                    keys.extend(self.note_whole(&it.place, &it.problem, &file.text));
                }
            }
        }
        let found: BTreeSet<_> = keys.iter().collect();
        self.breaker.retain(|key| key.origin != FOLDER || found.contains(key));
        self.store.retain(|key| key.origin != FOLDER || found.contains(key));
        self.sources.retain(|key, _| key.origin != FOLDER || found.contains(key));
        self.folder = keys;
        self.exceptions.retain_documents(&exceptions, |file| unread.contains(file));
        self.publish(None, now, out);
    }

    /// Nothing is known of the rules in a file: those it held before stay in force, and say so.
    pub(super) fn note_whole(&mut self, path: &str, problem: &str, text: &[u8]) -> Vec<PolicyKey> {
        let before: Vec<_> = self.folder.iter().filter(|key| file_of(key) == path).cloned().collect();
        let noted = if before.is_empty() { vec![folder_key(path)] } else { before };
        noted.into_iter().map(|key| self.note_unreadable(key, problem, text)).collect()
    }

    pub(super) fn note_unreadable(&mut self, key: PolicyKey, problem: &str, text: &[u8]) -> PolicyKey {
        self.store.apply(key.clone(), text, |_| Err(problem.to_owned()));
        let source = || Source { name: key.name.clone(), counts: Arc::default() };
        self.sources.entry(key.clone()).or_insert_with(source);
        key
    }
}

fn compile(
    store: &mut PolicyStore<Rule>,
    compiler: &Compiler,
    key: &PolicyKey,
    spec: &serde_json::Value,
    home: Option<&str>,
) -> Applied {
    let text = format!("{}\0{}", home.unwrap_or_default(), without_cases(spec));
    let applied = store.apply(key.clone(), text.as_bytes(), |_| validate(spec, home, compiler));
    if applied == Applied::Unchanged {
        store.amend(key, |rule| rule.with_cases(Cases::of(spec)));
    }
    applied
}

/// The name in a spec that may be broken, or that of its source.
fn name_of(spec: &serde_json::Value, key: &PolicyKey) -> String {
    let name = spec["name"].as_str().filter(|it| !it.is_empty());
    name.unwrap_or(&key.name).to_owned()
}

fn folder_key(place: &str) -> PolicyKey {
    PolicyKey { origin: FOLDER.to_owned(), namespace: String::new(), name: place.to_owned() }
}
